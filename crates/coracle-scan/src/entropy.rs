//! Distinguishes random text, such as credentials, from written text, such as examples and names.

use super::data::words::PLACEHOLDERS;

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
}
