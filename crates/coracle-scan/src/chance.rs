//! Whether text was drawn by chance, as credentials are, or written by somebody: an example, a name, a row of letters.

/// Words of those who show how a credential looks.
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

/// Whether `text` is as mixed as something of its length that was drawn by chance from some sixty characters, or from
/// the sixteen of hexadecimal digits.
pub(super) fn is_random(text: &[u8]) -> bool {
    let is_hexadecimal = text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    // Bits a character. Of 32 digits drawn by chance, one in a million has less than 2.9; of 20 letters, less than 3.3.
    let wanted = if is_hexadecimal { 2.8 } else { 3.2 };
    entropy(text) >= wanted && !is_placeholder(text) && !is_row(text)
}

/// Whether `text` says itself that it is an example.
pub(super) fn is_placeholder(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
}

/// Whether much of `text` is a row, such as the alphabet.
fn is_row(text: &[u8]) -> bool {
    let steps = text.windows(2).filter(|pair| matches!(pair, [a, b] if a.abs_diff(*b) <= 1)).count();
    steps * 3 > text.len()
}

/// Bits a byte, by how often each byte occurs.
fn entropy(text: &[u8]) -> f64 {
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

/// Whether the last six characters are the CRC-32 of those before, as in tokens of GitHub and npm.
pub(super) fn has_checksum(text: &[u8]) -> bool {
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

/// What `text` says in base 64, as far as it is that; either alphabet, with or without padding.
pub(super) fn base64_decoded(text: &[u8]) -> Vec<u8> {
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

/// `bytes` in base 64, without what depends on the bytes that may follow.
pub(super) fn base64_encoded(bytes: &[u8]) -> Vec<u8> {
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
    fn what_was_drawn_and_what_was_written() {
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
    fn checksums_are_those_of_github() {
        // The token that GitHub's own description of the form shows, without its first four characters.
        let token = [b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ".as_slice(), b"0mLq17"].concat();
        assert!(has_checksum(&token));
        assert!(!has_checksum(&token[1..]));
        assert!(!has_checksum(b"short"));
    }

    #[test]
    fn base_64_there_and_back() {
        for text in [&b"user:password"[..], b"\xff\xfe\x00", b""] {
            let encoded = base64_encoded(text);
            let whole = text.len() / 3 * 3;
            assert_eq!(base64_decoded(&encoded), &text[..whole]);
        }
        assert_eq!(base64_decoded(b"dXNlcjpwYXNzd29yZA=="), b"user:password");
    }
}
