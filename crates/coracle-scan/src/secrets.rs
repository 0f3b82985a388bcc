//! Secret values that were given to a build, and where they would be seen.

use aho_corasick::AhoCorasick;

use super::Secret;
use super::chance;
use coracle_core::note::Note;

/// Shorter values are numbers and words that any file may hold.
const SHORTEST: usize = 6;
/// A word of letters alone is longer than this, or it is one that programs hold: `password`, `postgres`.
const WORD: usize = 16;
/// Bytes of a value that are searched for; a longer one starts with as many, and is found by them.
pub(super) const LONGEST: usize = 1024;

/// Digits of base 64 that tell a value, which is what one of [`SHORTEST`] bytes leaves of itself anywhere.
const DIGITS: usize = 7;

/// The values that are searched for.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    values: Vec<Secret>,
    /// All of them, and each in base 64, as manifests have them: there by what all its neighbours leave as it is.
    needles: Option<AhoCorasick>,
    /// Whose needle each is.
    owners: Vec<usize>,
    /// Words, which are compared as a whole.
    words: Vec<usize>,
    too_short: Vec<String>,
}

impl Secrets {
    pub(super) fn new(secrets: &[Secret]) -> Self {
        let mut found = Self::default();
        let mut needles: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            let value = secret.value.trim_ascii();
            let index = found.values.len();
            if value.len() < SHORTEST {
                found.too_short.push(secret.name.clone());
                continue;
            }
            found.values.push(Secret { name: secret.name.clone(), value: value.to_vec() });
            if value.len() < WORD && value.iter().all(u8::is_ascii_alphabetic) {
                found.words.push(index);
            } else {
                let start = value.get(..LONGEST).unwrap_or(value);
                let encoded = [0, 1, 2].map(|before| encoded(start, before));
                let new = encoded.into_iter().filter(|digits| digits.len() >= DIGITS).chain([start.to_vec()]);
                needles.extend(new);
                found.owners.resize(needles.len(), index);
            }
        }
        if !needles.is_empty() {
            // It fails only for more needles than memory holds.
            found.needles = AhoCorasick::new(&needles).ok();
        }
        found
    }

    /// Every place of `bytes` from `from` until `to` where a value starts, with its name.
    pub(super) fn search(&self, bytes: &[u8], from: usize, to: usize, visit: &mut dyn FnMut(usize, &str)) {
        let Some(needles) = &self.needles else { return };
        let mut at = from;
        while let Some(found) = bytes.get(at..).and_then(|rest| needles.find(rest)) {
            let start = at + found.start();
            if start >= to {
                return;
            }
            visit(start, self.name(found.pattern().as_usize()));
            at = start + 1;
        }
    }

    fn name(&self, needle: usize) -> &str {
        let secret = self.owners.get(needle).and_then(|&owner| self.values.get(owner));
        secret.map_or("", |secret| &secret.name)
    }

    /// The name of the value in `text`, which is a variable's, a label's or an argument's.
    pub(super) fn in_word(&self, text: &str) -> Option<&str> {
        let mut found = None;
        self.search(text.as_bytes(), 0, text.len(), &mut |_, name| found = Some(name.to_owned()));
        let named = |name: String| self.values.iter().find(|secret| secret.name == name);
        let is_word = |&&index: &&usize| {
            self.values.get(index).is_some_and(|secret| secret.value == text.trim().as_bytes())
        };
        let word = || self.words.iter().find(is_word).and_then(|&index| self.values.get(index));
        found.and_then(named).or_else(word).map(|secret| secret.name.as_str())
    }

    /// What was not searched for.
    pub(super) fn notes(&self) -> Vec<Note> {
        let words =
            self.words.iter().filter_map(|&index| self.values.get(index)).map(|secret| secret.name.clone());
        let list =
            |names: Vec<String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let mut notes = Vec::new();
        if !self.too_short.is_empty() {
            notes.push(Note::Hint(format!(
                "the image is not searched for {}: a value of less than {SHORTEST} bytes is in any program",
                list(self.too_short.clone())
            )));
        }
        let words: Vec<String> = words.collect();
        if !words.is_empty() {
            notes.push(Note::Hint(format!(
                "files are not searched for {}: a word of letters alone may be in any program; longer values with \
                 digits are searched for",
                list(words)
            )));
        }
        notes
    }
}

/// The digits of base 64 that are `value`'s alone when `before` bytes of its first three are somebody else's: a login
/// such as `USER:PASSWORD` is encoded as a whole.
fn encoded(value: &[u8], before: usize) -> Vec<u8> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(value);
    // A digit has six bits.
    let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
    bytes.resize(bytes.len().next_multiple_of(3), 0);
    chance::base64_encoded(&bytes).get(own).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[(&str, &str)]) -> Secrets {
        let secret = |(name, value): &(&str, &str)| Secret { name: (*name).into(), value: (*value).into() };
        Secrets::new(&values.iter().map(secret).collect::<Vec<_>>())
    }

    fn found(secrets: &Secrets, text: &str) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        secrets.search(text.as_bytes(), 0, text.len(), &mut |at, name| found.push((at, name.to_owned())));
        found
    }

    #[test]
    fn values_as_they_are_and_in_base_64() {
        let secrets = secrets(&[("db.password", "open sesame\n"), ("pin", "8080"), ("role", "postgres")]);
        assert_eq!(found(&secrets, "x open sesame"), [(2, "db.password".to_owned())]);
        assert_eq!(found(&secrets, "b3BlbiBzZXNhbWU="), [(0, "db.password".to_owned())]);
        assert_eq!(found(&secrets, "8080 postgres"), []);
        assert_eq!(secrets.in_word("8080"), None);
        assert_eq!(secrets.in_word("postgres"), Some("role"));
        assert_eq!(secrets.in_word("postgresql"), None);
        assert_eq!(secrets.notes().len(), 2);
    }

    #[test]
    fn values_in_the_midst_of_base_64() {
        let whole = |text: &str| {
            let padded = text.len().next_multiple_of(3);
            String::from_utf8(chance::base64_encoded(format!("{text:\0<padded$}").as_bytes())).unwrap()
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
    fn no_value_is_told_by_a_few_digits() {
        for before in 0..3 {
            assert!(encoded(&[b'x'; SHORTEST], before).len() >= DIGITS);
        }
        assert_eq!(encoded(b"", 1), b"");
    }

    #[test]
    fn long_values_are_found_by_their_start() {
        let value: String = (0..2000).map(|number| format!("{number},")).collect();
        assert_eq!(found(&secrets(&[("key", &value)]), &format!(" {value}")).len(), 1);
    }
}
