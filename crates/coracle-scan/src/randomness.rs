//! Distinguishes random text, such as credentials, from written text, such as examples and names.
//!
//! A text is written if a code for written text needs clearly fewer bits for it than a code for
//! random characters. A code that saves `n` bits does so for at most one in `2^n` random texts
//! (Kraft's inequality), so the limits below bound how many real tokens are missed.

use super::char_sets::CharSet;
use super::data::letter_pairs::LETTER_PAIR_COSTS;
use super::data::words::{PASSWORD_WORDS, PLACEHOLDERS};

/// A text counts as written if a code for written text needs at least this number of bits less for it than the
/// code for random characters. For each code, that is true for at most one in 4,096 random texts.
const MIN_SAVED_TOKEN: f64 = 12.0;
/// A password is random if the code for written text needs at least this number of bits per character more than the
/// code for random characters. One in fifty random passwords of twelve characters does not reach it.
const PASSWORD_MARGIN: f64 = 0.1;
/// Like [`PASSWORD_MARGIN`], for longer secrets.
const SECRET_MARGIN: f64 = 0.5;
/// The minimum number of bits that a code for sequences (`abcd`, `1234`) must save for a part of a password to count
/// as a sequence.
const MIN_SAVED_SEQUENCE: f64 = 5.0;

/// Returns whether `text` looks like random characters of `set`.
pub(super) fn is_random(text: &[u8], set: CharSet) -> bool {
    saved_bits_in(text, set) < MIN_SAVED_TOKEN && !is_placeholder(text)
}

/// Returns the number of bits by which `text` is shorter as written text or as a sequence than as
/// random characters of `set`.
pub(super) fn saved_bits_in(text: &[u8], set: CharSet) -> f64 {
    // Hexadecimal digits are no random text of a larger alphabet, but they are random, too.
    let is_hex = CharSet::HEX_OR_DASH.leading_run(text).len() == text.len();
    let set = if is_hex && set.size() > CharSet::HEX_OR_DASH.size() { CharSet::LOWER_HEX } else { set };
    saved_bits(text, bits_per_character(set))
}

/// Returns whether `text` has as many saved bits as written text.
pub(super) fn is_written(saved_bits: f64) -> bool {
    saved_bits >= MIN_SAVED_TOKEN
}

/// Returns whether a password looks as if a program has chosen it: its characters are random in one
/// of the usual alphabets, and it is long enough to tell.
pub(super) fn is_random_password(text: &[u8]) -> bool {
    text.len() >= MIN_PASSWORD && has_margin(text, PASSWORD_MARGIN)
}

/// Returns whether `text` looks random enough for a secret whose name does not say that it is a password.
pub(super) fn is_random_secret(text: &[u8]) -> bool {
    text.len() >= MIN_SECRET && has_margin(text, SECRET_MARGIN)
}

fn has_margin(text: &[u8], margin: f64) -> bool {
    // Letters, letters and digits and so on are equally probable.
    let choice = (PASSWORD_ALPHABETS.len() as f64).log2();
    let alphabets = PASSWORD_ALPHABETS.iter().filter(|set| text.iter().all(|&byte| set.contains(byte)));
    let smallest = alphabets.map(|set| bits_per_character(*set)).reduce(f64::min);
    let Some(bits) = smallest else { return false };
    let size = text.len() as f64;
    let lower = text.to_ascii_lowercase();
    let has_word =
        || PASSWORD_WORDS.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some());
    written_bits(text) - (size * bits + choice) > margin * size
        && size * bits - sequence_bits(text, bits) < MIN_SAVED_SEQUENCE
        && !has_word()
        && !is_placeholder(text)
}

/// The minimum length of a password that is recognized by its characters.
const MIN_PASSWORD: usize = 8;
/// The minimum length of another secret that is recognized by its characters.
const MIN_SECRET: usize = 16;

/// The alphabets that generators of passwords use.
const PASSWORD_ALPHABETS: [CharSet; 7] = [
    CharSet::LOWER_HEX,
    CharSet::LETTERS_LOWER,
    CharSet::LOWER_OR_DIGIT,
    CharSet::UPPER_OR_DIGIT,
    CharSet::ALPHANUMERIC,
    CharSet::BASE64_ANY,
    CharSet::PRINTABLE,
];

/// Returns whether `text` contains a word that marks an example.
pub(super) fn is_placeholder(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
}

fn bits_per_character(set: CharSet) -> f64 {
    f64::from(set.size().max(2)).log2()
}

/// The number of bits that the better of two codes saves.
fn saved_bits(text: &[u8], bits_per_character: f64) -> f64 {
    let random = text.len() as f64 * bits_per_character;
    random - written_bits(text).min(sequence_bits(text, bits_per_character))
}

/// Returns the number of bits of `text` in a code for words: pairs of letters, which rarely change
/// their case, and numbers.
fn written_bits(text: &[u8]) -> f64 {
    let mut previous = (OTHER, false);
    let mut bits = 0.0;
    for &byte in text {
        let symbol = symbol_of(byte);
        let tenths = LETTER_PAIR_COSTS.get(previous.0).and_then(|row| row.get(symbol)).copied();
        bits += f64::from(tenths.unwrap_or(u8::MAX)) / 10.0;
        let is_upper = byte.is_ascii_uppercase();
        bits += match symbol {
            OTHER if b"_-.".contains(&byte) => JOINER_BITS,
            OTHER => OTHER_BITS,
            DIGIT => DIGIT_BITS,
            // The first letter of a word can have any case.
            _ if previous.0 >= DIGIT => 1.0,
            _ if is_upper == previous.1 => SAME_CASE_BITS,
            _ => OTHER_CASE_BITS,
        };
        previous = (symbol, is_upper);
    }
    bits
}

/// Indexes of [`LETTER_PAIR_COSTS`].
const DIGIT: usize = 26;
const OTHER: usize = 27;
/// log2(10)
const DIGIT_BITS: f64 = 3.32;
/// Words are mostly joined by `_`, `-` or `.`.
const JOINER_BITS: f64 = 2.5;
const OTHER_BITS: f64 = 5.5;
/// -log2(7/8) and -log2(1/8)
const SAME_CASE_BITS: f64 = 0.19;
const OTHER_CASE_BITS: f64 = 3.0;

fn symbol_of(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a'),
        b'A'..=b'Z' => usize::from(byte - b'A'),
        b'0'..=b'9' => DIGIT,
        _ => OTHER,
    }
}

/// Returns the number of bits of `text` in a code for repetitions and sequences: `xxxx`, `1234`,
/// `abcabc`.
fn sequence_bits(text: &[u8], bits_per_character: f64) -> f64 {
    let steps = predicted_bits(text, bits_per_character, 1.6, |at| {
        let (byte, before) = (text.get(at), at.checked_sub(1).and_then(|at| text.get(at)));
        matches!((byte, before), (Some(byte), Some(before)) if byte.abs_diff(*before) <= 1)
    });
    // The distance costs four bits.
    let repetitions = (2..=MAX_PERIOD).map(|period| {
        4.0 + predicted_bits(text, bits_per_character, 0.0, |at| {
            at.checked_sub(period).is_some_and(|before| text.get(before) == text.get(at))
        })
    });
    repetitions.fold(steps, f64::min)
}

/// The longest period of a repetition.
const MAX_PERIOD: usize = 16;

/// Returns the number of bits if each character is either predicted, with `choice` more bits, or not.
fn predicted_bits(text: &[u8], bits_per_character: f64, choice: f64, is_hit: impl Fn(usize) -> bool) -> f64 {
    let hits = (0..text.len()).filter(|&at| is_hit(at)).count() as f64;
    // Both flags cost one bit.
    hits * (1.0 + choice) + (text.len() as f64 - hits) * (1.0 + bits_per_character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            ("deadbeefdeadbeefdeadbeefdeadbeef", false),
            ("this_is_a_little_text", false),
            ("variablepriorityKeyShareHello", false),
            ("gldt-glrt-glcbt-glptt-glft-glsoat-glagent-", false),
        ] {
            assert_eq!(is_random(text.as_bytes(), CharSet::BASE64URL), expected, "{text}");
        }
    }

    #[test]
    fn recognizes_random_passwords() {
        for (text, expected) in [
            ("qzkxwvjp", true),
            ("kQzRtWvB", true),
            ("x7#Kp!2q", true),
            ("9f8a7c1e", true),
            ("correct horse", false),
            ("Kennwort", false),
            ("contraseña", false),
            ("password1", false),
            ("postgres", false),
            ("required", false),
            ("administrator", false),
        ] {
            assert_eq!(is_random_password(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn random_tokens_are_random(base62 in "[0-9A-Za-z]{20,60}", hex in "[0-9a-f]{32,64}", upper in "[A-Z2-7]{16}") {
            prop_assume!(!is_placeholder(base62.as_bytes()));
            // One in 4,096 for each code: this many cases fail now and then at the limit, never above it.
            prop_assert!(saved_bits_in(base62.as_bytes(), CharSet::ALPHANUMERIC) < 2.0 * MIN_SAVED_TOKEN);
            prop_assert!(saved_bits_in(hex.as_bytes(), CharSet::LOWER_HEX) < 2.0 * MIN_SAVED_TOKEN);
            prop_assert!(saved_bits_in(upper.as_bytes(), CharSet::BASE32) < 2.0 * MIN_SAVED_TOKEN);
        }
    }
}
