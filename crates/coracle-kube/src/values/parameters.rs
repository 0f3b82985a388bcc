//! The parameters that a schema declares, and the schema without secret values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json_schema::Schema;
use super::key_path::KeyPath;
use super::subschemas::{NAMED_SCHEMA_KEYWORDS, VALUE_KEYWORDS, conditional_parts, ref_target};

/// A value that a schema declares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaParameter {
    /// The key of the value.
    pub key: KeyPath,
    /// The allowed JSON types, separated by `|`; `None` if the schema has no `type`.
    pub types: Option<String>,
    /// `true` if the value must be given: it is required and has no default.
    pub is_required: bool,
    /// `true` if the value or a table above it is secret.
    pub is_secret: bool,
}

/// What the schemas of a parameter say about it.
#[derive(Default)]
struct Declared {
    types: Option<String>,
    is_required: bool,
}

/// A schema that applies to a value.
struct Part<'a> {
    schema: &'a Value,
    is_unconditional: bool,
}

/// The maximum number of schemas for one value. A hand-written schema has fewer.
const MAX_PARTS: usize = 200;
/// The maximum number of parameters. A hand-written schema has fewer.
const MAX_PARAMETERS: usize = 10_000;

impl Part<'_> {
    fn requires(&self, name: &str) -> bool {
        let required = self.schema.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|listed| listed.as_str() == Some(name)))
    }
}

impl Schema {
    /// Returns every declared value without `properties` of its own, sorted by key.
    pub fn parameters(&self) -> Vec<SchemaParameter> {
        let mut found = BTreeMap::new();
        self.collect_parameters(&self.document, &KeyPath::default(), true, &mut Vec::new(), &mut found);
        let secrets = self.secrets();
        let parameters = found.into_iter().map(|(key, declared)| SchemaParameter {
            types: declared.types,
            is_required: declared.is_required,
            is_secret: secrets.iter().any(|secret| secret.overlaps(&key)),
            key,
        });
        parameters.collect()
    }

    /// Collects the parameters of `schema`, which describes the value at `key`. `ancestors` are the
    /// enclosing schemas, to detect recursion.
    fn collect_parameters<'a>(
        &'a self,
        schema: &'a Value,
        key: &KeyPath,
        is_required: bool,
        ancestors: &mut Vec<&'a Value>,
        found: &mut BTreeMap<KeyPath, Declared>,
    ) {
        let mut parts = Vec::new();
        self.collect_parts(schema, true, &mut parts);
        let is_ancestor = |part: &Part<'_>| ancestors.iter().any(|above| std::ptr::eq(*above, part.schema));
        let is_table = parts.iter().any(|part| part.schema.get("properties").is_some());
        let default = parts.iter().find_map(|part| part.schema.get("default"));
        if !is_table || parts.iter().any(is_ancestor) || ancestors.len() > MAX_PARTS {
            if !key.is_root() && found.len() < MAX_PARAMETERS {
                let types = parts.iter().find_map(|part| type_names(part.schema));
                let known = found.entry(key.clone()).or_default();
                known.types = known.types.take().or(types);
                known.is_required |= is_required && default.is_none();
            }
            return;
        }
        let above = ancestors.len();
        ancestors.extend(parts.iter().map(|part| part.schema));
        // A table with a default always exists.
        let exists = is_required || default.is_some();
        for part in &parts {
            let properties = part.schema.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                let is_listed = parts.iter().any(|part| part.is_unconditional && part.requires(name));
                let has_value = default.is_some_and(|default| default.get(name).is_some());
                let is_required = exists && part.is_unconditional && is_listed && !has_value;
                self.collect_parameters(property, &key.join(name), is_required, ancestors, found);
            }
        }
        ancestors.truncate(above);
    }

    /// Collects `schema` and the schemas that apply to the same value, possibly under a condition.
    fn collect_parts<'a>(&'a self, schema: &'a Value, is_unconditional: bool, parts: &mut Vec<Part<'a>>) {
        if parts.len() == MAX_PARTS || parts.iter().any(|part| std::ptr::eq(part.schema, schema)) {
            return;
        }
        parts.push(Part { schema, is_unconditional });
        if let Some(target) = ref_target(&self.document, schema) {
            self.collect_parts(target, is_unconditional, parts);
        }
        let branches = |keyword| schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
        branches("allOf").for_each(|part| self.collect_parts(part, is_unconditional, parts));
        let conditional = branches("anyOf").chain(branches("oneOf")).chain(conditional_parts(schema));
        conditional.for_each(|part| self.collect_parts(part, false, parts));
    }

    /// Returns the schema without keywords that may show a secret value. If anything is secret,
    /// tables and arrays are removed everywhere, because they may contain a secret.
    pub fn redacted(&self) -> Value {
        let mut document = self.document.clone();
        if !self.secrets().is_empty() {
            let mut targets = Vec::new();
            redact(&mut document, false, &mut targets);
            let mut done: Vec<String> = Vec::new();
            while let Some(pointer) = targets.pop().filter(|_| done.len() < 1_000) {
                if !done.contains(&pointer)
                    && let Some(target) = document.pointer_mut(&pointer)
                {
                    redact(target, true, &mut targets);
                    done.push(pointer);
                }
            }
        }
        document
    }
}

/// Removes keywords that may show a secret from `schema`. Pushes onto `targets` the JSON pointers
/// of definitions that secret values refer to.
fn redact(schema: &mut Value, is_secret: bool, targets: &mut Vec<String>) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, is_secret, targets)),
        Value::Object(keywords) => {
            let is_secret = is_secret || keywords.get("writeOnly") == Some(&Value::Bool(true));
            keywords.retain(|keyword, value| {
                !VALUE_KEYWORDS.contains(&keyword.as_str())
                    || !(is_secret
                        || value.is_object()
                        || value.is_array() && contains_tables_or_arrays(value))
            });
            if let Some(pointer) =
                keywords.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'))
                && is_secret
            {
                targets.push(pointer.to_owned());
            }
            for (keyword, value) in keywords.iter_mut() {
                match value.as_object_mut().filter(|_| NAMED_SCHEMA_KEYWORDS.contains(&keyword.as_str())) {
                    Some(named) => named.values_mut().for_each(|schema| redact(schema, is_secret, targets)),
                    None => redact(value, is_secret, targets),
                }
            }
        }
        _ => {}
    }
}

/// Returns whether an array contains tables or arrays. Lists of scalars, as in `enum`, can stay.
fn contains_tables_or_arrays(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().any(|item| item.is_object() || item.is_array()))
}

fn type_names(schema: &Value) -> Option<String> {
    match schema.get("type")? {
        Value::String(kind) => Some(kind.clone()),
        Value::Array(kinds) => Some(kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(document: &Value) -> Schema {
        let mut file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
        std::io::Write::write_all(&mut file, document.to_string().as_bytes()).unwrap();
        Schema::read(file.path()).unwrap()
    }

    #[test]
    fn lists_values_without_properties() {
        let schema = schema(&json!({
            "required": ["db", "port"],
            "properties": {
                "port": { "type": "integer", "default": 1 },
                "db": {
                    "required": ["password"],
                    "properties": { "password": { "type": ["string", "null"], "writeOnly": true }, "host": {} }
                }
            }
        }));
        let found: Vec<String> = schema
            .parameters()
            .into_iter()
            .map(|p| format!("{} {:?} {} {}", p.key, p.types, p.is_required, p.is_secret))
            .collect();
        let expected = [
            "db.host None false false",
            "db.password Some(\"string|null\") true true",
            "port Some(\"integer\") false false",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn lists_values_of_combined_and_conditional_schemas() {
        let schema = schema(&json!({
            "required": ["mode"],
            "allOf": [{ "required": ["name"], "properties": { "name": { "type": "string" } } }],
            "properties": { "mode": {}, "tls": { "$ref": "#/$defs/tls", "properties": { "port": {} } } },
            "then": { "required": ["cert"], "properties": { "cert": { "type": "string" } } },
            "dependentSchemas": { "mode": { "properties": { "extra": {} } } },
            "$defs": { "tls": { "properties": { "key": {} } } }
        }));
        let found: Vec<String> =
            schema.parameters().into_iter().map(|p| format!("{} {}", p.key, p.is_required)).collect();
        let expected =
            ["cert false", "extra false", "mode true", "name true", "tls.key false", "tls.port false"];
        assert_eq!(found, expected);
    }

    #[test]
    fn finds_secrets_below_any_keyword() {
        let secret = json!({ "writeOnly": true });
        for (document, expected) in [
            (json!({ "properties": { "m": { "additionalProperties": secret } } }), "m"),
            (json!({ "properties": { "m": { "patternProperties": { "^x": secret } } } }), "m"),
            (json!({ "properties": { "m": { "items": { "properties": { "k": secret } } } } }), "m.k"),
            (json!({ "properties": { "m": { "prefixItems": [{}, secret] } } }), "m"),
            (json!({ "properties": { "m": { "dependentSchemas": { "x": secret } } } }), "m"),
            (json!({ "if": {}, "then": { "properties": { "m": secret } } }), "m"),
            (
                json!({ "properties": { "m": { "$ref": "#/$defs/q", "writeOnly": true } }, "$defs": { "q": {} } }),
                "m",
            ),
            (
                json!({ "properties": { "m": { "$ref": "#/$defs/q" } }, "$defs": { "q": { "not": secret } } }),
                "m",
            ),
            (json!({ "additionalProperties": secret }), ""),
            // A recursive schema with a secret is secret from the first repetition.
            (
                json!({ "properties": { "t": { "$ref": "#/$defs/t" } }, "$defs": { "t": {
                    "properties": { "s": secret, "next": { "$ref": "#/$defs/t" } } } } }),
                "t.next t.s",
            ),
        ] {
            let found: Vec<String> = schema(&document).secrets().iter().map(ToString::to_string).collect();
            assert_eq!(found.join(" "), expected, "{document}");
        }
    }

    #[test]
    fn rejects_unsupported_references() {
        for document in [
            json!({ "properties": { "m": { "$ref": "#q" } }, "$defs": { "q": { "$anchor": "q", "writeOnly": true } } }),
            json!({ "$id": "http://x/y", "properties": { "m": { "$ref": "y#/$defs/q" } }, "$defs": { "q": {} } }),
            json!({ "properties": { "m": { "$id": "http://x/z" } } }),
            json!({ "$dynamicAnchor": "q", "properties": { "default": { "$dynamicRef": "#q" } } }),
        ] {
            let error = Schema::new("schema.json".into(), document.clone()).unwrap_err().to_string();
            assert!(error.contains("is not supported"), "{document}: {error}");
        }
        let wide = |to: &str| json!({ "properties": { "a": { "$ref": to }, "b": { "$ref": to }, "c": { "$ref": to } } });
        let defs: serde_json::Map<String, Value> = (0..30)
            .map(|n| (format!("d{n}"), wide(&format!("#/$defs/d{}", n + 1))))
            .chain([("d30".into(), json!({}))])
            .collect();
        let document = json!({ "$ref": "#/$defs/d0", "$defs": defs });
        let error = Schema::new("schema.json".into(), document).unwrap_err().to_string();
        assert!(error.contains("too many references"), "{error}");
    }

    #[test]
    fn redacts_secret_values() {
        let secret = json!({ "type": "string", "default": "s3cret", "enum": ["s3cret"], "const": "s3cret", "examples": ["s3cret"] });
        let mut marked = secret.clone();
        marked["writeOnly"] = true.into();
        let schema = schema(&json!({
            "default": { "a": "s3cret" },
            "examples": [{ "a": "s3cret" }],
            "properties": {
                "a": marked,
                "b": { "$ref": "#/$defs/b", "writeOnly": true },
                "c": { "writeOnly": true, "properties": { "default": secret }, "prefixItems": [secret], "anyOf": [secret] },
                "d": { "enum": ["kept"], "default": "kept" }
            },
            "$defs": { "b": { "allOf": [{ "$ref": "#/$defs/e" }] }, "e": secret }
        }));
        let text = schema.redacted().to_string();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains(r#""d":{"default":"kept","enum":["kept"]}"#), "{text}");
        assert!(text.contains(r#""properties":{"default":{"type":"string"}}"#), "{text}");
    }
}
