//! The known keys of each table of a recipe, for problems with unknown ones. They are taken from the
//! serde implementations of the tables.

use std::ops::Range;

use super::schema::{self, RecipeFile};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use toml::de::{DeTable, DeValue};

/// One step of the path to a value.
pub(super) enum KeyPathStep {
    Key(String),
    Index(usize),
}

/// Returns the steps of a path of `serde_ignored`.
pub(super) fn key_path(path: &serde_ignored::Path<'_>) -> Vec<KeyPathStep> {
    use serde_ignored::Path as P;
    let (mut before, step) = match path {
        P::Root => return Vec::new(),
        P::Seq { parent, index } => (key_path(parent), Some(KeyPathStep::Index(*index))),
        // The internal keys of `Spanned`.
        P::Map { parent, key } if key.starts_with("$__serde_spanned") => (key_path(parent), None),
        P::Map { parent, key } => (key_path(parent), Some(KeyPathStep::Key(key.clone()))),
        P::Some { parent } | P::NewtypeStruct { parent } | P::NewtypeVariant { parent } => {
            (key_path(parent), None)
        }
    };
    before.extend(step);
    before
}

/// Returns the known keys of the table at `path`.
pub(super) fn known_keys(path: &[KeyPathStep]) -> &'static [&'static str] {
    use KeyPathStep::{Index, Key};
    #[cfg(feature = "kube")]
    if let Some(keys) = known_kube_keys(path) {
        return keys;
    }
    match path {
        [] => known_keys_of::<RecipeFile>(),
        [Key(name)] if name == "runtime" => known_keys_of::<schema::RuntimeTable>(),
        [Key(name)] if name == "budget" => known_keys_of::<schema::BudgetTable>(),
        [Key(_)] => known_keys_of::<schema::ImageTable>(),
        [Key(_), Index(_)] => known_keys_of::<schema::IncludeTable>(),
        [Key(name), Key(_)] if name == "platform" => known_keys_of::<schema::PlatformTable>(),
        _ => known_keys_of::<schema::ProgramTable>(),
    }
}

/// Returns the known keys of the table at `path`, if it belongs to configuration or Kubernetes.
#[cfg(feature = "kube")]
fn known_kube_keys(path: &[KeyPathStep]) -> Option<&'static [&'static str]> {
    use KeyPathStep::{Index, Key};
    let [Key(top), below @ ..] = path else { return None };
    Some(match (top.as_str(), below) {
        ("values", []) => known_keys_of::<schema::ValuesTable>(),
        ("environments", [Key(_)]) => known_keys_of::<schema::EnvironmentTable>(),
        ("environments", [Key(_), Key(top), below @ ..]) if top == "kubernetes" => {
            return known_kubernetes_keys(below);
        }
        ("config", [Index(_)]) => known_keys_of::<schema::ConfigTable>(),
        ("config", [Index(_), Key(_), Index(_)]) => known_keys_of::<schema::TemplateTable>(),
        ("secret", [Index(_)]) => known_keys_of::<schema::SecretTable>(),
        ("state", [Index(_)]) => known_keys_of::<schema::StateTable>(),
        ("variable", [Index(_)]) => known_keys_of::<schema::VariableTable>(),
        ("kubernetes", below) => return known_kubernetes_keys(below),
        _ => return None,
    })
}

/// Returns the known keys of the table at `path` below `[kubernetes]`.
#[cfg(feature = "kube")]
fn known_kubernetes_keys(path: &[KeyPathStep]) -> Option<&'static [&'static str]> {
    use KeyPathStep::Key;
    Some(match path {
        [] => known_keys_of::<schema::KubernetesTable>(),
        [Key(table)] if table == "resources" => known_keys_of::<schema::ResourcesTable>(),
        [Key(table)] if table == "job" => known_keys_of::<schema::JobTable>(),
        [Key(_)] => known_keys_of::<schema::ProbesTable>(),
        [Key(_), Key(_)] => known_keys_of::<schema::ProbeTable>(),
        _ => return None,
    })
}

/// Returns the span of `key` in the table at `parent`.
pub(super) fn span_of_key(tree: &DeTable<'_>, parent: &[KeyPathStep], key: &str) -> Option<Range<usize>> {
    let mut table = tree;
    let mut value: Option<&DeValue<'_>> = None;
    for step in parent {
        let next = match (step, value) {
            (KeyPathStep::Key(key), _) => table.get(key.as_str())?.get_ref(),
            (KeyPathStep::Index(index), Some(value)) => value.get(*index)?.get_ref(),
            (KeyPathStep::Index(_), None) => return None,
        };
        table = next.as_table().unwrap_or(table);
        value = Some(next);
    }
    table.iter().find(|(known, _)| known.get_ref() == key).map(|(known, _)| known.span())
}

/// Returns the keys that serde deserializes for `T`.
pub(super) fn known_keys_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys = KeyRecorder(&[]);
    // Always fails: there is no data. The keys have been recorded by then.
    let _ = T::deserialize(&mut keys);
    keys.0
}

/// A deserializer without data that records the field names of the requested struct.
struct KeyRecorder(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut KeyRecorder {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("no data"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0 = keys;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
