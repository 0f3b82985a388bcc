//! Sources of values, and the values merged from them, with the origin of each.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::key_path::KeyPath;

/// The source of one layer of values.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum ValueSource {
    /// A TOML, YAML or JSON file, by its extension.
    File(PathBuf),
    /// `--set KEY=VALUE`. The value is JSON if it parses as JSON, else a string.
    Set {
        /// The key.
        key: KeyPath,
        /// The text after `=`.
        text: String,
    },
    /// `--set-file KEY=FILE` or `--set-file-exact KEY=FILE`. The value is the file's text.
    SetFile {
        /// The key.
        key: KeyPath,
        /// The file.
        path: PathBuf,
        /// `true` if a final line feed is part of the value.
        is_exact: bool,
    },
}

/// The origin of a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ValueOrigin {
    /// A values file or a flag of the user.
    Source(ValueSource),
    /// The `default` of a property in the JSON schema with this path.
    Default(PathBuf),
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Set { key, .. } => write!(f, "--set {key}"),
            Self::SetFile { key, is_exact: false, .. } => write!(f, "--set-file {key}"),
            Self::SetFile { key, is_exact: true, .. } => write!(f, "--set-file-exact {key}"),
        }
    }
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(source) => source.fmt(f),
            Self::Default(schema) => write!(f, "the default in {}", schema.display()),
        }
    }
}

/// Merged values with their origins.
#[derive(Clone, Debug)]
pub struct Values {
    /// In merge order: later layers override earlier ones.
    layers: Vec<(ValueOrigin, Value)>,
    merged: Value,
}

impl Default for Values {
    fn default() -> Self {
        Self { layers: Vec::new(), merged: Value::Object(serde_json::Map::new()) }
    }
}

impl Values {
    /// Adds the values of `source`, which override the earlier ones.
    pub(super) fn add_layer(&mut self, source: ValueSource, layer: Value) {
        merge_tables(&mut self.merged, layer.clone());
        self.layers.push((ValueOrigin::Source(source), layer));
    }

    /// Replaces the merged values by `filled`: the same with the defaults of the schema at `path`.
    pub(super) fn set_defaults(&mut self, path: PathBuf, filled: Value) {
        // What no other layer has is a default.
        self.layers.insert(0, (ValueOrigin::Default(path), filled.clone()));
        self.merged = filled;
    }

    /// Returns the merged values, a table, as templates see them.
    pub fn merged(&self) -> &Value {
        &self.merged
    }

    /// Returns the keys given by `--set-file`.
    pub fn set_file_keys(&self) -> Vec<KeyPath> {
        let key = |(origin, _): &(ValueOrigin, Value)| match origin {
            ValueOrigin::Source(ValueSource::SetFile { key, .. }) => Some(key.clone()),
            ValueOrigin::Source(ValueSource::File(_) | ValueSource::Set { .. }) | ValueOrigin::Default(_) => {
                None
            }
        };
        self.layers.iter().filter_map(key).collect()
    }

    /// Returns every string and number at or below one of `keys`, as text with that key.
    pub fn scalars_at(&self, keys: &[KeyPath]) -> Vec<(KeyPath, Vec<u8>)> {
        let mut texts = Vec::new();
        for key in keys {
            let mut pending: Vec<&Value> = key.find(&self.merged).into_iter().collect();
            while let Some(value) = pending.pop() {
                match value {
                    Value::Null | Value::Bool(_) => {}
                    Value::Number(number) => texts.push((key.clone(), number.to_string().into_bytes())),
                    Value::String(text) => texts.push((key.clone(), text.clone().into_bytes())),
                    Value::Array(items) => pending.extend(items),
                    Value::Object(table) => pending.extend(table.values()),
                }
            }
        }
        texts
    }

    /// Returns the origin of the value at `path`, or of the nearest table above it.
    pub(super) fn origin_of(&self, path: &KeyPath) -> Option<&ValueOrigin> {
        let topmost = self.layers.iter().rev().find(|(_, layer)| path.find(layer).is_some());
        topmost.map(|(origin, _)| origin).or_else(|| self.origin_of(&path.parent()?))
    }
}

/// Merges `over` into `under`: tables are merged, any other value of `over` replaces the one in
/// `under`.
fn merge_tables(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge_tables(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}
