//! Private keys as text: a header, a body in base64, and an end that fits the header.
//!
//! Programs that read keys contain the headers, so a header alone is not a finding.

use super::bytes_around_offset::{BytesAroundOffset, bytes_after, last_bytes};
use super::char_sets::{CharSet, decode_base64_prefix};
use super::escapes;
use super::finding::RuleMatch;
use super::key_files;
use super::randomness;

/// Text in headers of private keys: PEM of every kind, OpenSSH, PGP, SSH2; and OpenVPN's shared
/// keys.
pub(super) const KEY_HEADERS: [&[u8]; 2] = [b"PRIVATE KEY", b"Static key V"];

/// The maximum length of a header before its text, such as `-----BEGIN ENCRYPTED `.
const MAX_HEADER_START: usize = 64;
/// The minimum number of base64 digits of a body. A key of Ed25519 has 64.
const MIN_BODY: usize = 56;
/// The number of digits from which on a body is not tested for completeness.
const MIN_LONG_BODY: usize = 128;

/// Finds a private key at the offset of a text of its header.
pub(super) fn find_private_key(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    let start = last_bytes(window.before, MAX_HEADER_START);
    let begin = memchr::memmem::rfind(start, b"BEGIN ")?;
    let label_start = start.get(begin + "BEGIN ".len()..)?;
    let label_rest = window.rest.get(..window.rest.iter().position(|byte| *byte == b'-')?)?;
    let label = [label_start, label_rest].concat();
    let label = label.trim_ascii();
    let is_label = label.len() <= 48 && label.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let dashes = start.get(..begin)?.trim_ascii_end();
    let dash_count = CharSet::DASH.trailing_run(dashes);
    if !is_label || dash_count < 4 {
        return None;
    }
    let rest = window.rest.get(label_rest.len()..)?;
    let rest = rest.get(CharSet::DASH.leading_run(rest).len()..)?;
    // The text can be a string in source code, JSON, or a URL.
    let text = escapes::unescape(rest);
    let end = memchr::memmem::find(&text, b"---")?;
    let after = text.get(end..)?.trim_ascii_start();
    let after = after.get(CharSet::DASH.leading_run(after).len()..)?.trim_ascii_start();
    let is_end = after.strip_prefix(b"END ").is_some_and(|after| after.trim_ascii_start().starts_with(label));
    let body = key_body(text.get(..end)?);
    let header_start = begin - (start.get(..begin)?.len() - dashes.len()) - dash_count;
    // An example has only the first line of a key.
    let is_example = body.len() < MIN_LONG_BODY
        && !key_files::is_complete_der(&decode_base64_prefix(&body))
        && body.starts_with(b"M");
    let is_key = is_end && body.len() >= MIN_BODY && !is_example;
    (is_key && randomness::is_random(&body, CharSet::BASE64)).then(|| {
        let what = if is_encrypted(label, &text) { "an encrypted private key" } else { "a private key" };
        RuleMatch::new_error("private-key", what).starting_before(start.len() - header_start)
    })
}

fn is_encrypted(label: &[u8], text: &[u8]) -> bool {
    label.starts_with(b"ENCRYPTED") || memchr::memmem::find(text, b"4,ENCRYPTED").is_some()
}

/// Returns the base64 digits of a body: those of all lines but headers, such as `DEK-Info: …` and
/// `Comment: …`, and PGP's checksum. Quotes and operators of source code can be between the lines.
/// Empty if there is other text.
fn key_body(text: &[u8]) -> Vec<u8> {
    let is_header = |line: &&[u8]| memchr::memmem::find(line, b": ").is_some() || line.starts_with(b"=");
    let lines =
        text.split(|byte| b"\n\r".contains(byte)).map(<[u8]>::trim_ascii).filter(|line| !is_header(line));
    let is_ignored_path = |byte: &u8| b" \t\"'`,.|>*#;()\\".contains(byte);
    let pieces: Vec<&[u8]> = lines
        .flat_map(|line| line.split(is_ignored_path))
        .filter(|piece| !piece.is_empty() && *piece != b"+")
        .collect();
    let Some((_, full)) = pieces.split_last() else { return Vec::new() };
    // Words are shorter than the lines of a key.
    let is_body = full.iter().all(|piece| piece.len() >= MIN_LINE)
        && pieces.iter().all(|piece| CharSet::BASE64.leading_run(piece).len() == piece.len());
    if is_body { pieces.concat() } else { Vec::new() }
}

/// The minimum length of a line but the last one. OpenVPN writes 32 characters per line.
const MIN_LINE: usize = 32;

/// Finds a PuTTY key file.
pub(super) fn find_putty_key(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    let key = window.rest.strip_prefix(PUTTY_HEADER)?;
    let lines = bytes_after(key, b"Private-Lines:")?;
    let body = lines.get(lines.iter().position(|&byte| byte == b'\n')? + 1..)?;
    (CharSet::BASE64.leading_run(body).len() >= 40)
        .then(|| RuleMatch::new_error("private-key", "a private key of PuTTY"))
}

/// The start of a PuTTY key file.
pub(super) const PUTTY_HEADER: &[u8] = b"PuTTY-User-Key-File-";

/// Finds a private JSON Web Key: an object with `kty` and the private parameter `d`, or a symmetric
/// key `k` (RFC 7518, section 6).
pub(super) fn find_json_web_key(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    let before = last_bytes(window.before, MAX_OBJECT);
    let start = before.iter().rposition(|byte| *byte == b'{')?;
    let object_start = before.get(start..)?;
    let rest = window.rest.get(..window.rest.iter().position(|byte| *byte == b'}').unwrap_or(MAX_OBJECT))?;
    let object = escapes::unescape(&[object_start, rest].concat());
    let kind = json_string(&object, b"\"kty\"")?;
    let parameter = if kind == b"oct" { b"\"k\"" } else { b"\"d\"" };
    let value = json_string(&object, parameter)?;
    let is_key = value.len() >= 32
        && CharSet::BASE64URL.leading_run(value) == value
        && randomness::is_random(value, CharSet::BASE64URL);
    is_key.then(|| {
        RuleMatch::new_error("private-key", "a private JSON Web Key").starting_before(object_start.len())
    })
}

/// The maximum length of a JSON Web Key on each side of `kty`.
const MAX_OBJECT: usize = 4096;

/// Returns the string value of `name`, which is in quotes, in an object.
fn json_string<'a>(object: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = bytes_after(object, name)?.trim_ascii_start().strip_prefix(b":")?;
    rest.trim_ascii_start().strip_prefix(b"\"")?.split(|byte| *byte == b'"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

    /// Returns the first or last line of a private key. It is joined here so that secret scanners do
    /// not report this file.
    fn line(what: &str, kind: &str) -> String {
        format!("-----{what} {kind}PRIVATE{}-----", " KEY")
    }

    fn found(text: &str) -> Option<RuleMatch> {
        let at = memchr::memmem::find(text.as_bytes(), KEY_HEADERS[0])?;
        find_private_key(&BytesAroundOffset::new(text.as_bytes(), at))
    }

    #[test]
    fn finds_a_header_with_a_body_and_an_end() {
        let (begin, end) = (line("BEGIN", "RSA "), line("END", "RSA "));
        for (between, expected) in [
            ("\n", true),
            ("\\n", true),
            ("\\\\n", true),
            ("\r\n", true),
            ("\n    ", true),
            ("\\n\"\n    \"", true),
            ("\\n' +\n    '", true),
            ("%0A", true),
            ("\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789\n\n", true),
            ("\0", false),
            ("\nthis is how a key looks like\n", false),
            ("\n-----END RSA\n", false),
        ] {
            let text = format!("key: {begin}{between}{LINES}{between}{LINES}\n{end}");
            assert_eq!(found(&text).is_some(), expected, "{between:?}");
        }
        assert_eq!(found(&format!("{begin}\n{LINES}\n")), None, "no end");
        assert_eq!(found(&format!("{begin}\n{LINES}\n{}", line("END", ""))), None, "another end");
        assert_eq!(found(&format!("{begin}\nMIIE...\n{end}")), None);
        assert_eq!(found(&format!("{begin}{end}")), None);
        assert_eq!(found(&format!("the PRIVATE{} of a server, ---- {LINES}", " KEY")), None);
        assert_eq!(found(&format!("{begin}\nMIIE{}\n{end}", "x".repeat(60))), None);
        assert_eq!(found(&format!("-----BEGIN CERTIFICATE-----\n{LINES}")), None);
        assert_eq!(found(&format!("{begin}\n{LINES}\n{end}")), None, "an example");
        let key = found(&format!("key: {begin}\n{LINES}\n{LINES}\n{end}")).unwrap();
        assert_eq!(key.start_before, "-----BEGIN RSA ".len(), "starts at the first dash");
    }

    #[test]
    fn finds_putty_key_files() {
        let head = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n";
        let is_found = |text: &str| find_putty_key(&BytesAroundOffset::new(text.as_bytes(), 0)).is_some();
        assert!(is_found(&format!("{head}Private-Lines: 1\n{LINES}\n")));
        assert!(!is_found(&format!("{head}\0Private-Lines: \0")));
    }

    #[test]
    fn finds_private_json_web_keys() {
        let found = |text: &str| {
            let at = text.find("\"kty\"").unwrap();
            find_json_web_key(&BytesAroundOffset::new(text.as_bytes(), at)).is_some()
        };
        let value = "wJalrXUtnFEMIK7MDENGbPxRfiCYzQ9vT2LsE4pH123";
        assert!(found(&format!("{{\"d\":\"{value}\",\"kty\": \"EC\", \"crv\":\"P-256\"}}")));
        assert!(found(&format!("{{\"kty\":\"oct\",\"k\":\"{value}\"}}")));
        assert!(!found(&format!("{{\"kty\":\"EC\",\"x\":\"{value}\"}}, {{\"d\":\"{value}\"}}")));
    }
}
