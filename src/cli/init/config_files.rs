//! The configuration of a new recipe: existing files are used as they are, and what is missing is made from the
//! others. A schema is made from values, a template from values or a schema, values from a schema.

use std::fmt::Write as _;
use std::path::Path;

use coracle_kube::values::KeyPath;
use serde_json::{Map, Value, json};

use super::existing_config::ExistingConfig;
use crate::cli::error::CliError;

const CONFIG_TEMPLATE: &str = include_str!("../../../templates/init/config/app.toml.j2");
const VALUES_TEMPLATE: &str = include_str!("../../../templates/init/config/values.toml");
const SCHEMA_TEMPLATE: &str = include_str!("../../../templates/init/config/schema.json");

/// The draft of the schemas that `init` writes.
const SCHEMA_DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The configuration of a recipe.
#[derive(Default)]
pub(super) struct RecipeConfiguration {
    /// The paths in `templates`, `[values] schema` and `[values] files`.
    pub(super) templates: Vec<String>,
    pub(super) schema: Option<String>,
    pub(super) values: Vec<String>,
    /// The files to write: paths and texts, with the placeholders of templates.
    pub(super) new_files: Vec<(String, String)>,
    /// Existing files that the recipe uses.
    pub(super) used_files: Vec<String>,
    /// Keys that existing templates use and that have no value.
    pub(super) missing_keys: Vec<KeyPath>,
}

impl RecipeConfiguration {
    /// Returns the configuration for the program `name` of the project at `folder`.
    ///
    /// # Errors
    /// Fails if an existing values file is invalid.
    pub(super) fn for_project(folder: &Path, name: &str) -> Result<Self, CliError> {
        let existing = ExistingConfig::find(folder, name);
        let mut config = Self {
            templates: existing.files.clone(),
            schema: existing.schema.clone(),
            values: existing.values.clone(),
            used_files: existing.paths().cloned().collect(),
            missing_keys: existing.missing_keys(folder)?,
            ..Self::default()
        };
        if existing.paths().next().is_none() {
            config.add_template(name, "toml", CONFIG_TEMPLATE.into());
            config.add_values(VALUES_TEMPLATE.into());
            config.add_schema(SCHEMA_TEMPLATE.into());
            return Ok(config);
        }
        let schema = existing.read_schema(folder).unwrap_or_default();
        let mut values = existing.read_values(folder)?;
        if existing.schema.is_none() && !existing.values.is_empty() {
            let mut schema = schema_of(&values);
            if let Some(table) = schema.as_object_mut() {
                table.insert("$schema".into(), SCHEMA_DRAFT.into());
            }
            config.add_schema(format!("{schema:#}\n"));
        }
        if existing.values.is_empty() {
            if existing.files.is_empty() {
                values = required_values(&schema);
            }
            config.add_missing_values(&values);
        }
        if existing.files.is_empty() {
            let format = existing.values.first().and_then(|path| path.rsplit('.').next()).unwrap_or("toml");
            let table = with_defaults(&schema, &values);
            config.add_template(name, format, template_of(format, &table));
        }
        Ok(config)
    }

    fn add_template(&mut self, name: &str, format: &str, text: String) {
        let path = format!("config/{name}.{format}.j2");
        self.templates.push(path.clone());
        self.new_files.push((path, text));
    }

    fn add_values(&mut self, text: String) {
        self.values.push("config/values.toml".into());
        self.new_files.push(("config/values.toml".into(), text));
    }

    /// Adds the schema next to the values.
    fn add_schema(&mut self, text: String) {
        let path = match self.values.first() {
            Some(values) if !values.contains('/') => "values.schema.json".to_owned(),
            Some(values) => values
                .rsplit_once('/')
                .map_or_else(String::new, |(folder, _)| format!("{folder}/schema.json")),
            None => "config/schema.json".to_owned(),
        };
        self.schema = Some(path.clone());
        self.new_files.push((path, text));
    }

    /// Adds a values file with `values`, and with a comment for each key that has no value.
    fn add_missing_values(&mut self, values: &Value) {
        let mut text = toml::to_string(values).unwrap_or_default();
        if !self.missing_keys.is_empty() {
            text.insert_str(
                0,
                "# The templates use these keys. Write the value of each, and remove the `#`.\n",
            );
        }
        for key in &self.missing_keys {
            let _ = writeln!(text, "# {key} =");
        }
        if !text.is_empty() {
            self.add_values(text);
        }
    }
}

/// Returns a schema that accepts `value` and values of the same types.
fn schema_of(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Value::Number(_) => json!({ "type": "integer" }),
        Value::String(_) => json!({ "type": "string" }),
        Value::Array(items) => {
            let mut schemas: Vec<Value> = items.iter().map(schema_of).collect();
            schemas.dedup();
            match schemas.as_slice() {
                [schema] => json!({ "type": "array", "items": schema }),
                _ => json!({ "type": "array" }),
            }
        }
        Value::Object(table) => {
            let properties: Map<String, Value> =
                table.iter().map(|(key, value)| (key.clone(), schema_of(value))).collect();
            json!({ "type": "object", "properties": properties })
        }
    }
}

/// Returns values for the keys that `schema` requires and has no default for. Secrets are not among them.
fn required_values(schema: &Value) -> Value {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let values = properties.filter(|(key, property)| {
        required.contains(&key.as_str())
            && property.get("default").is_none()
            && property["writeOnly"] != Value::Bool(true)
    });
    values.map(|(key, property)| (key.clone(), example_of(property))).collect::<Map<_, _>>().into()
}

/// Returns a value that `schema` accepts, as far as its type says.
fn example_of(schema: &Value) -> Value {
    let listed = ["const", "default"].iter().find_map(|key| schema.get(key));
    let first = || ["examples", "enum"].iter().find_map(|key| schema[*key].as_array()?.first());
    if let Some(value) = listed.or_else(first) {
        return value.clone();
    }
    match schema["type"].as_str() {
        Some("object") => required_values(schema),
        Some("array") => json!([]),
        Some("boolean") => json!(false),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        _ => json!(""),
    }
}

/// Returns `values` and the top-level defaults of `schema`.
fn with_defaults(schema: &Value, values: &Value) -> Map<String, Value> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let defaults =
        properties.filter_map(|(key, property)| Some((key.clone(), property.get("default")?.clone())));
    let own = values.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
    defaults.chain(own).collect()
}

/// Returns a template in `format` that writes every key of `table`.
fn template_of(format: &str, table: &Map<String, Value>) -> String {
    let (named, other): (Vec<_>, Vec<_>) = table.iter().partition(|(key, _)| is_template_name(key));
    let named = named.into_iter().filter(|(_, value)| format != "toml" || !value.is_null());
    let lines: Vec<String> = named
        .map(|(key, _)| match format {
            "json" => format!("  \"{key}\": {{{{ {key}|json }}}}"),
            "yaml" | "yml" => format!("{key}: {{{{ {key}|yaml }}}}\n"),
            _ => format!("{key} = {{{{ {key}|toml }}}}\n"),
        })
        .collect();
    let text = match format {
        "json" => format!("{{\n{}\n}}\n", lines.join(",\n")),
        _ => lines.concat(),
    };
    let other: Vec<String> = other
        .into_iter()
        .map(|(key, _)| format!("{{# no variable of a template can have the name {key} -#}}\n"))
        .collect();
    other.concat() + &text
}

/// Returns whether a template can name `key` as a variable. Source: Jinja's template designer documentation.
fn is_template_name(key: &str) -> bool {
    const RESERVED: [&str; 16] = [
        "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else",
        "loop", "self", "super",
    ];
    let is_name = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name && !key.starts_with(|c: char| c.is_ascii_digit()) && !RESERVED.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_schema_of_values() {
        let values = json!({ "port": 1, "ratio": 0.5, "on": true, "db": { "host": "a" }, "tags": ["a", "b"], "none": null, "mixed": [1, "a"] });
        assert_eq!(
            schema_of(&values),
            json!({ "type": "object", "properties": {
                "port": { "type": "integer" },
                "ratio": { "type": "number" },
                "on": { "type": "boolean" },
                "db": { "type": "object", "properties": { "host": { "type": "string" } } },
                "tags": { "type": "array", "items": { "type": "string" } },
                "none": {},
                "mixed": { "type": "array" },
            } })
        );
    }

    #[test]
    fn makes_values_of_required_keys_without_default() {
        let schema = json!({ "required": ["port", "level", "db", "token", "host"], "properties": {
            "port": { "type": "integer", "minimum": 1 },
            "level": { "enum": ["info", "debug"] },
            "db": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } },
            "token": { "type": "string", "writeOnly": true },
            "host": { "default": "localhost" },
            "free": { "type": "string" },
        } });
        assert_eq!(required_values(&schema), json!({ "port": 1, "level": "info", "db": { "name": "" } }));
    }

    #[test]
    fn makes_template_of_values_in_their_format() {
        let table = json!({ "port": 1, "log-level": "info", "not": 1, "empty": null });
        let table = table.as_object().unwrap();
        let note = "{# no variable of a template can have the name log-level -#}\n\
                    {# no variable of a template can have the name not -#}\n";
        assert_eq!(template_of("toml", table), format!("{note}port = {{{{ port|toml }}}}\n"));
        assert_eq!(
            template_of("yaml", table),
            format!("{note}empty: {{{{ empty|yaml }}}}\nport: {{{{ port|yaml }}}}\n")
        );
        assert_eq!(
            template_of("json", table),
            format!("{note}{{\n  \"empty\": {{{{ empty|json }}}},\n  \"port\": {{{{ port|json }}}}\n}}\n")
        );
    }
}
