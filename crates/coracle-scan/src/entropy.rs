//! Distinguishes random text, such as credentials, from written text, such as examples and names.
//! Also base64 and checksums of tokens.

/// Words that occur in example credentials.
const PLACEHOLDERS: [&str; 16] = [
    "example",
    "xxxx",
    "0000000",
    "1234567",
    "abcdef",
    "aaaaaa",
    "placeholder",
    "changeme",
    "yourtoken",
    "your_",
    "your-",
    "dummy",
    "redacted",
    "insert",
    "notreal",
    "deadbeef",
];

/// Returns whether `text` looks random: its entropy is that of random hexadecimal digits or
/// alphanumeric characters, and it is neither a placeholder nor a sequence.
pub(super) fn is_random(text: &[u8]) -> bool {
    let is_hexadecimal = text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    // Bits per character. One in a million random strings has less than 2.9 (32 hexadecimal digits)
    // or less than 3.3 (20 letters).
    let wanted = if is_hexadecimal { 2.8 } else { 3.2 };
    shannon_entropy(text) >= wanted && !is_placeholder(text) && !is_sequence(text)
}

/// Returns whether `text` contains a word that marks an example.
pub(super) fn is_placeholder(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
}

/// Returns whether more than a third of `text` is a sequence such as the alphabet.
fn is_sequence(text: &[u8]) -> bool {
    let steps = text.windows(2).filter(|pair| matches!(pair, [a, b] if a.abs_diff(*b) <= 1)).count();
    steps * 3 > text.len()
}

/// Returns the Shannon entropy in bits per byte.
fn shannon_entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for &byte in text {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let size = u32::try_from(text.len()).map_or(f64::MAX, f64::from);
    let bits = |count: u32| -f64::from(count) / size * (f64::from(count) / size).log2();
    counts.into_iter().filter(|&count| count > 0).map(bits).sum()
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Returns whether the last six characters are the CRC-32 of those before, in base 62, as in tokens
/// of GitHub and npm.
pub(super) fn has_crc32_checksum(text: &[u8]) -> bool {
    let Some((body, sum)) = text.split_last_chunk::<6>() else { return false };
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let (mut rest, mut expected) = (crc.sum(), [b'0'; 6]);
    for digit in expected.iter_mut().rev() {
        *digit = BASE62.get(rest as usize % 62).copied().unwrap_or_default();
        rest /= 62;
    }
    *sum == expected
}

/// Decodes the longest base64 prefix of `text`, in either alphabet, with or without padding.
pub(super) fn decode_base64_prefix(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() * 3 / 4), 0_u32, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            bytes.push(byte);
        }
    }
    bytes
}

/// Encodes `bytes` in base64, without the last digits that depend on the following bytes.
pub(super) fn encode_base64_groups(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let triples = bytes
        .chunks_exact(3)
        .map(|triple| triple.iter().fold(0_usize, |all, &byte| all << 8 | usize::from(byte)));
    let digits = triples.flat_map(|bits| [18, 12, 6, 0].map(|shift| DIGITS.get(bits >> shift & 63)));
    digits.flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_random_text() {
        for (text, expected) in [
            ("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", true),
            ("f47ac10b58cc4372a5670e02b2c3d479", true),
            ("J7QTWXM4NPRK2SZV", true),
            ("abcdefghijklmnopqrstuvwxyz0123456789", false),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("IOSFODNN7EXAMPLE", false),
            ("00000000000000000000000000000000", false),
            ("this_is_a_little_text", false),
        ] {
            assert_eq!(is_random(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn recognizes_checksums_of_github() {
        // The example in GitHub's description of its token format, without the first four
        // characters.
        let token = [b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ".as_slice(), b"0mLq17"].concat();
        assert!(has_crc32_checksum(&token));
        assert!(!has_crc32_checksum(&token[1..]));
        assert!(!has_crc32_checksum(b"short"));
    }

    #[test]
    fn base64_round_trips() {
        for text in [&b"user:password"[..], b"\xff\xfe\x00", b""] {
            let encoded = encode_base64_groups(text);
            let whole = text.len() / 3 * 3;
            assert_eq!(decode_base64_prefix(&encoded), &text[..whole]);
        }
        assert_eq!(decode_base64_prefix(b"dXNlcjpwYXNzd29yZA=="), b"user:password");
    }
}
