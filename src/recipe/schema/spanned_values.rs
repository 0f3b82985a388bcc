//! Value types for serde: values of several TOML types, and values with their position in the file.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

/// A value with its byte range in the file.
#[derive(Clone, serde::Deserialize)]
#[serde(transparent)]
pub(in crate::recipe) struct Spanned<T>(toml::Spanned<T>);

impl<T> std::ops::Deref for Spanned<T> {
    type Target = toml::Spanned<T>;

    fn deref(&self) -> &toml::Spanned<T> {
        &self.0
    }
}

/// A boolean or a string, as text.
#[derive(Clone)]
pub(in crate::recipe) struct BoolOrString(pub(in crate::recipe) String);

impl<'de> Deserialize<'de> for BoolOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "expected `true`, `false` or a string")]
        enum Either {
            Flag(bool),
            Word(String),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Flag(flag) => flag.to_string(),
            Either::Word(word) => word,
        }))
    }
}

/// `true`, `false`, or a list of names.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "expected `true`, `false` or a list of names")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::recipe) enum BoolOrNames {
    Bool(bool),
    Names(Vec<String>),
}

/// A path `"…"`, or a table `{ from = "…", … }`.
pub(in crate::recipe) enum PathOr<T> {
    Path(String),
    Table(T),
}

/// An integer or a string, as text: `8080` and `"9000/udp"`.
pub(in crate::recipe) struct IntOrString(pub(in crate::recipe) String);

/// A number or a string, as text: `0.5` and `"50m"`.
#[cfg(feature = "kube")]
#[derive(Clone)]
pub(in crate::recipe) struct NumberOrString(pub(in crate::recipe) String);

#[cfg(feature = "kube")]
impl<'de> Deserialize<'de> for NumberOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "expected a number or a string")]
        enum Either {
            Integer(i64),
            Float(f64),
            Text(String),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Integer(number) => number.to_string(),
            Either::Float(number) => number.to_string(),
            Either::Text(text) => text,
        }))
    }
}

/// A struct that must be written as a table. Serde alone also accepts an array of its fields.
#[derive(Clone, Default)]
pub(in crate::recipe) struct StrictTable<T>(pub(in crate::recipe) T);

impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = IntOrString;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a string")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<IntOrString, E> {
                Ok(IntOrString(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<IntOrString, E> {
                Ok(IntOrString(number.to_string()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<IntOrString, E> {
                Ok(IntOrString(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for StrictTable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = StrictTable<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StrictTable<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(StrictTable)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PathOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrTable<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for PathOrTable<T> {
            type Value = PathOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a table with `from`")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<PathOr<T>, E> {
                Ok(PathOr::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PathOr<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(PathOr::Table)
            }
        }
        deserializer.deserialize_any(PathOrTable(PhantomData))
    }
}
