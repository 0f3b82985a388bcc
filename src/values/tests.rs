//! Files of every kind, merged and held to a schema.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::*;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn files(folder: &Path, names: &[&str]) -> Vec<Source> {
    names.iter().map(|name| Source::File(folder.join(name))).collect()
}

fn set(key: &str, text: &str) -> Source {
    Source::Set { key: key.parse().unwrap(), text: text.into() }
}

#[test]
fn files_are_merged_and_single_values_go_on_top() {
    let folder = folder(&[
        ("a.toml", "port = 80\nday = 2020-01-01\n[db]\nhost = \"a\"\nports = [1, 2]\n"),
        ("b.yaml", "db:\n  host: b\n  ports: [3]\nname: yes\n"),
        ("c.json", r#"{"db": {"user": "c"}}"#),
        ("empty.yaml", "# nothing\n"),
    ]);
    let mut sources = files(folder.path(), &["a.toml", "b.yaml", "c.json", "empty.yaml"]);
    sources.extend([set("db.user", "d"), set("port", "81"), set("on", "true"), set("text", "1 2")]);
    assert_eq!(
        *Values::read(&sources).unwrap().merged(),
        json!({
            "port": 81, "day": "2020-01-01", "name": "yes", "on": true, "text": "1 2",
            "db": { "host": "b", "ports": [3], "user": "d" },
        })
    );
}

#[test]
fn files_that_can_not_be_understood_are_named_together() {
    let folder = folder(&[
        ("a.toml", "a = 1\na = 2\n"),
        ("b.yaml", "a: 1\na: 2\n"),
        ("c.json", "[1]"),
        ("d.txt", ""),
        (
            "e.yaml",
            "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]\ng: [*f, *f, *f, *f, *f, *f, *f, *f, *f]\n",
        ),
    ]);
    let sources = files(folder.path(), &["a.toml", "b.yaml", "c.json", "d.txt", "e.yaml", "f.toml"]);
    let text = Values::read(&sources).unwrap_err().to_string();
    for (name, why) in [
        ("a.toml", "line 2: duplicate key"),
        ("b.yaml", "duplicate"),
        ("c.json", "it holds no table"),
        ("d.txt", "cannot tell what"),
        ("e.yaml", "cannot understand"),
        ("f.toml", "cannot read"),
    ] {
        assert!(text.lines().any(|line| line.contains(name)) && text.contains(why), "{name}: {text}");
    }
}

const SCHEMA: &str = r##"{
    "type": "object", "required": ["db"],
    "$defs": { "port": { "type": "integer", "minimum": 1, "maximum": 65535, "default": 5432 } },
    "properties": {
        "db": {
            "type": "object", "required": ["host"],
            "properties": {
                "host": { "type": "string" },
                "port": { "$ref": "#/$defs/port" },
                "password": { "type": "string", "minLength": 8, "writeOnly": true }
            }
        },
        "level": { "enum": ["info", "debug"], "default": "info" }
    }
}"##;

fn schema() -> (TempDir, Schema) {
    let folder = folder(&[("schema.json", SCHEMA)]);
    let schema = Schema::read(&folder.path().join("schema.json")).unwrap();
    (folder, schema)
}

#[test]
fn defaults_stand_below_values_and_secrets_are_known() {
    let (_folder, schema) = schema();
    let values = Values::read(&[set("db.host", "a")]).unwrap().held_to(&schema).unwrap();
    assert_eq!(*values.merged(), json!({ "db": { "host": "a", "port": 5432 }, "level": "info" }));
    assert_eq!(schema.secrets(), ["db.password".parse().unwrap()]);
}

#[test]
fn every_violation_is_told_with_its_place_and_no_secret() {
    let (_folder, schema) = schema();
    let sources =
        [set("db.port", "0"), set("db.password", "hunter2"), set("levle", "x"), set("db.hots", "y")];
    let Err(Error::Violations(found)) = Values::read(&sources).unwrap().held_to(&schema) else { panic!() };
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "`db`: \"host\" is a required property (from --set db.hots)",
            "`db.hots`: the schema knows no such key; did you mean `host`? (from --set db.hots)",
            "`db.password`: it is secret, and not what `minLength` in the schema allows (from --set db.password)",
            "`db.port`: 0 is less than the minimum of 1 (from --set db.port)",
            "`levle`: the schema knows no such key; did you mean `level`? (from --set levle)",
        ]
    );
}

#[test]
fn a_schema_that_is_none_is_an_error() {
    let folder = folder(&[("a.json", r#"{"type": "sting"}"#), ("b.json", r#"{"$ref": "other.json"}"#)]);
    for name in ["a.json", "b.json"] {
        let error = Schema::read(&folder.path().join(name)).unwrap_err().to_string();
        assert!(error.contains("is no JSON Schema"), "{error}");
    }
}

#[test]
fn keys() {
    for text in ["", "a..b", ".a", "a b"] {
        assert!(text.parse::<KeyPath>().is_err(), "{text:?}");
    }
    let key = |text: &str| text.parse::<KeyPath>().unwrap();
    assert!(
        key("a.b").is_along(&key("a")) && key("a").is_along(&key("a.b")) && !key("a.b").is_along(&key("a.c"))
    );
    assert_eq!(key("a.1").find(&json!({ "a": [1, 2] })), Some(&json!(2)));
}
