//! The JSON Schema of a recipe, for editors. A test compares the published file with the schema of
//! the types.
//!
//! `SNAPSHOTS=overwrite cargo test published` writes the file anew.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::schema::{BoolOrString, RecipeFile, PathOr, IntOrString, Spanned, StrictTable};

/// The path of the published file.
const SCHEMA_PATH: &str = "templates/coracle.schema.json";

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T: JsonSchema> JsonSchema for StrictTable<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T: JsonSchema> JsonSchema for PathOr<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, generator.subschema_for::<T>()] })
    }
}

impl JsonSchema for IntOrString {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"] })
    }
}

impl JsonSchema for BoolOrString {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Choice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "string"] })
    }
}

/// Returns the contents of the published file: the types' schema as JSON, with sorted keys.
fn published_schema() -> String {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.root_schema_for::<RecipeFile>();
    schema.insert("title".into(), "coracle.toml".into());
    let mut text = format!("{:#}", schema.to_value());
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
