//! Finds tokens by the table of their forms.

use std::sync::LazyLock;

use super::bytes_around_offset::{BytesAroundOffset, first_bytes, last_bytes};
use super::char_sets::CharSet;
use super::finding::{RuleMatch, Severity};
use super::token_form::{TokenForm, TokenMatch, can_precede_token};

/// The table. A test checks that every line is a form.
const TABLE: &str = include_str!("data/token_forms.txt");

/// All forms.
#[derive(Debug)]
struct TokenForms {
    /// Those with an anchor, sorted by its first two bytes.
    anchored: Vec<TokenForm>,
    /// The first two bytes of each of them.
    pairs: Vec<u16>,
    named: Vec<TokenForm>,
    /// The starts of anchors.
    starts: StartSet,
    /// Those of anchors that other parts of a token can precede.
    inner_starts: StartSet,
}

/// A set of the first three bytes of anchors, which rules out nearly every offset with one test. Other bytes can
/// have the same hash.
#[derive(Debug)]
struct StartSet(Vec<u64>);

impl StartSet {
    fn new<'a>(anchors: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut set = Self(vec![0; 1 << 16 >> 6]);
        for anchor in anchors {
            match anchor {
                [first, second, third, ..] => set.insert([*first, *second, *third]),
                [first, second] => (0..=u8::MAX).for_each(|third| set.insert([*first, *second, third])),
                _ => {}
            }
        }
        set
    }

    fn insert(&mut self, start: [u8; 3]) {
        let hash = Self::hash(start);
        if let Some(bits) = self.0.get_mut(hash >> 6) {
            *bits |= 1_u64 << (hash & 63);
        }
    }

    fn contains(&self, start: [u8; 3]) -> bool {
        let hash = Self::hash(start);
        self.0.get(hash >> 6).is_some_and(|bits| bits >> (hash & 63) & 1 == 1)
    }

    /// Letters differ in their low bits.
    fn hash([first, second, third]: [u8; 3]) -> usize {
        usize::from(u16::from(first) ^ u16::from(second) << 5 ^ u16::from(third) << 9)
    }
}

static TOKEN_FORMS: LazyLock<TokenForms> = LazyLock::new(|| {
    let (named, anchored): (Vec<_>, Vec<_>) = table_lines()
        .filter_map(|[_, what, form]| TokenForm::parse(what, form))
        .partition(|form| !form.names.is_empty());
    let mut anchored: Vec<TokenForm> = anchored.into_iter().filter(|form| form.anchor.len() >= 2).collect();
    anchored.sort_by_key(|form| first_two_bytes(form.anchor));
    let pairs = anchored.iter().filter_map(|form| first_two_bytes(form.anchor)).collect();
    let starts = StartSet::new(anchored.iter().map(|form| form.anchor).chain(OTHER_STARTS));
    let inner = anchored.iter().filter(|form| !form.starts_with_anchor());
    let inner_starts = StartSet::new(inner.map(|form| form.anchor));
    TokenForms { anchored, pairs, named, starts, inner_starts }
});

/// The starts of what has rules of its own: JSON Web Tokens, signatures of Azure.
const OTHER_STARTS: [&[u8]; 3] = [b"eyJ", b"ewo", b"sig"];

/// Returns the columns of the table: upstream, description, form.
fn table_lines() -> impl Iterator<Item = [&'static str; 3]> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut columns = line.splitn(3, " | ");
        Some([columns.next()?, columns.next()?, columns.next()?])
    })
}

fn first_two_bytes(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

/// Returns the offsets of `bytes` from `first` until `end` at which the anchor of a form, or another token, can be. In
/// text, what is before a token separates it.
pub(super) fn candidates(
    bytes: &[u8],
    first: usize,
    end: usize,
    is_text: bool,
) -> impl Iterator<Item = usize> + '_ {
    let forms = &*TOKEN_FORMS;
    let part = bytes.get(first..(end + 2).min(bytes.len())).unwrap_or_default();
    let starts = part.array_windows::<3>().enumerate().filter(|(_, start)| forms.starts.contains(**start));
    starts.map(move |(at, start)| (first + at, *start)).filter_map(move |(at, start)| {
        let is_separated = || bytes.get(..at).is_some_and(can_precede_token);
        (!is_text || is_separated() || forms.inner_starts.contains(start)).then_some(at)
    })
}

/// Finds a token whose anchor is at the offset. In programs and databases, other text can be next
/// to a token without a separator.
pub(super) fn find_token(window: &BytesAroundOffset<'_>, is_program: bool) -> Option<RuleMatch> {
    let pair = first_two_bytes(window.rest)?;
    let TokenForms { pairs, anchored, .. } = &*TOKEN_FORMS;
    let start = pairs.partition_point(|other| *other < pair);
    let count = pairs.get(start..)?.iter().take_while(|other| **other == pair).count();
    let candidates =
        anchored.get(start..start + count)?.iter().filter(|form| window.rest.starts_with(form.anchor));
    let mut is_binary = None;
    let mut found: Option<RuleMatch> = None;
    for form in candidates {
        let mut matched = form.match_at(window.before, window.rest, true);
        if matched.is_none() && form.is_distinctive() {
            let is_binary = is_program || *is_binary.get_or_insert_with(|| is_in_binary(window));
            let close = || form.match_at(window.before, window.rest, false);
            matched = is_binary.then(close).flatten().filter(|matched| {
                matched.has_right_checksum && (form.has_separator() || is_nearly_alone(window, matched))
            });
        }
        let Some(matched) = matched else { continue };
        let token = RuleMatch::new_error("token", form.description).starting_before(matched.start_before);
        if matched.has_right_checksum {
            return Some(token);
        }
        // Such a token is probably an example, and its issuer would reject it.
        let description = format!("{} with a wrong checksum", form.description).into();
        found = Some(RuleMatch { description, severity: Severity::Warning, ..token });
    }
    found
}

/// Returns whether few letters and digits are next to a token, so that it is no part of long encoded
/// data.
fn is_nearly_alone(window: &BytesAroundOffset<'_>, token: &TokenMatch) -> bool {
    let before = window.before.get(..window.before.len() - token.start_before).unwrap_or_default();
    let after = window.rest.get(token.length..).unwrap_or_default();
    let letters = CharSet::BASE64_ANY;
    letters.trailing_run(last_bytes(before, 8)) <= MAX_NEIGHBOURS
        && letters.leading_run(first_bytes(after, 8)).len() <= MAX_NEIGHBOURS
}

/// The maximum number of letters and digits on each side: a length, and the start of other data.
const MAX_NEIGHBOURS: usize = 2;

/// Finds the form of a `value` whose name contains a word of the form. `name` is in lower case.
pub(super) fn find_named_token(name: &[u8], value: &[u8]) -> Option<&'static str> {
    let forms = TOKEN_FORMS.named.iter();
    let mut forms = forms.filter(|form| form.names.iter().any(|word| has_word(name, word)));
    forms.find(|form| form.matches_value(value)).map(|form| form.description)
}

/// Returns all words that names of tokens contain.
pub(super) fn name_words() -> impl Iterator<Item = &'static str> {
    TOKEN_FORMS.named.iter().flat_map(|form| form.names.iter().copied())
}

/// Returns whether `name` contains `word`; a short word only as a whole.
fn has_word(name: &[u8], word: &str) -> bool {
    memchr::memmem::find_iter(name, word.as_bytes()).any(|at| {
        let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
        let before = at.checked_sub(1).and_then(|before| name.get(before));
        word.len() >= 7 || !is_letter(before) && !is_letter(name.get(at + word.len()))
    })
}

/// Returns whether the offset is in binary data, such as a database or compiled code: control
/// characters are close to it.
fn is_in_binary(window: &BytesAroundOffset<'_>) -> bool {
    let is_control = |byte: &u8| *byte < 0x20 && !b"\t\n\r\x0c\x1b".contains(byte);
    let rest = window.rest.get(..NEIGHBOURHOOD).unwrap_or(window.rest);
    last_bytes(window.before, NEIGHBOURHOOD).iter().any(is_control) || rest.iter().any(is_control)
}

/// The number of bytes on each side that [`is_in_binary`] tests.
const NEIGHBOURHOOD: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential_runs::{MIN_RUN, is_credential_byte};

    fn find(text: &str) -> Option<RuleMatch> {
        (0..text.len()).find_map(|at| find_token(&BytesAroundOffset::new(text.as_bytes(), at), false))
    }

    /// Returns pseudorandom numbers, always the same.
    fn numbers() -> impl FnMut() -> usize {
        let mut state = 88_172_645_463_325_252_u64;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 20) as usize
        }
    }

    #[test]
    fn every_line_of_the_table_is_a_form() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let form = line.splitn(3, " | ").collect::<Vec<_>>();
            assert!(form.len() == 3 && TokenForm::parse(form[1], form[2]).is_some(), "{line}");
        }
        assert!(TOKEN_FORMS.anchored.len() > 300 && TOKEN_FORMS.named.len() > 80);
    }

    #[test]
    fn finds_nothing_in_the_table() {
        for at in 0..TABLE.len() {
            let window = BytesAroundOffset::new(TABLE.as_bytes(), at);
            assert_eq!(find_token(&window, true), None, "{}", &TABLE[at..at + 40]);
        }
    }

    #[test]
    fn finds_every_form() {
        let mut numbers = numbers();
        for form in &TOKEN_FORMS.anchored {
            for is_long in [false, true] {
                let token = form.sample(is_long, &mut numbers);
                for text in [token.clone(), format!("x = \"{token}\";"), format!("a\\n{token}\\n")] {
                    assert!(find(&text).is_some(), "{}: {text}", form.description);
                }
            }
        }
        for form in &TOKEN_FORMS.named {
            let value = form.sample(false, &mut numbers);
            let found = find_named_token(form.names[0].as_bytes(), value.as_bytes());
            assert!(found.is_some(), "{}: {value}", form.description);
            assert_eq!(find_named_token(b"other", value.as_bytes()), None);
        }
    }

    #[test]
    fn every_form_is_searched() {
        let forms = table_lines().filter_map(|[_, what, form]| TokenForm::parse(what, form));
        let is_lost = |form: &TokenForm| form.names.is_empty() && form.anchor.len() < 2;
        assert_eq!(forms.filter(is_lost).map(|form| form.description).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn every_anchor_is_in_a_run_of_the_minimum_length() {
        for form in &TOKEN_FORMS.anchored {
            let token = form.sample(false, &mut numbers());
            let runs = token.split(|character| !is_credential_byte(character as u8));
            assert!(runs.map(str::len).max() >= Some(MIN_RUN), "{}: {token}", form.description);
        }
    }

    #[test]
    fn wrong_checksum_is_a_warning() {
        let token = ["gh", "p_zQWBuTSOoRi4A9sp", "HcVY5ncnsDkxkJ0mLq17"].concat();
        assert_eq!(find(&token).unwrap().severity, Severity::Error);
        let wrong = token.replace('Q', "R");
        assert_eq!(find(&wrong).unwrap().severity, Severity::Warning);
        assert_eq!(find(&token[..39]), None);
        assert_eq!(find(&format!("{token}x")), None);
    }

    #[test]
    fn finds_tokens_between_other_text_of_programs() {
        let token = ["gh", "p_zQWBuTSOoRi4A9sp", "HcVY5ncnsDkxkJ0mLq17"].concat();
        for (before, after, expected) in [("\0a(", "x\0", true), ("a", "x", false), ("a", "x\u{1}", true)] {
            assert_eq!(find(&format!("{before}{token}{after}")).is_some(), expected, "{before:?}");
        }
        let prefixes = ["gl", "pat-gldt-glrt-glcbt-glptt-glft-glsoat-glagent-", "gloas-glimt-"].concat();
        for text in [prefixes, ["rk_", "live_variablepriorityKeyShareClientHello"].concat()] {
            let is_found = (0..text.len())
                .any(|at| find_token(&BytesAroundOffset::new(text.as_bytes(), at), true).is_some());
            assert!(!is_found, "{text}");
        }
    }
}
