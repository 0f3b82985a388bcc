//! The form of one kind of token: text, and runs of characters between it.
//!
//! `data/token_forms.txt` describes how a form is written.

use super::char_sets::CharSet;
use super::randomness;

/// The form of one kind of token.
#[derive(Debug)]
pub(super) struct TokenForm {
    /// The kind of token and its issuer, such as `a token of GitHub`.
    pub(super) description: &'static str,
    /// Words one of which the name of the value has; empty if the form is distinctive.
    pub(super) names: Vec<&'static str>,
    /// The parts before the anchor, in reverse order.
    before: Vec<Part>,
    /// The first text of the form, by which it is searched; empty if it has none.
    pub(super) anchor: &'static [u8],
    /// The parts after the anchor.
    after: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(&'static [u8]),
    Run { set: CharSet, min: usize, max: usize, has_checksum: bool },
}

/// A match of a form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TokenMatch {
    /// The number of bytes before the anchor.
    pub(super) start_before: usize,
    /// The number of bytes from the anchor on.
    pub(super) length: usize,
    /// `true` if the checksum is right; true without a checksum.
    pub(super) has_right_checksum: bool,
}

impl TokenForm {
    /// Parses a line of the table without its first column. Returns `None` if it is not a form.
    pub(super) fn parse(description: &'static str, form: &'static str) -> Option<Self> {
        let (names, form) = match form.strip_prefix("name=") {
            Some(rest) => rest.split_once(' ').map(|(names, form)| (names.split(',').collect(), form))?,
            None => (Vec::new(), form),
        };
        let mut parts = parse_parts(form)?;
        // One character is too little to search by.
        let has_text =
            |min: usize| parts.iter().position(|part| matches!(part, Part::Text(text) if text.len() >= min));
        let anchor = has_text(2).or_else(|| has_text(1)).filter(|_| names.is_empty());
        let (mut before, anchor, after) = match anchor {
            Some(at) => {
                let after = parts.split_off(at + 1);
                let Some(Part::Text(anchor)) = parts.pop() else { return None };
                (parts, anchor, after)
            }
            None => (Vec::new(), &b""[..], parts),
        };
        before.reverse();
        Some(Self { description, names, before, anchor, after })
    }

    /// Returns whether the anchor is no part of names and of encoded data, so that a token is recognized
    /// next to other text.
    pub(super) fn is_distinctive(&self) -> bool {
        let has_checksum =
            || self.after.iter().any(|part| matches!(part, Part::Run { has_checksum: true, .. }));
        !WORDS.contains(&self.anchor) && (self.anchor.len() >= MIN_DISTINCTIVE || has_checksum())
            || !self.has_separator() && self.anchor.len() >= MIN_LETTERS
    }

    /// Returns whether the anchor has characters that are neither letters nor digits.
    pub(super) fn has_separator(&self) -> bool {
        !self.anchor.iter().all(u8::is_ascii_alphanumeric)
    }

    /// Returns whether a token starts with its anchor.
    pub(super) fn starts_with_anchor(&self) -> bool {
        self.before.is_empty() && self.anchor.first().is_some_and(|byte| CharSet::WORD.contains(*byte))
    }

    /// Returns whether the whole of `value` has the form.
    pub(super) fn matches_value(&self, value: &[u8]) -> bool {
        let found = match_parts(&self.after, value, false);
        found.is_some_and(|found| found.length == value.len() && !randomness::is_written(found.saved_bits))
            && !randomness::is_placeholder(value)
    }

    /// Matches the form if its anchor is at the start of `rest`. Unless the token is delimited, other
    /// text can be next to it without a separator.
    pub(super) fn match_at(&self, before: &[u8], rest: &[u8], is_delimited: bool) -> Option<TokenMatch> {
        let after_anchor = rest.strip_prefix(self.anchor)?;
        let (mut start_before, mut saved_bits) = (0, 0.0);
        for part in &self.before {
            let before = before.get(..before.len() - start_before)?;
            match part {
                Part::Text(text) => start_before += before.ends_with(text).then_some(text.len())?,
                Part::Run { set, min, max, .. } => {
                    let length = set.trailing_run(before).min(*max);
                    (length >= *min).then_some(())?;
                    let run = before.get(before.len() - length..)?;
                    saved_bits += randomness::saved_bits_in(run, *set);
                    start_before += length;
                }
            }
        }
        let found = match_parts(&self.after, after_anchor, !is_delimited)?;
        let length = self.anchor.len() + found.length;
        let token = rest.get(..length)?;
        let is_end = rest.get(length).is_none_or(|next| !CharSet::WORD.contains(*next));
        let is_domain =
            self.before.is_empty() && self.anchor.first().is_some_and(|byte| !CharSet::WORD.contains(*byte));
        let is_start = is_domain || before.get(..before.len() - start_before).is_some_and(can_precede_token);
        let is_bounded = if is_delimited { is_end && is_start } else { length >= MIN_UNDELIMITED };
        (is_bounded
            && !randomness::is_written(saved_bits + found.saved_bits)
            && !randomness::is_placeholder(token))
        .then_some(TokenMatch { start_before, length, has_right_checksum: found.has_right_checksum })
    }
}

/// The minimum lengths of anchors with and without separators that are recognized next to other text.
const MIN_DISTINCTIVE: usize = 5;
const MIN_LETTERS: usize = 4;

/// The minimum length of a token that is recognized next to other text.
const MIN_UNDELIMITED: usize = 20;

/// Anchors that are words, so that names can have them.
const WORDS: [&[u8]; 6] = [b"secret_", b"live_", b"test_", b"live_pub_", b"test_pub_", b"figma_"];

/// Returns whether a token can start after `before`: there is no letter or digit, or it belongs to an
/// escape such as `\n`, `\x3d`, `\u003d` or `%3D`.
pub(super) fn can_precede_token(before: &[u8]) -> bool {
    let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    match before {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., b'%', a, b] if is_hex(&[*a, *b]) => true,
        [.., b'\\', b'x', a, b] if is_hex(&[*a, *b]) => true,
        [.., b'\\', b'u', a, b, c, d] if is_hex(&[*a, *b, *c, *d]) => true,
        [.., last] => !CharSet::WORD.contains(*last),
        [] => true,
    }
}

/// A match of the parts after the anchor.
struct PartsMatch {
    length: usize,
    saved_bits: f64,
    has_right_checksum: bool,
}

/// Matches `parts` at the start of `bytes`. Runs are as long as possible; without delimiters, the
/// last one is as short as possible.
fn match_parts(parts: &[Part], bytes: &[u8], is_last_short: bool) -> Option<PartsMatch> {
    let Some((part, rest)) = parts.split_first() else {
        return Some(PartsMatch { length: 0, saved_bits: 0.0, has_right_checksum: true });
    };
    match part {
        Part::Text(text) => {
            let found = match_parts(rest, bytes.strip_prefix(*text)?, is_last_short)?;
            Some(PartsMatch { length: text.len() + found.length, ..found })
        }
        Part::Run { set, min, max, has_checksum } => {
            let run = set.leading_run(bytes.get(..*max).unwrap_or(bytes));
            let longest = if rest.is_empty() && is_last_short { run.len().min(*min) } else { run.len() };
            // A dot or dash after the token ends a sentence.
            let at_end = |length: usize| rest.is_empty() && length > *min;
            let mut lengths = (*min..=longest).rev();
            let (length, found) = lengths.find_map(|length| {
                let last = run.get(..length)?.last();
                let is_end = at_end(length) && last.is_some_and(|last| b".-".contains(last));
                let found = match_parts(rest, bytes.get(length..)?, is_last_short);
                found.filter(|_| !is_end).map(|found| (length, found))
            })?;
            let run = run.get(..length)?;
            let has_right_checksum = !has_checksum || has_crc32_checksum(run);
            Some(PartsMatch {
                length: length + found.length,
                saved_bits: found.saved_bits + randomness::saved_bits_in(run, *set),
                has_right_checksum: has_right_checksum && found.has_right_checksum,
            })
        }
    }
}

fn parse_parts(form: &'static str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = form;
    while !rest.is_empty() {
        match rest.strip_prefix('<') {
            Some(run) => {
                let (run, after) = run.split_once('>')?;
                parts.push(parse_run(run)?);
                rest = after;
            }
            None => {
                let end = rest.find('<').unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                parts.push(Part::Text(text.as_bytes()));
                rest = after;
            }
        }
    }
    Some(parts)
}

/// Parses `ALPHABET LENGTH`, `ALPHABET MIN-MAX`, with `crc32` after it.
fn parse_run(run: &str) -> Option<Part> {
    let mut words = run.split(' ');
    let set = parse_set(words.next()?)?;
    let length = words.next()?;
    let (min, max) = length.split_once('-').unwrap_or((length, length));
    let has_checksum = words.next() == Some("crc32");
    Some(Part::Run { set, min: min.parse().ok()?, max: max.parse().ok()?, has_checksum })
}

fn parse_set(text: &str) -> Option<CharSet> {
    let (name, more) = text.split_once('+').unwrap_or((text, ""));
    let set = match name {
        "digit" => CharSet::DIGITS,
        "letter" => CharSet::LETTERS,
        "hex" => CharSet::LOWER_HEX,
        "xdigit" => CharSet::HEX,
        "lower" => CharSet::LOWER_OR_DIGIT,
        "upper" => CharSet::UPPER_OR_DIGIT,
        "alnum" => CharSet::ALPHANUMERIC,
        "word" => CharSet::WORD,
        "url" => CharSet::BASE64URL,
        "b32" => CharSet::BASE32,
        "b64" => CharSet::BASE64,
        _ => return None,
    };
    Some(set.with(more.as_bytes()))
}

/// The digits of base 62, in the order of GitHub and npm.
const BASE62_DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Returns whether the last six characters are the CRC-32 of those before, in base 62, as in tokens
/// of GitHub and npm.
fn has_crc32_checksum(text: &[u8]) -> bool {
    let Some((body, checksum)) = text.split_last_chunk::<6>() else { return false };
    let (mut rest, mut expected) = (crc32fast::hash(body), [b'0'; 6]);
    for digit in expected.iter_mut().rev() {
        *digit = BASE62_DIGITS.get(rest as usize % 62).copied().unwrap_or_default();
        rest /= 62;
    }
    *checksum == expected
}

#[cfg(test)]
impl TokenForm {
    /// Returns a token of the form with `size` characters per run if possible, from pseudorandom
    /// `numbers`.
    pub(super) fn sample(&self, is_long: bool, numbers: &mut dyn FnMut() -> usize) -> String {
        let mut text = Vec::new();
        let anchor = Part::Text(self.anchor);
        for part in self.before.iter().rev().chain([&anchor]).chain(&self.after) {
            match part {
                Part::Text(part) => text.extend_from_slice(part),
                Part::Run { set, min, max, .. } => {
                    // Padding is only at the end of base64, and punctuation ends a token.
                    let characters: Vec<u8> = (0..=0x7f)
                        .filter(|byte| set.contains(*byte) && byte.is_ascii_alphanumeric())
                        .collect();
                    let size = if is_long { *max } else { *min };
                    text.extend((0..size).map(|_| characters[numbers() % characters.len()]));
                }
            }
        }
        String::from_utf8(text).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(form: &'static str, text: &str) -> Option<TokenMatch> {
        let form = TokenForm::parse("a token", form).unwrap();
        let at = memchr::memmem::find(text.as_bytes(), form.anchor)?;
        form.match_at(&text.as_bytes()[..at], &text.as_bytes()[at..], true)
    }

    #[test]
    fn matches_parts_around_the_anchor() {
        let secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYzQ9vT2LsE4pH";
        assert!(found("key-<alnum 40>", &format!("key-{secret}")).is_some());
        assert!(found("key-<alnum 40>", &format!("key-{secret}x")).is_none());
        assert!(found("key-<alnum 41>", &format!("key-{secret}")).is_none());
        assert_eq!(
            found("<alnum 40>.x.<digit 2>", &format!("{secret}.x.12 ")),
            Some(TokenMatch { start_before: 40, length: 5, has_right_checksum: true })
        );
        assert!(found("<url 10-90>-e-<url 4>", &format!("{secret}-e-e-e-")).is_some());
        assert_eq!(found("key-<url 20-60>", &format!("key-{secret}. ")).unwrap().length, 44);
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
    fn matches_values_as_a_whole() {
        let form = TokenForm::parse("a key", "name=shop,store <hex 32>").unwrap();
        assert_eq!(form.names, ["shop", "store"]);
        assert!(form.matches_value(b"f47ac10b58cc4372a5670e02b2c3d479"));
        assert!(!form.matches_value(b"f47ac10b58cc4372a5670e02b2c3d479a"));
        assert!(!form.matches_value(b"00000000000000000000000000000000"));
    }

    #[test]
    fn rejects_what_is_not_a_form() {
        for form in ["<what 3>", "<hex>", "<hex x>", "<hex 3"] {
            assert!(TokenForm::parse("x", form).is_none(), "{form}");
        }
    }
}
