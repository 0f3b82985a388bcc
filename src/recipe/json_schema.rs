//! The JSON Schema of a recipe, for editors. A test compares the published file with the schema of
//! the types.
//!
//! `SNAPSHOTS=overwrite cargo test published` writes the file anew.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::DEFAULT_USER;
use super::schema::{BoolOrString, IntOrString, NumberOrString, PathOr, RecipeFile, Spanned, StrictTable};

/// The path of the published file.
const SCHEMA_PATH: &str = "templates/coracle.schema.json";

/// Implements `JsonSchema` for a type whose schema is written at its place, not as a definition.
macro_rules! impl_inline_schema {
    ([$($generics:tt)*] $type:ty, $name:expr, |$generator:pat_param| $schema:expr) => {
        impl<$($generics)*> JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

impl_inline_schema!([T: JsonSchema] Spanned<T>, T::schema_name(), |types| types.subschema_for::<T>());
impl_inline_schema!([T: JsonSchema] StrictTable<T>, T::schema_name(), |types| types.subschema_for::<T>());
impl_inline_schema!([T: JsonSchema] PathOr<T>, T::schema_name(), |types| {
    json_schema!({ "anyOf": [{ "type": "string" }, types.subschema_for::<T>()] })
});
impl_inline_schema!([] IntOrString, "Scalar".into(), |_| json_schema!({ "type": ["integer", "string"] }));
impl_inline_schema!([] NumberOrString, "Number".into(), |_| json_schema!({ "type": ["number", "string"] }));
impl_inline_schema!([] BoolOrString, "Choice".into(), |_| json_schema!({ "type": ["boolean", "string"] }));

/// Defaults that the types leave to the code that reads them.
fn defaults() -> Vec<(&'static str, Value)> {
    let mut defaults = vec![
        ("version", json!(1)),
        ("image.user", json!(DEFAULT_USER.uid)),
        ("image.compression", json!("gzip")),
        ("image.linkage", json!("auto")),
        ("image.strip", json!(false)),
        ("image.working-dir", json!("/")),
        ("runtime.dlopen-notes", json!("recommended")),
        ("runtime.complete", json!(false)),
        ("config.templates.verbatim", json!(false)),
        ("variable.secret-in-environment", json!(false)),
        ("state.shared", json!(false)),
        ("kubernetes.kind", json!("Deployment")),
        ("kubernetes.tmp", json!(false)),
    ];
    for key in ["runtime.certificates", "runtime.nss", "runtime.openssl", "runtime.libgcc"] {
        defaults.push((key, json!("auto")));
    }
    for key in ["config.reload", "secret.reload"] {
        defaults.push((key, json!("restart")));
    }
    for key in ["config.optional", "secret.optional"] {
        defaults.push((key, json!(false)));
    }
    defaults
}

/// Adds `default` to the key at the dotted path.
fn set_default(schema: &mut Value, path: &str, default: Value) {
    let mut pointer = String::new();
    for name in path.split('.') {
        pointer = match schema.pointer(&pointer).and_then(reference) {
            Some(definition) => format!("/definitions/{definition}/properties/{name}"),
            None => format!("/properties/{name}"),
        };
    }
    let key = schema.pointer_mut(&pointer).unwrap_or_else(|| panic!("no key `{path}`"));
    key["default"] = default;
}

/// The definition that a value refers to, directly or as an item of a list.
fn reference(value: &Value) -> Option<String> {
    let direct = value.get("$ref").and_then(Value::as_str).map(|text| text.replace("#/definitions/", ""));
    let several = |key| value.get(key).and_then(Value::as_array)?.iter().find_map(reference);
    let items = || value.get("items").and_then(reference);
    direct.or_else(|| several("allOf")).or_else(|| several("anyOf")).or_else(items)
}

/// Returns the contents of the published file: the types' schema as JSON with defaults, keys sorted.
fn published_schema() -> String {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.root_schema_for::<RecipeFile>();
    schema.insert("title".into(), "coracle.toml".into());
    let mut schema = schema.to_value();
    for (path, default) in defaults() {
        set_default(&mut schema, path, default);
    }
    let mut text = format!("{schema:#}");
    text.push('\n');
    text
}

#[test]
fn published_schema_matches_types() {
    let published = published_schema();
    snapbox::assert_data_eq!(published.as_str(), snapbox::Data::read_from(SCHEMA_PATH.as_ref(), None).raw());
}

#[test]
fn schema_accepts_recipes_and_rejects_mistakes() {
    let schema: serde_json::Value = serde_json::from_str(&published_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let recipe = |text: &str| serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
    for path in ["templates/greeter/coracle.toml", "templates/coracle.toml"] {
        let text = std::fs::read_to_string(path).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&recipe(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{path}: {errors:?}");
    }
    assert!(validator.is_valid(&recipe(super::tests::ALL_KEYS)));
    for text in [
        "imag = {}",
        "[image]\nprogram = []",
        "[[config]]\nmount = 1",
        "[image]\nuser = true",
        "[[secret]]\nmount = \"/a\"",
    ] {
        assert!(!validator.is_valid(&recipe(text)), "{text}");
    }
}
