//! The part of JSON Schema that the recipe's schema uses.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The published schema of coracle.toml. Embedded, so that this command, docs/recipe.md and editors
/// show the same text.
const RECIPE_SCHEMA: &str = include_str!("../../../templates/coracle.schema.json");

/// A schema, or a part of one.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RecipeSchema {
    #[serde(rename = "$ref")]
    pub(super) reference: Option<String>,
    #[serde(rename = "type")]
    types: ValueTypes,
    pub(super) description: String,
    pub(super) default: Option<DefaultValue>,
    pub(super) properties: BTreeMap<String, RecipeSchema>,
    pub(super) required: Vec<String>,
    pub(super) items: Option<Box<RecipeSchema>>,
    pub(super) additional_properties: AdditionalProperties,
    pub(super) any_of: Vec<RecipeSchema>,
    pub(super) all_of: Vec<RecipeSchema>,
    pub(super) definitions: BTreeMap<String, RecipeSchema>,
}

/// The types that a value may have.
#[derive(Deserialize)]
#[serde(untagged)]
enum ValueTypes {
    Single(String),
    Several(Vec<String>),
}

/// The values of keys that a schema does not name.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum AdditionalProperties {
    Allowed(#[allow(dead_code, reason = "only schemas are read")] bool),
    Schema(Box<RecipeSchema>),
}

/// The default of a key.
#[derive(Deserialize, Serialize, Clone)]
#[serde(untagged)]
pub(super) enum DefaultValue {
    Bool(bool),
    Integer(i64),
    Text(String),
}

/// Reads the recipe's schema.
pub(super) fn read_recipe_schema() -> Result<RecipeSchema, serde_json::Error> {
    serde_json::from_str(RECIPE_SCHEMA)
}

impl RecipeSchema {
    /// Returns the names of the types that a value may have.
    pub(super) fn type_names(&self) -> &[String] {
        match &self.types {
            ValueTypes::Single(name) => std::slice::from_ref(name),
            ValueTypes::Several(names) => names,
        }
    }
}

impl Default for ValueTypes {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Default for AdditionalProperties {
    fn default() -> Self {
        Self::Allowed(true)
    }
}

impl fmt::Display for DefaultValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}
