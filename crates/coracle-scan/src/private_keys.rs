//! Private keys: as text with a header, in base64, and as binary key files.
//!
//! Programs that read keys contain the headers. A header is a finding only if a body follows.

use memchr::memmem;

use super::alphabet::{decode_base64_prefix, is_base64, leading_run};
use super::entropy;
use super::finding::RuleMatch;
use super::window::{Window, bytes_after, last_bytes};

/// Text in headers of private keys: PEM of every kind, OpenSSH, PGP, SSH2; and OpenVPN's shared
/// keys.
const KEY_HEADERS: [&[u8]; 2] = [b"PRIVATE KEY", b"Static key V"];
/// The maximum distance of the body from its header. Headers of encrypted keys and comments can be
/// between them.
const MAX_HEADER_DISTANCE: usize = 320;
/// The minimum length of a body's first line. OpenVPN writes 32 characters per line.
const MIN_BODY_LINE: usize = 32;

/// Finds a private key whose body starts at the offset.
pub(super) fn find_key_body(window: &Window<'_>) -> Option<RuleMatch> {
    // Most runs are shorter than a line, so this test rules them out by one byte.
    if !window.rest.get(MIN_BODY_LINE - 1).is_some_and(|&byte| is_base64(byte)) {
        return None;
    }
    let line = window.leading_run(is_base64);
    if line.len() < MIN_BODY_LINE {
        return None;
    }
    let before = last_bytes(window.before, MAX_HEADER_DISTANCE);
    let (header, header_size) =
        KEY_HEADERS.iter().filter_map(|header| Some((memmem::rfind(before, header)?, header.len()))).max()?;
    let between = before.get(header + header_size..).unwrap_or_default();
    // `PRIVATE KEY-----`, `PRIVATE KEY BLOCK-----`, `PRIVATE KEY ----`, `Static key V1-----`
    let end = memmem::find(between, b"----").filter(|end| *end <= " BLOCK".len());
    let is_header = end.is_some() && memmem::find(between, b"-END").is_none();
    if !is_header || between.contains(&0) || !entropy::is_random(line) {
        return None;
    }
    let start = memmem::rfind(before.get(..header).unwrap_or_default(), b"---").map_or(header, |dashes| {
        let dashes = before.get(..dashes + 3).unwrap_or_default();
        dashes.len() - dashes.iter().rev().take_while(|&&byte| byte == b'-').count()
    });
    Some(RuleMatch::new_error("private-key", "a private key").starting_before(before.len() - start))
}

/// Finds a private key that is encoded in base64 including its header, as in Kubernetes Secrets and
/// kubeconfigs; or a PuTTY key file.
pub(super) fn find_encoded_key(window: &Window<'_>) -> Option<RuleMatch> {
    if window.rest.starts_with(b"LS0tLS1CRUdJTi") {
        let text = decode_base64_prefix(leading_run(window.rest, is_base64));
        let body = bytes_after(&text, b"PRIVATE KEY-----")?;
        return (body.len() >= 48).then(|| RuleMatch::new_error("private-key", "a private key in base 64"));
    }
    let key = window.rest.strip_prefix(b"PuTTY-User-Key-File-")?;
    let lines = bytes_after(key, b"Private-Lines:")?;
    let body = lines.get(lines.iter().position(|&byte| byte == b'\n')? + 1..)?;
    let is_key = leading_run(body, is_base64).len() >= 40 || body.len() < 2;
    is_key.then(|| RuleMatch::new_error("private-key", "a private key of PuTTY"))
}

/// Recognizes a key file by its first bytes: DER, Java key store, PKCS #12, GnuPG, KeePass.
pub(super) fn recognize_key_file(start: &[u8]) -> Option<RuleMatch> {
    let what = if is_der_key(start) {
        "a private key (DER)"
    } else if is_java_key_store(start) {
        "a Java key store with a private key"
    } else if is_pkcs12(start) {
        "a key store (PKCS #12)"
    } else if is_gnupg_key(start) {
        "a private key of GnuPG"
    } else if start.starts_with(&[0x03, 0xd9, 0xa2, 0x9a]) && start.get(5..8) == Some(&[0xfb, 0x4b, 0xb5]) {
        "a password store of KeePass"
    } else {
        return None;
    };
    Some(RuleMatch::new_error("private-key", what))
}

/// `SEQUENCE { INTEGER version, …`: PKCS #1 (RFC 8017, A.1.2), PKCS #8 (RFC 5208, 5), SEC 1 (RFC
/// 5915, 3).
fn is_der_key(start: &[u8]) -> bool {
    let Some(body) = der_sequence(start) else { return false };
    let rsa = || matches!(body, [2, 1, 0, 2, 0x81 | 0x82, ..]);
    let pkcs8 = || matches!(body, [2, 1, 0 | 1, 0x30, _, 6, 3..=9, ..]);
    let elliptic = || matches!(body, [2, 1, 1, 4, 0x1c | 0x20 | 0x30 | 0x42, ..]);
    // PKCS #8, encrypted: SEQUENCE { SEQUENCE { OID pkcs-5 or pkcs-12 …
    let encrypted = || {
        let algorithm = der_sequence(body).unwrap_or_default();
        algorithm.starts_with(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5])
            || algorithm.starts_with(&[6, 10, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1])
    };
    rsa() || pkcs8() || elliptic() || encrypted()
}

/// `SEQUENCE { INTEGER 3, SEQUENCE { OID pkcs7-data or -signedData` (RFC 7292, 4).
fn is_pkcs12(start: &[u8]) -> bool {
    let content = der_sequence(start).and_then(|body| der_sequence(body.strip_prefix(&[2, 1, 3])?));
    content.is_some_and(|content| content.starts_with(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7]))
}

/// Returns the content of the DER sequence at the start of `bytes`; it can be truncated.
fn der_sequence(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.strip_prefix(&[0x30])? {
        [0..=0x7f, body @ ..]
        | [0x81, _, body @ ..]
        | [0x82, _, _, body @ ..]
        | [0x83, _, _, _, body @ ..] => Some(body),
        _ => None,
    }
}

/// JKS and JCEKS: magic, version, number of entries, and the tag of the first entry. A store of
/// trusted certificates is not a secret.
fn is_java_key_store(start: &[u8]) -> bool {
    let magic = start.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) || start.starts_with(&[0xce, 0xce, 0xce, 0xce]);
    magic && matches!(start.get(12..16), Some([0, 0, 0, 1 | 3]))
}

/// A file of `private-keys-v1.d`: an S-expression, optionally after `NAME: VALUE` lines.
fn is_gnupg_key(start: &[u8]) -> bool {
    let head = start.get(..256).unwrap_or(start);
    let canonical = head.starts_with(b"(11:private-key") || head.starts_with(b"(21:protected-private-key");
    let key = bytes_after(head, b"Key: (").unwrap_or_default();
    let extended = head.starts_with(b"Key: ") || head.starts_with(b"Created: ");
    canonical || extended && (key.starts_with(b"private-key") || key.starts_with(b"protected-private-key"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    const LINES: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

    /// Returns the header of a private key. It is joined here so that secret scanners do not report
    /// this file.
    fn header(kind: &str) -> String {
        format!("-----BEGIN {kind}PRIVATE{}-----", " KEY")
    }

    fn found(text: &str) -> Option<RuleMatch> {
        find_key_body(&Window::new(text.as_bytes(), text.find("MIIE").unwrap_or_default()))
    }

    #[test]
    fn finds_a_header_followed_by_a_body() {
        let rsa = header("RSA ");
        for (between, expected) in [
            ("\n", true),
            ("\\n", true),
            ("\r\n", true),
            ("\n    ", true),
            ("\\n\"\n    \"", true),
            ("\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789\n\n", true),
            ("\0", false),
            ("\n-----END RSA\n", false),
        ] {
            assert_eq!(found(&format!("key: {rsa}{between}{LINES}")).is_some(), expected, "{between:?}");
        }
        assert_eq!(found(&format!("{rsa}\nMIIE...")), None);
        assert_eq!(found(&format!("the PRIVATE{} of a server, ---- {LINES}", " KEY")), None);
        assert_eq!(found(&format!("{rsa}\nMIIE{}", "x".repeat(60))), None);
        assert_eq!(found(&format!("-----BEGIN CERTIFICATE-----\n{LINES}")), None);
        let key = found(&format!("key: {rsa}\n{LINES}")).unwrap();
        assert_eq!(key.start_before, rsa.len() + 1, "starts at the first dash");
    }

    #[test]
    fn finds_keys_in_base64() {
        let text = format!("{}\n{LINES}", header(""));
        let is_found = |text: &str| find_encoded_key(&Window::new(text.as_bytes(), 0)).is_some();
        assert!(is_found(&BASE64_STANDARD.encode(&text)));
        let certificate = text.replace("PRIVATE KEY", "CERTIFICATE");
        assert!(!is_found(&BASE64_STANDARD.encode(&certificate)));
    }

    #[test]
    fn finds_putty_key_files() {
        let head = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n";
        let is_found = |text: &str| find_encoded_key(&Window::new(text.as_bytes(), 0)).is_some();
        assert!(is_found(&format!("{head}Private-Lines: 1\n{LINES}\n")));
        assert!(!is_found(&format!("{head}\0Private-Lines: \0")));
    }

    #[test]
    fn recognizes_key_files() {
        for (bytes, expected) in [
            (&[0x30, 0x82, 4, 0xa4, 2, 1, 0, 2, 0x82, 1, 1][..], true),
            (&[0x30, 0x82, 4, 0xbd, 2, 1, 0, 0x30, 13, 6, 9, 0x2a], true),
            (&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b], true),
            (&[0x30, 0x77, 2, 1, 1, 4, 0x20], true),
            (
                &[
                    0x30, 0x82, 9, 9, 2, 1, 3, 0x30, 0x82, 9, 9, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1,
                    7,
                ],
                true,
            ),
            (&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1], true),
            (b"(21:protected-private-key(3:rsa", true),
            (b"Created: 20240101T000000\nKey: (private-key (ecc", true),
            // A certificate, a store without keys, no key file.
            (&[0x30, 0x82, 3, 0x75, 0x30, 0x82, 2, 0x5d, 0xa0, 3, 2, 1, 2], false),
            (&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2], false),
            (b"0", false),
            (b"", false),
        ] {
            assert_eq!(recognize_key_file(bytes).is_some(), expected, "{bytes:x?}");
        }
    }
}
