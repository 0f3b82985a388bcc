//! Searches for the secret values that were passed to a build.

use aho_corasick::AhoCorasick;

use super::SecretValue;
use super::entropy;
use coracle_core::note::Note;

/// The minimum length of a value that is searched for. Shorter ones occur in any file.
const MIN_LENGTH: usize = 6;
/// The minimum length of a value of letters only that is searched for in files. Shorter ones occur
/// in programs: `password`, `postgres`.
const MIN_LETTERS_LENGTH: usize = 16;
/// The maximum number of bytes of a value that are searched for. A longer value is found by its
/// first bytes.
pub(super) const MAX_SEARCHED: usize = 1024;

/// The minimum number of base64 digits that are searched for: those that a value of [`SHORTEST`]
/// bytes determines at any alignment.
const MIN_BASE64_DIGITS: usize = 7;

/// The values that are searched for.
#[derive(Debug, Default)]
pub(super) struct SecretSearch {
    values: Vec<SecretValue>,
    /// Finds all values, plain and in base64. In base64 only the digits that do not depend on
    /// neighbouring bytes are searched for.
    searcher: Option<AhoCorasick>,
    /// For each needle, the index of its value.
    needle_owners: Vec<usize>,
    /// Indexes of values that are only compared as a whole with values of the config.
    whole_value_only: Vec<usize>,
    too_short: Vec<String>,
}

impl SecretSearch {
    pub(super) fn new(secrets: &[SecretValue]) -> Self {
        let mut found = Self::default();
        let mut needles: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            let value = secret.value.trim_ascii();
            let index = found.values.len();
            if value.len() < MIN_LENGTH {
                found.too_short.push(secret.name.clone());
                continue;
            }
            found.values.push(SecretValue { name: secret.name.clone(), value: value.to_vec() });
            if value.len() < MIN_LETTERS_LENGTH && value.iter().all(u8::is_ascii_alphabetic) {
                found.whole_value_only.push(index);
            } else {
                let start = value.get(..MAX_SEARCHED).unwrap_or(value);
                let encoded = [0, 1, 2].map(|before| base64_needle(start, before));
                let new = encoded
                    .into_iter()
                    .filter(|digits| digits.len() >= MIN_BASE64_DIGITS)
                    .chain([start.to_vec()]);
                needles.extend(new);
                found.needle_owners.resize(needles.len(), index);
            }
        }
        if !needles.is_empty() {
            // This fails only if the needles do not fit into memory.
            found.searcher = AhoCorasick::new(&needles).ok();
        }
        found
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
        let Some(needles) = &self.searcher else { return };
        let mut at = from;
        while let Some(found) = bytes.get(at..).and_then(|rest| needles.find(rest)) {
            let start = at + found.start();
            if start >= to {
                return;
            }
            visit(start, self.needle_name(found.pattern().as_usize()));
            at = start + 1;
        }
    }

    fn needle_name(&self, needle: usize) -> &str {
        let secret = self.needle_owners.get(needle).and_then(|&owner| self.values.get(owner));
        secret.map_or("", |secret| &secret.name)
    }

    /// Returns the name of a secret value in `text`, the value of a variable, label or argument.
    pub(super) fn find_in_config_value(&self, text: &str) -> Option<&str> {
        let mut found = None;
        self.visit_matches(text.as_bytes(), 0, text.len(), &mut |_, name| found = Some(name.to_owned()));
        let named = |name: String| self.values.iter().find(|secret| secret.name == name);
        let is_word = |&&index: &&usize| {
            self.values.get(index).is_some_and(|secret| secret.value == text.trim().as_bytes())
        };
        let word = || self.whole_value_only.iter().find(is_word).and_then(|&index| self.values.get(index));
        found.and_then(named).or_else(word).map(|secret| secret.name.as_str())
    }

    /// Returns notes about the values that are not searched for.
    pub(super) fn unsearched_notes(&self) -> Vec<Note> {
        let words = self
            .whole_value_only
            .iter()
            .filter_map(|&index| self.values.get(index))
            .map(|secret| secret.name.clone());
        let list =
            |names: Vec<String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let mut notes = Vec::new();
        if !self.too_short.is_empty() {
            notes.push(Note::Hint(format!(
                "the image is not searched for {}: values shorter than {MIN_LENGTH} bytes occur in any program",
                list(self.too_short.clone())
            )));
        }
        let words: Vec<String> = words.collect();
        if !words.is_empty() {
            notes.push(Note::Hint(format!(
                "files are not searched for {}: a short value of letters only may occur in any program; longer \
                 values and those with digits are searched for",
                list(words)
            )));
        }
        notes
    }
}

/// Returns the base64 digits that depend only on `value` if `before` other bytes share its first
/// group of three. A login such as `USER:PASSWORD` is encoded as a whole.
fn base64_needle(value: &[u8], before: usize) -> Vec<u8> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(value);
    // A digit has six bits.
    let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
    bytes.resize(bytes.len().next_multiple_of(3), 0);
    entropy::encode_base64_groups(&bytes).get(own).unwrap_or_default().to_vec()
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
        let whole = |text: &str| {
            let padded = text.len().next_multiple_of(3);
            String::from_utf8(entropy::encode_base64_groups(format!("{text:\0<padded$}").as_bytes())).unwrap()
        };
        for value in ["pa55wd", "tr0ub4d", "tr0ub4do", "open sesame", "\u{ff}\u{fe}+/?>~0"] {
            let secrets = secrets(&[("password", value)]);
            for before in ["", "a", "ab", "ada:", "shop:"] {
                for after in ["", "\n", "@db", " and more"] {
                    let text = whole(&format!("{before}{value}{after}"));
                    let at = (before.len() * 8).div_ceil(6);
                    assert_eq!(
                        found(&secrets, &text),
                        [(at, "password".to_owned())],
                        "{before}{value}{after}"
                    );
                }
            }
            let other = value.replace(['5', '0', 'p'], "x").replace('~', "-");
            assert_eq!(found(&secrets, &whole(&format!("ada:{other}"))), [], "{other}");
        }
    }

    #[test]
    fn needles_have_enough_digits() {
        for before in 0..3 {
            assert!(base64_needle(&[b'x'; MIN_LENGTH], before).len() >= MIN_BASE64_DIGITS);
        }
        assert_eq!(base64_needle(b"", 1), b"");
    }

    #[test]
    fn finds_long_values_by_their_first_bytes() {
        let value: String = (0..2000).map(|number| format!("{number},")).collect();
        assert_eq!(found(&secrets(&[("key", &value)]), &format!(" {value}")).len(), 1);
    }
}
