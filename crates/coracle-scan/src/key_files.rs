//! Recognizes files of keys and passwords by their first bytes: DER, key stores of Java, PKCS #12,
//! GnuPG, OpenPGP, OpenSSH, KeePass.

use super::bytes_around_offset::{bytes_after, first_bytes};
use super::finding::RuleMatch;

/// Recognizes a key file by its first bytes.
pub(super) fn recognize_key_file(start: &[u8]) -> Option<RuleMatch> {
    let what = if let Some(what) = recognize_der_key(start) {
        what
    } else if is_java_key_store(start) {
        "a Java key store with a private key"
    } else if is_bouncy_castle_store(start) {
        "a key store of Bouncy Castle"
    } else if is_gnupg_key(start) {
        "a private key of GnuPG"
    } else if is_openpgp_key(start) {
        "a private key of OpenPGP"
    } else if start.starts_with(b"openssh-key-v1\0") {
        "a private key of OpenSSH"
    } else if start.starts_with(&[0x03, 0xd9, 0xa2, 0x9a])
        && matches!(start.get(4..8), Some([0x65..=0x67, 0xfb, 0x4b, 0xb5]))
    {
        "a password store of KeePass"
    } else if start.starts_with(b"PWS3") && start.len() > 200 {
        "a password store of Password Safe"
    } else {
        return None;
    };
    Some(RuleMatch::new_error("private-key", what))
}

/// Returns whether `start`, of which the rest is not known, can be that of a key file.
pub(super) fn may_be_key_file(start: &[u8]) -> bool {
    let is_der = der_sequence(start).is_some_and(|body| der_key_kind(body).is_some());
    is_der || recognize_key_file(start).is_some() || start.starts_with(&[0xfe, 0xed, 0xfe, 0xed])
}

/// Returns what kind of key in DER `start` is the beginning of: PKCS #1 (RFC 8017, A.1.2), PKCS #8
/// (RFC 5208, 5), SEC 1 (RFC 5915, 3), PKCS #12 (RFC 7292, 4).
fn recognize_der_key(start: &[u8]) -> Option<&'static str> {
    let body = der_sequence(start).filter(|_| is_complete_der(start))?;
    der_key_kind(body)
}

/// Returns the kind of the key whose sequence has `body`.
fn der_key_kind(body: &[u8]) -> Option<&'static str> {
    match body {
        [2, 1, 0, 2, 0x81 | 0x82, ..]
        | [2, 1, 0 | 1, 0x30, _, 6, 3..=9, ..]
        | [2, 1, 0 | 1, 0x30, 0x81, _, 6, ..]
        | [2, 1, 0 | 1, 0x30, 0x82, _, _, 6, ..]
        | [2, 1, 1, 4, 0x1c | 0x20 | 0x30 | 0x42, ..] => Some("a private key (DER)"),
        [2, 1, 3, ..] if is_pkcs12_key_store_body(body) => Some("a key store (PKCS #12)"),
        _ if is_encrypted_pkcs8_body(body) => Some("an encrypted private key (DER)"),
        _ => None,
    }
}

/// Returns whether `bytes` contain the whole DER sequence at their start, or so much of it that it is not an
/// example.
pub(super) fn is_complete_der(bytes: &[u8]) -> bool {
    let length = |count: usize| {
        let digits = bytes.get(2..2 + count).unwrap_or_default();
        2 + count + digits.iter().fold(0, |number: usize, digit| number << 8 | usize::from(*digit))
    };
    let size = match bytes.get(1) {
        Some(short @ 0..=0x7f) => 2 + usize::from(*short),
        Some(long @ 0x81..=0x83) => length(usize::from(long - 0x80)),
        _ => 0,
    };
    size <= bytes.len() || bytes.len() >= MIN_KEY_PART
}

/// The minimum size of a part of a key that counts as a secret.
const MIN_KEY_PART: usize = 256;

/// `SEQUENCE { SEQUENCE { OID pkcs-5 or pkcs-12 …`
fn is_encrypted_pkcs8_body(body: &[u8]) -> bool {
    let algorithm = der_sequence(body).unwrap_or_default();
    algorithm.starts_with(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5])
        || algorithm.starts_with(&[6, 10, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1])
}

/// `INTEGER 3, SEQUENCE { OID pkcs7-data or -signedData`
fn is_pkcs12_key_store_body(body: &[u8]) -> bool {
    let content = body.strip_prefix(&[2, 1, 3]).and_then(der_sequence);
    content.is_some_and(|content| content.starts_with(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7]))
}

/// Returns the content of the DER sequence at the start of `bytes`; it can be truncated. In BER, its
/// length can be indefinite.
fn der_sequence(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.strip_prefix(&[0x30])? {
        [0..=0x80, body @ ..]
        | [0x81, _, body @ ..]
        | [0x82, _, _, body @ ..]
        | [0x83, _, _, _, body @ ..] => Some(body),
        _ => None,
    }
}

/// JKS and JCEKS: magic, version, number of entries, and the entries. A store of trusted
/// certificates is not a secret.
fn is_java_key_store(start: &[u8]) -> bool {
    let magic = start.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) || start.starts_with(&[0xce; 4]);
    magic && start.get(..12).is_some() && has_private_entry(start)
}

/// Returns whether one of the entries of a Java key store is a private or a secret key: tag, alias,
/// time, and for a certificate its type and data.
fn has_private_entry(store: &[u8]) -> bool {
    let number = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let mut rest = store.get(12..).unwrap_or_default();
    for _ in 0..MAX_ENTRIES {
        match number(rest) {
            Some(1 | 3) => return true,
            Some(2) => {}
            _ => return false,
        }
        let skipped = || -> Option<&[u8]> {
            let after_alias = skip_text(rest.get(4..)?)?;
            let data = skip_text(after_alias.get(8..)?)?;
            data.get(4 + usize::try_from(number(data)?).ok()?..)
        };
        let Some(next) = skipped() else { return false };
        rest = next;
    }
    false
}

/// The maximum number of certificates before the first key of a store.
const MAX_ENTRIES: usize = 1000;

/// Skips a text with its length, as `DataInput.readUTF` reads it.
fn skip_text(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.first_chunk().map(|length| u16::from_be_bytes(*length))?;
    bytes.get(2 + usize::from(length)..)
}

/// BKS: version 1 or 2, a salt of 20 bytes, an iteration count, and the first entry's type: 2 to 4
/// are keys.
fn is_bouncy_castle_store(start: &[u8]) -> bool {
    let iterations =
        start.get(28..32).and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_be_bytes(*bytes));
    matches!(start.get(..8), Some([0, 0, 0, 1 | 2, 0, 0, 0, 20]))
        && iterations.is_some_and(|count| (512..=100_000).contains(&count))
        && matches!(start.get(32), Some(2..=4))
}

/// A file of `private-keys-v1.d`: an S-expression, optionally after `NAME: VALUE` lines.
fn is_gnupg_key(start: &[u8]) -> bool {
    let head = first_bytes(start, 256);
    let canonical = head.starts_with(b"(11:private-key")
        || head.starts_with(b"(21:protected-private-key")
        || head.starts_with(b"(20:shadowed-private-key");
    let key = bytes_after(head, b"Key: (").unwrap_or_default();
    let extended = head.starts_with(b"Key: ") || head.starts_with(b"Created: ");
    canonical || extended && (key.starts_with(b"private-key") || key.starts_with(b"protected-private-key"))
}

/// A secret key packet (RFC 9580, section 5.5.3): tag 5 or 7, length, version 3 to 6, a creation
/// time, an algorithm.
fn is_openpgp_key(start: &[u8]) -> bool {
    let packet = match start {
        // The old format, with one, two or four bytes of length.
        [0x94 | 0x9c, _, rest @ ..]
        | [0x95 | 0x9d, _, _, rest @ ..]
        | [0x96 | 0x9e, _, _, _, _, rest @ ..]
        // The new format.
        | [0xc5 | 0xc7, 0..=191, rest @ ..]
        | [0xc5 | 0xc7, 192..=223, _, rest @ ..]
        | [0xc5 | 0xc7, 255, _, _, _, _, rest @ ..] => rest,
        _ => return false,
    };
    match packet {
        [3..=6, time @ ..] if time.len() > 64 => {
            let year_is_plausible = matches!(time.first(), Some(0x30..=0x9f));
            let algorithm = time.get(4);
            year_is_plausible && matches!(algorithm, Some(1..=3 | 16..=19 | 22 | 25..=28))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_key_files() {
        let store = |entry: &[u8]| [&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 2], entry].concat();
        let certificate =
            [&[0, 0, 0, 2, 0, 1, b'a'][..], &[0; 8], &[0, 5], b"X.509", &[0, 0, 0, 3, 1, 2, 3]].concat();
        let openpgp = [&[0x95, 3, 0x98, 4, 0x65, 1, 2, 3, 1][..], &[7; 64]].concat();
        for (bytes, expected) in [
            (&[0x30, 0x82, 0, 7, 2, 1, 0, 2, 0x82, 1, 1][..], true),
            (&[0x30, 0x82, 0, 8, 2, 1, 0, 0x30, 13, 6, 9, 0x2a], true),
            (&[0x30, 8, 2, 1, 0, 0x30, 5, 6, 3, 0x2b], true),
            (&[0x30, 5, 2, 1, 1, 4, 0x20], true),
            (&[0x30, 6, 2, 1, 1, 4, 0x20], false),
            (
                &[
                    0x30, 0x82, 0, 17, 2, 1, 3, 0x30, 0x82, 9, 9, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                    1, 7,
                ],
                true,
            ),
            (&store(&[0, 0, 0, 1]), true),
            (&store(&[&certificate[..], &[0, 0, 0, 1]].concat()), true),
            (&openpgp, true),
            (b"openssh-key-v1\0", true),
            (b"(21:protected-private-key(3:rsa", true),
            (b"Created: 20240101T000000\nKey: (private-key (ecc", true),
            // A certificate, stores without keys, no key file.
            (&[0x30, 0x82, 3, 0x75, 0x30, 0x82, 2, 0x5d, 0xa0, 3, 2, 1, 2], false),
            (&store(&[&certificate[..], &certificate].concat()), false),
            (&[0x99, 1, 0x0d, 4, 0x65, 1, 2, 3, 1], false),
            (b"0", false),
            (b"", false),
        ] {
            assert_eq!(recognize_key_file(bytes).is_some(), expected, "{bytes:x?}");
        }
    }
}
