//! Key paths in template syntax, such as `db.hosts.0`, and suggestions for misspelled keys.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// The largest edit distance of a suggested key.
const MAX_SUGGESTION_DISTANCE: usize = 2;

/// The most keys of a path: parsers of values have a similar limit on nesting.
const MAX_KEYS: usize = 100;

/// The path of a value: keys from the top level down, with array indexes as numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Hash)]
pub struct KeyPath(Vec<String>);

/// An invalid key path.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a valid key: write it as `a.b.c`")]
pub struct ParseKeyError(String);

impl KeyPath {
    /// Parses a JSON pointer (RFC 6901).
    pub(super) fn from_pointer(pointer: &str) -> Self {
        let names = pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
        Self(names.collect())
    }

    pub(crate) fn new(keys: &[String]) -> Self {
        Self(keys.to_vec())
    }

    /// Returns whether this is the path of the top level.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `other` with this path in front.
    pub(super) fn concat(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// Returns whether one of the keys is `name`.
    pub(super) fn contains_key(&self, name: &str) -> bool {
        self.0.iter().any(|key| key == name)
    }

    /// Returns this path with `name` at its end.
    pub(super) fn join(&self, name: &str) -> Self {
        Self(self.0.iter().cloned().chain([name.to_owned()]).collect())
    }

    /// Returns the path without its last key; `None` for the top level.
    pub(super) fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_last()?;
        Some(Self(parent.to_vec()))
    }

    /// Returns the value at this path in `value`.
    pub fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, name| match value {
            Value::Object(table) => table.get(name),
            Value::Array(array) => array.get(name.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Returns a table that contains only `value`, at this path.
    pub(super) fn to_table(&self, value: Value) -> Value {
        self.0
            .iter()
            .rev()
            .fold(value, |value, name| Value::Object([(name.clone(), value)].into_iter().collect()))
    }

    /// Returns whether this path is a prefix of `other`, or equal.
    pub fn is_prefix_of(&self, other: &Self) -> bool {
        self.overlaps(other) && self.0.len() <= other.0.len()
    }

    /// Returns whether one of the two paths is a prefix of the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a == b)
    }
}

impl FromStr for KeyPath {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        let is_name =
            |name: &String| !name.is_empty() && !name.contains(|c: char| c.is_control() || c.is_whitespace());
        if names.len() <= MAX_KEYS && names.iter().all(is_name) {
            Ok(Self(names))
        } else {
            Err(ParseKeyError(text.to_owned()))
        }
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&coracle_core::path::escape_bytes(self.0.join(".").as_bytes()))
    }
}

/// Returns the key that is most similar to `name`, if it is similar enough for a typo.
pub(crate) fn similar_key<'k>(name: &str, keys: impl Iterator<Item = &'k String>) -> Option<&'k String> {
    let nearest = keys.min_by_key(|key| strsim::damerau_levenshtein(key, name))?;
    (strsim::damerau_levenshtein(nearest, name) <= MAX_SUGGESTION_DISTANCE).then_some(nearest)
}
