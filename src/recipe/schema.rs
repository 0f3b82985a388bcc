//! The keys of `coracle.toml`, as serde reads them. Values are text here; [`super::draft`] says what they mean.

mod kubernetes;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use toml::Spanned;

pub(super) use kubernetes::{Kubernetes, Probe, Probes, Resources};

/// The whole file.
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) version: Option<Spanned<i64>>,
    pub(super) image: Table<Image>,
    pub(super) include: Vec<Table<Include>>,
    pub(super) runtime: Table<Runtime>,
    pub(super) config: Vec<Table<Config>>,
    pub(super) secret: Vec<Table<Secret>>,
    pub(super) state: Vec<Table<State>>,
    pub(super) variable: Vec<Table<Variable>>,
    pub(super) values: Table<Values>,
    pub(super) environments: BTreeMap<String, Spanned<Table<Environment>>>,
    pub(super) kubernetes: Table<Kubernetes>,
    pub(super) allow: BTreeMap<String, Spanned<String>>,
    pub(super) platform: BTreeMap<String, Spanned<Table<Platform>>>,
}

/// `[image]`
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Image {
    pub(super) name: Option<Spanned<String>>,
    pub(super) programs: Vec<Spanned<Program>>,
    pub(super) args: Vec<Spanned<String>>,
    pub(super) user: Option<Spanned<Scalar>>,
    pub(super) group: Option<Spanned<Scalar>>,
    pub(super) expose: Vec<Spanned<Scalar>>,
    pub(super) env: BTreeMap<String, Spanned<String>>,
    pub(super) working_dir: Option<Spanned<String>>,
    pub(super) stop_signal: Option<Spanned<Scalar>>,
    pub(super) labels: BTreeMap<String, Spanned<String>>,
    pub(super) annotations: BTreeMap<String, Spanned<String>>,
    pub(super) strip: Option<bool>,
    pub(super) platform: Option<Spanned<String>>,
}

/// `programs = ["…", { from = "…", to = "…" }]`
pub(super) enum Program {
    Path(String),
    Placed(Placed),
}

/// A program with its place in the image.
#[derive(serde::Deserialize)]
pub(super) struct Placed {
    pub(super) from: Spanned<String>,
    pub(super) to: Option<Spanned<String>>,
}

/// `[[include]]`
#[derive(serde::Deserialize)]
pub(super) struct Include {
    pub(super) from: Spanned<String>,
    pub(super) to: Spanned<String>,
}

/// `[runtime]`
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Runtime {
    pub(super) certificates: Option<Spanned<Choice>>,
    pub(super) nss: Option<Spanned<Choice>>,
    pub(super) nss_modules: Vec<Spanned<String>>,
    pub(super) openssl: Option<Spanned<Choice>>,
    pub(super) libgcc: Option<Spanned<Choice>>,
    pub(super) dlopen: Vec<Spanned<String>>,
    pub(super) dlopen_notes: Option<Spanned<Choice>>,
    pub(super) time_zones: Option<Spanned<Names>>,
    pub(super) locales: Option<Vec<Spanned<String>>>,
    pub(super) charsets: Option<Vec<Spanned<String>>>,
    pub(super) pam: Option<Vec<Spanned<String>>>,
    pub(super) plugins: Option<Vec<Spanned<String>>>,
    pub(super) hwcaps: Option<Spanned<String>>,
}

/// `true`, `false` or a word, as text.
pub(super) struct Choice(pub(super) String);

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "expected `true`, `false` or a word")]
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
pub(super) enum Names {
    Whether(bool),
    Some(Vec<String>),
}

/// `[[config]]`
#[derive(serde::Deserialize)]
pub(super) struct Config {
    pub(super) mount: Spanned<String>,
    #[serde(default)]
    pub(super) templates: Vec<Spanned<Template>>,
    pub(super) reload: Option<Spanned<String>>,
    pub(super) optional: Option<bool>,
}

/// `[[secret]]`
#[derive(serde::Deserialize)]
pub(super) struct Secret {
    pub(super) mount: Spanned<String>,
    pub(super) name: Option<Spanned<String>>,
    pub(super) keys: Spanned<Vec<String>>,
    pub(super) reload: Option<Spanned<String>>,
    pub(super) optional: Option<bool>,
}

/// `[[state]]`
#[derive(serde::Deserialize)]
pub(super) struct State {
    pub(super) mount: Spanned<String>,
    pub(super) size: Option<Spanned<String>>,
    pub(super) shared: Option<Spanned<bool>>,
}

/// `[[variable]]`
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Variable {
    pub(super) name: Spanned<String>,
    pub(super) from: Spanned<String>,
    pub(super) secret_in_environment: Option<bool>,
}

/// `templates = ["…", { from = "…", key = "…", verbatim = true }]`
pub(super) enum Template {
    Path(String),
    Said(TemplateTable),
}

/// A template with what its name does not say.
#[derive(serde::Deserialize)]
pub(super) struct TemplateTable {
    pub(super) from: Spanned<String>,
    pub(super) key: Option<Spanned<String>>,
    pub(super) verbatim: Option<bool>,
    pub(super) delimiters: Option<Spanned<Vec<String>>>,
}

/// `[values]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(super) struct Values {
    pub(super) schema: Option<Spanned<String>>,
    pub(super) files: Vec<Spanned<String>>,
}

/// `[environments.NAME]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(super) struct Environment {
    pub(super) values: Vec<Spanned<String>>,
}

/// `[platform."linux/arm64"]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(super) struct Platform {
    pub(super) root: Option<Spanned<String>>,
    pub(super) sysroot: Option<Spanned<String>>,
}

/// A number or text, as text: `8080` and `"9000/udp"`.
pub(super) struct Scalar(pub(super) String);

/// A struct that is written as a table; serde would also take an array of its values.
#[derive(Default)]
pub(super) struct Table<T>(pub(super) T);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a string")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Table<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Table)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Program {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrTable;
        impl<'de> Visitor<'de> for PathOrTable {
            type Value = Program;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a table with `from` and `to`")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Program, E> {
                Ok(Program::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Program, A::Error> {
                Placed::deserialize(MapAccessDeserializer::new(map)).map(Program::Placed)
            }
        }
        deserializer.deserialize_any(PathOrTable)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrTable;
        impl<'de> Visitor<'de> for PathOrTable {
            type Value = Template;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a table with `from`")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Template, E> {
                Ok(Template::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Template, A::Error> {
                TemplateTable::deserialize(MapAccessDeserializer::new(map)).map(Template::Said)
            }
        }
        deserializer.deserialize_any(PathOrTable)
    }
}

/// The keys of one table: those that serde knows for `T`, so that no list of them can go stale.
pub(super) fn keys_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys = Keys(&[]);
    // It always ends in an error: there is nothing to read.
    let _ = T::deserialize(&mut keys);
    keys.0
}

/// A deserializer that has no data and only remembers which keys it was asked for.
struct Keys(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Keys {
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
