//! Searches for the secret values that were passed to a build.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use coracle_core::note::Note;

use super::forbidden_contents::SecretValue;

/// The minimum length of a value that is searched for. Shorter ones occur in any file.
const MIN_LENGTH: usize = 6;
/// The minimum length of a value of letters only that is searched for in files. Shorter ones occur
/// in programs: `password`, `postgres`.
const MIN_LETTERS_LENGTH: usize = 16;
/// The maximum number of bytes of a value that are searched for. A longer value is found by its
/// first bytes.
const MAX_SEARCHED: usize = 1024;

/// The minimum number of base64 digits that are searched for: those that a value of [`MIN_LENGTH`]
/// bytes determines at any alignment.
const MIN_BASE64_DIGITS: usize = 7;

/// The values that are searched for.
#[derive(Debug, Default)]
pub(super) struct SecretSearch {
    values: Vec<SecretValue>,
    /// Finds all values, plain and in base64. In base64 only the digits that do not depend on
    /// neighbouring bytes are searched for.
    searcher: Option<AhoCorasick>,
    /// For each pattern of the searcher, the index of its value.
    pattern_values: Vec<usize>,
    /// Indexes of values that are only compared as a whole with values of the config.
    whole_value_only: Vec<usize>,
    /// Names of values that are not searched for, because they are short.
    too_short: Vec<String>,
    /// `true` if there are so many values that no searcher can be built.
    is_too_large: bool,
}

impl SecretSearch {
    pub(super) fn new(secrets: &[SecretValue]) -> Self {
        let mut search = Self::default();
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            let value = secret.value.trim_ascii();
            let index = search.values.len();
            if value.len() < MIN_LENGTH {
                search.too_short.push(secret.name.clone());
                continue;
            }
            search.values.push(SecretValue { name: secret.name.clone(), value: value.to_vec() });
            if value.len() < MIN_LETTERS_LENGTH && value.iter().all(u8::is_ascii_alphabetic) {
                search.whole_value_only.push(index);
            } else {
                let start = value.get(..MAX_SEARCHED).unwrap_or(value);
                let encoded = [0, 1, 2].map(|bytes_before| base64_pattern(start, bytes_before));
                patterns.extend(encoded.into_iter().filter(|digits| digits.len() >= MIN_BASE64_DIGITS));
                patterns.push(start.to_vec());
                search.pattern_values.resize(patterns.len(), index);
            }
        }
        if !patterns.is_empty() {
            search.searcher = AhoCorasick::new(&patterns).ok();
            search.is_too_large = search.searcher.is_none();
        }
        search
    }

    /// Calls `visit` with the offset and name of every value that starts in `bytes` from `from`
    /// until `to`.
    pub(super) fn visit_matches(
        &self,
        bytes: &[u8],
        from: usize,
        to: usize,
        visit: &mut dyn FnMut(usize, &str),
    ) {
        let Some(searcher) = &self.searcher else { return };
        let mut at = from;
        while let Some(found) = bytes.get(at..).and_then(|rest| searcher.find(rest)) {
            let start = at + found.start();
            if start >= to {
                return;
            }
            visit(start, self.pattern_name(found.pattern().as_usize()));
            at = start + 1;
        }
    }

    /// Returns the name of the value that a pattern of the searcher belongs to.
    fn pattern_name(&self, pattern: usize) -> &str {
        let secret = self.pattern_values.get(pattern).and_then(|&index| self.values.get(index));
        secret.map_or("", |secret| &secret.name)
    }

    /// Returns the name of a secret value in `text`, the value of a variable, label or argument.
    pub(super) fn find_in_config_value(&self, text: &str) -> Option<&str> {
        let mut found = None;
        self.visit_matches(text.as_bytes(), 0, text.len(), &mut |_, name| found = Some(name.to_owned()));
        let by_name = |name: String| self.values.iter().find(|secret| secret.name == name);
        let is_whole_text = |secret: &&SecretValue| secret.value == text.trim().as_bytes();
        let equal_value = || self.whole_values().find(is_whole_text);
        found.and_then(by_name).or_else(equal_value).map(|secret| secret.name.as_str())
    }

    /// Returns the values that are only compared as a whole.
    fn whole_values(&self) -> impl Iterator<Item = &SecretValue> {
        self.whole_value_only.iter().filter_map(|&index| self.values.get(index))
    }

    /// Returns notes about the values that are not searched for.
    pub(super) fn unsearched_notes(&self) -> Vec<Note> {
        let list =
            |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let mut notes = Vec::new();
        if self.is_too_large {
            notes.push(Note::Warning(
                "the image is not searched for secret values: there are too many".into(),
            ));
        }
        if !self.too_short.is_empty() {
            notes.push(Note::Hint(format!(
                "the image is not searched for {}: values shorter than {MIN_LENGTH} bytes occur in any program",
                list(&self.too_short)
            )));
        }
        let words: Vec<String> = self.whole_values().map(|secret| secret.name.clone()).collect();
        if !words.is_empty() {
            notes.push(Note::Hint(format!(
                "files are not searched for {}: a short value of letters only may occur in any program; longer \
                 values and those with digits are searched for",
                list(&words)
            )));
        }
        notes
    }
}

/// Returns the base64 digits that depend only on `value` if `bytes_before` other bytes are in its
/// first group of three. A login such as `USER:PASSWORD` is encoded as a whole.
fn base64_pattern(value: &[u8], bytes_before: usize) -> Vec<u8> {
    let mut bytes = vec![0; bytes_before];
    bytes.extend_from_slice(value);
    // A digit has six bits.
    let own_digits = (bytes_before * 8).div_ceil(6)..bytes.len() * 8 / 6;
    BASE64_STANDARD.encode(&bytes).as_bytes().get(own_digits).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[(&str, &str)]) -> SecretSearch {
        let secret =
            |(name, value): &(&str, &str)| SecretValue { name: (*name).into(), value: (*value).into() };
        SecretSearch::new(&values.iter().map(secret).collect::<Vec<_>>())
    }

    fn found(secrets: &SecretSearch, text: &str) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        secrets
            .visit_matches(text.as_bytes(), 0, text.len(), &mut |at, name| found.push((at, name.to_owned())));
        found
    }

    #[test]
    fn finds_plain_and_base64_values() {
        let secrets = secrets(&[("db.password", "open sesame\n"), ("pin", "8080"), ("role", "postgres")]);
        assert_eq!(found(&secrets, "x open sesame"), [(2, "db.password".to_owned())]);
        assert_eq!(found(&secrets, "b3BlbiBzZXNhbWU="), [(0, "db.password".to_owned())]);
        assert_eq!(found(&secrets, "8080 postgres"), []);
        assert_eq!(secrets.find_in_config_value("8080"), None);
        assert_eq!(secrets.find_in_config_value("postgres"), Some("role"));
        assert_eq!(secrets.find_in_config_value("postgresql"), None);
        assert_eq!(secrets.unsearched_notes().len(), 2);
    }

    #[test]
    fn finds_values_inside_base64_text() {
        for value in ["pa55wd", "tr0ub4d", "tr0ub4do", "open sesame", "\u{ff}\u{fe}+/?>~0"] {
            let secrets = secrets(&[("password", value)]);
            for before in ["", "a", "ab", "ada:", "shop:"] {
                for after in ["", "\n", "@db", " and more"] {
                    let text = BASE64_STANDARD.encode(format!("{before}{value}{after}"));
                    let at = (before.len() * 8).div_ceil(6);
                    assert_eq!(
                        found(&secrets, &text),
                        [(at, "password".to_owned())],
                        "{before}{value}{after}"
                    );
                }
            }
            let other = value.replace(['5', '0', 'p'], "x").replace('~', "-");
            assert_eq!(found(&secrets, &BASE64_STANDARD.encode(format!("ada:{other}"))), [], "{other}");
        }
    }

    #[test]
    fn base64_patterns_have_enough_digits() {
        for bytes_before in 0..3 {
            assert!(base64_pattern(&[b'x'; MIN_LENGTH], bytes_before).len() >= MIN_BASE64_DIGITS);
        }
        assert_eq!(base64_pattern(b"", 1), b"");
    }

    #[test]
    fn finds_long_values_by_their_first_bytes() {
        let value: String = (0..2000).map(|number| format!("{number},")).collect();
        assert_eq!(found(&secrets(&[("key", &value)]), &format!(" {value}")).len(), 1);
    }
}
