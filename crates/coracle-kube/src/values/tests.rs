//! Files of every format, merged and validated by a schema.

use std::path::Path;

use coracle_core::hint::Hint as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn files(folder: &Path, names: &[&str]) -> Vec<ValueSource> {
    names.iter().map(|name| ValueSource::File(folder.join(name))).collect()
}

fn set(key: &str, text: &str) -> ValueSource {
    ValueSource::Set { key: key.parse().unwrap(), text: text.into() }
}

#[test]
fn merges_files_and_single_values_in_order() {
    let folder = folder(&[
        ("a.toml", "port = 80\nday = 2020-01-01\n[db]\nhost = \"a\"\nports = [1, 2]\n"),
        ("b.yaml", "db:\n  host: b\n  ports: [3]\nname: 'yes'\n"),
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
fn set_file_drops_the_last_line_feed() {
    let folder = folder(&[]);
    for (text, value) in [
        ("secret\n", "secret"),
        ("secret\r\n", "secret"),
        ("secret", "secret"),
        ("a\nb\n\n", "a\nb\n"),
        ("\n", ""),
        ("secret\r", "secret\r"),
        ("", ""),
    ] {
        let path = folder.path().join("password");
        std::fs::write(&path, text).unwrap();
        for (is_exact, expected) in [(false, value), (true, text)] {
            let source =
                ValueSource::SetFile { key: "db.password".parse().unwrap(), path: path.clone(), is_exact };
            let values = Values::read(&[source]).unwrap();
            assert_eq!(*values.merged(), json!({ "db": { "password": expected } }), "{text:?}");
        }
    }
}

#[test]
fn reports_all_invalid_files() {
    let folder = folder(&[
        ("a.toml", "a = 1\na = 2\n"),
        ("b.yaml", "a: 1\na: 2\n"),
        ("c.json", "[1]"),
        ("g.json", "{\"db\":\n{\"a\": 1,\n\"a\": 2}}"),
        ("d.txt", ""),
        (
            "e.yaml",
            "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]\ng: [*f, *f, *f, *f, *f, *f, *f, *f, *f]\n",
        ),
    ]);
    let sources =
        files(folder.path(), &["a.toml", "b.yaml", "c.json", "d.txt", "e.yaml", "f.toml", "g.json"]);
    let text = Values::read(&sources).unwrap_err().to_string();
    for (name, why) in [
        ("a.toml", "line 2: duplicate key"),
        ("b.yaml", "duplicate"),
        ("c.json", "the top level is not a table"),
        ("d.txt", "cannot tell the format of"),
        ("e.yaml", "cannot parse"),
        ("f.toml", "cannot read"),
        ("g.json", "line 3: duplicate key `a`"),
    ] {
        assert!(text.lines().any(|line| line.contains(name)) && text.contains(why), "{name}: {text}");
    }
}

#[test]
fn rejects_non_canonical_numbers_without_showing_them() {
    let folder = folder(&[
        ("a.yaml", "mode: 0644\ndb:\n  ports: [1, 1_000]\n  x: &x 0x1f\n  y: *x\nz: !!int '7'\n"),
        ("b.toml", "version = 1.10\ncount = +1\n[[db]]\nok = 1.5\nbig = 1e3\n"),
        ("c.json", "{\"big\": 99999999999999999999,\n\"db\": [{\"a\": 1.0, \"b\": 1.00}]}"),
    ]);
    let mut sources = files(folder.path(), &["a.yaml", "b.toml", "c.json"]);
    sources.extend([
        set("a", "1.10"),
        set("b.c", "{\"d\": [1, 1e3]}"),
        set("e", "0644"),
        set("f", "{\"a\":1,\"a\":2}"),
    ]);
    let error = Values::read(&sources).unwrap_err();
    let text = error.to_string().replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(
        text.replace(
            ": the number would change when it is rendered, because it is not in canonical form",
            ""
        ),
        "`mode` (from a.yaml, line 1)
`db.ports.1` (from a.yaml, line 3)
`db.x` (from a.yaml, line 4)
`db.y` (from a.yaml, line 4)
`z` (from a.yaml, line 6)
`count` (from b.toml, line 2)
`db.0.big` (from b.toml, line 5)
`version` (from b.toml, line 1)
`big` (from c.json, line 1)
`db.0.b` (from c.json, line 2)
`a` (from --set a)
`b.c.d.1` (from --set b.c)
cannot parse `--set f`: duplicate key `a`"
    );
    let hint = error.hint().unwrap();
    for part in ["--set 'a=\"1.10\"'", "a mode `\"0644\"`", "write each key once"] {
        assert!(hint.contains(part), "{hint}");
    }
}

#[test]
fn rejects_unquoted_yaml_1_1_booleans_with_the_fix() {
    let folder = folder(&[
        ("a.yaml", "debug: no\ndb:\n  x: &x Off\n  y: [*x, Y]\n  text: 'on'\n  n: !!str yes\ngit: 12e3456\n"),
        ("schema.yaml", "properties:\n  a: {default: on, enum: [on]}\n"),
    ]);
    let mut sources = files(folder.path(), &["a.yaml"]);
    sources.extend([set("a", "no"), set("b", "False"), set("c", "\"no\""), set("d", "None")]);
    let error = Values::read(&sources).unwrap_err();
    let text = error.to_string().replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(
        text.replace(": the unquoted word is a boolean for some programs and text for others", " boolean"),
        "`debug` boolean (from a.yaml, line 1)
`db.x` boolean (from a.yaml, line 3)
`db.y.0` boolean (from a.yaml, line 3)
`db.y.1` boolean (from a.yaml, line 4)
`git`: the number would change when it is rendered, because it is not in canonical form (from a.yaml, line 7)
`a` boolean (from --set a)
`b` boolean (from --set b)"
    );
    let hint = error.hint().unwrap();
    for part in ["as `true` or `false`", "--set 'a=\"no\"'", "quote it if it is text: `\"no\"`"] {
        assert!(hint.contains(part), "{hint}");
    }
    let error = Schema::read(&folder.path().join("schema.yaml")).unwrap_err().to_string();
    assert!(error.starts_with("`properties.a.default`: the unquoted word"), "{error}");
}

#[test]
fn accepts_canonical_numbers_and_dates() {
    let folder = folder(&[
        ("a.yaml", "base: &base {a: 1, b: -5}\nx:\n  <<: *base\n  a: 2\ny: 1_a\n"),
        ("b.toml", "day = 2020-01-01 07:32:00Z\nn = [0.25, -1.5]\n"),
    ]);
    let values = Values::read(&files(folder.path(), &["a.yaml", "b.toml"])).unwrap();
    let expected = json!({
        "base": { "a": 1, "b": -5 }, "x": { "a": 2, "b": -5 }, "y": "1_a",
        "day": "2020-01-01 07:32:00Z", "n": [0.25, -1.5],
    });
    assert_eq!(*values.merged(), expected);
}

#[test]
fn requires_canonical_numbers_in_defaults_only() {
    let folder = folder(&[
        ("a.json", r#"{"properties": {"v": {"maximum": 1e3, "default": 1.5}}}"#),
        ("b.json", "{\"properties\": {\n\"v\": {\"default\": {\"a\": 1.50}}}}"),
    ]);
    assert!(Schema::read(&folder.path().join("a.json")).is_ok());
    let error = Schema::read(&folder.path().join("b.json")).unwrap_err().to_string();
    assert!(error.starts_with("`properties.v.default.a`: ") && error.ends_with("b.json, line 2)"), "{error}");
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
fn applies_defaults_and_finds_secrets() {
    let (_folder, schema) = schema();
    let values = Values::read(&[set("db.host", "a")]).unwrap().validate(&schema).unwrap();
    assert_eq!(*values.merged(), json!({ "db": { "host": "a", "port": 5432 }, "level": "info" }));
    assert_eq!(schema.secrets(), ["db.password".parse().unwrap()]);
}

/// Returns the values with defaults, or the violations, one a line.
fn validated(schema: &Value, values: &Value) -> Result<Value, String> {
    let schema = Schema::new("schema.json".into(), schema.clone()).unwrap();
    let mut read = Values::default();
    read.add_layer(ValueSource::File("values.json".into()), values.clone());
    read.validate(&schema).map(|values| values.merged().clone()).map_err(|error| error.to_string())
}

#[test]
fn adds_defaults_to_given_tables_only() {
    let tls = json!({ "type": "object", "required": ["cert"], "properties": {
        "cert": { "type": "string" }, "port": { "default": 443 }, "log": { "properties": { "on": { "default": true } } } } });
    let optional = json!({ "properties": { "tls": tls } });
    let referred = json!({ "properties": { "tls": { "$ref": "#/$defs/tls" } }, "$defs": { "tls": tls } });
    let combined = json!({ "properties": { "tls": { "allOf": [tls] } } });
    let list = json!({ "properties": { "hosts": { "items": tls } } });
    let map = json!({ "properties": { "hosts": { "additionalProperties": tls } } });
    let by_pattern = json!({ "properties": { "hosts": { "patternProperties": { "^a": tls } } } });
    let with_default = json!({ "properties": { "log": { "default": {}, "properties": { "level": { "default": "info" } } } } });
    let default_of_target = json!({ "properties": { "a": { "allOf": [{ "$ref": "#/$defs/a" }] } }, "$defs": { "a": { "default": 1 } } });
    let of_conditions = json!({ "properties": { "a": {} },
        "if": { "properties": { "a": { "const": 1 }, "never": { "default": 1 } } },
        "then": { "properties": { "b": { "default": 2 } } }, "else": { "properties": { "c": { "default": 3 } } } });
    let of_dependencies = json!({ "properties": { "a": {} }, "dependentSchemas": { "a": { "properties": { "b": { "default": 2 } } } } });
    for (schema, values, expected) in [
        (&optional, json!({}), json!({})),
        (&optional, json!({ "tls": { "cert": "x" } }), json!({ "tls": { "cert": "x", "port": 443 } })),
        (
            &optional,
            json!({ "tls": { "cert": "x", "port": 1, "log": {} } }),
            json!({ "tls": { "cert": "x", "port": 1, "log": { "on": true } } }),
        ),
        (&referred, json!({}), json!({})),
        (&referred, json!({ "tls": { "cert": "x" } }), json!({ "tls": { "cert": "x", "port": 443 } })),
        (&combined, json!({}), json!({})),
        (&combined, json!({ "tls": { "cert": "x" } }), json!({ "tls": { "cert": "x", "port": 443 } })),
        (&list, json!({ "hosts": [{ "cert": "x" }] }), json!({ "hosts": [{ "cert": "x", "port": 443 }] })),
        (
            &map,
            json!({ "hosts": { "a/b ~": { "cert": "x" } } }),
            json!({ "hosts": { "a/b ~": { "cert": "x", "port": 443 } } }),
        ),
        (
            &by_pattern,
            json!({ "hosts": { "a": { "cert": "x" } } }),
            json!({ "hosts": { "a": { "cert": "x", "port": 443 } } }),
        ),
        (&with_default, json!({}), json!({ "log": { "level": "info" } })),
        (&default_of_target, json!({}), json!({ "a": 1 })),
        (&of_conditions, json!({ "a": 1 }), json!({ "a": 1, "b": 2 })),
        (&of_conditions, json!({ "a": 2 }), json!({ "a": 2, "c": 3 })),
        (&of_dependencies, json!({}), json!({})),
        (&of_dependencies, json!({ "a": 1 }), json!({ "a": 1, "b": 2 })),
    ] {
        assert_eq!(validated(schema, &values), Ok(expected), "{schema} {values}");
    }
    let error = validated(&optional, &json!({ "tls": {} })).unwrap_err();
    assert!(error.contains("\"cert\" is a required property"), "{error}");
    let endless = json!({ "$ref": "#/$defs/n", "$defs": { "n": { "properties": { "l": { "$ref": "#/$defs/n" }, "r": { "$ref": "#/$defs/n" } }, "default": {} } } });
    assert!(validated(&endless, &json!({})).is_ok());
}

#[test]
fn adds_defaults_of_branches_that_hold() {
    let closed = |name: &str, default: Value| json!({ "type": "object", "additionalProperties": false, "properties": { name: { "type": "string", "default": default } } });
    let plain = json!({ "type": "object", "additionalProperties": false, "properties": { "path": { "type": "string" } } });
    let branches = json!([plain, closed("region", "eu".into())]);
    let kind = |kind: &str, name: &str| json!({ "required": ["kind", name], "properties": { "kind": { "const": kind }, name: { "default": kind } } });
    let kinds = json!([kind("file", "path"), kind("s3", "region")]);
    let either = json!([closed("a", "x".into()), closed("b", "y".into()), { "type": "string" }]);
    for keyword in ["oneOf", "anyOf"] {
        let schema = |branches: &Value| json!({ "properties": { "s": { keyword: branches } } });
        for (schema, values, expected) in [
            (schema(&branches), json!({ "path": "/d" }), json!({ "path": "/d" })),
            (schema(&branches), json!({ "region": "us" }), json!({ "region": "us" })),
            // The branch holds only with its default.
            (schema(&kinds), json!({ "kind": "s3" }), json!({ "kind": "s3", "region": "s3" })),
            (schema(&kinds), json!({ "kind": "file" }), json!({ "kind": "file", "path": "file" })),
            (schema(&either), json!("text"), json!("text")),
        ] {
            let expected = Ok(json!({ "s": expected }));
            assert_eq!(validated(&schema, &json!({ "s": values })), expected, "{schema} {values}");
        }
        assert_eq!(validated(&schema(&branches), &json!({})), Ok(json!({})));
        let items = json!({ "properties": { "l": { "items": { keyword: kinds } } } });
        assert_eq!(
            validated(&items, &json!({ "l": [{ "kind": "s3" }, { "kind": "file", "path": "/" }] })),
            Ok(json!({ "l": [{ "kind": "s3", "region": "s3" }, { "kind": "file", "path": "/" }] }))
        );
        // Two branches hold with their defaults: none is chosen.
        let ambiguous =
            json!([kind("file", "path"), kind("s3", "region")]).to_string().replace("const", "default");
        let error =
            validated(&schema(&serde_json::from_str(&ambiguous).unwrap()), &json!({ "s": {} })).unwrap_err();
        assert!(error.contains("is not valid under any"), "{error}");
    }
}

#[test]
fn reports_keys_that_no_applicable_schema_describes() {
    let conditional = json!({ "properties": { "mode": {} }, "if": { "properties": { "mode": { "const": "tls" } } },
        "then": { "properties": { "cert": {} } }, "else": { "properties": { "plain": {} } } });
    let dependent =
        json!({ "properties": { "a": {} }, "dependentSchemas": { "a": { "properties": { "b": {} } } } });
    let beside = json!({ "properties": { "t": { "$ref": "#/$defs/t", "properties": { "extra": {} } } }, "$defs": { "t": { "properties": { "name": {} } } } });
    let draft_7 = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "properties": { "t": { "$ref": "#/definitions/t", "properties": { "extra": {} } } },
        "definitions": { "t": { "properties": { "name": {} } } }, "dependencies": { "t": { "properties": { "later": {} } } } });
    let all = json!({ "allOf": [{ "properties": { "a": {} } }, { "properties": { "b": {} } }] });
    let one = json!({ "oneOf": [{ "required": ["a"], "properties": { "a": {} } }, { "required": ["b"], "properties": { "b": {} } }] });
    let patterns = json!({ "properties": { "a": {} }, "patternProperties": { "^x-": true } });
    let items = json!({ "properties": { "l": { "items": { "properties": { "name": {} } } } } });
    let map = json!({ "properties": { "m": { "additionalProperties": { "properties": { "name": {} } } } } });
    let open = json!({ "properties": { "a": {} }, "additionalProperties": true });
    let free = json!({ "properties": { "m": { "type": "object" } } });
    let with_id = json!({ "$id": "https://example.test/a b.json", "properties": { "t x": { "properties": { "name": {} } } } });
    for (schema, values, unknown) in [
        (&conditional, json!({ "mode": "tls", "cert": 1 }), None),
        (&conditional, json!({ "mode": "off", "plain": 1 }), None),
        (&conditional, json!({ "mode": "off", "cert": 1 }), Some("cert")),
        (&dependent, json!({ "a": 1, "b": 1 }), None),
        (&dependent, json!({ "b": 1 }), Some("b")),
        (&beside, json!({ "t": { "name": 1, "extra": 1 } }), None),
        (&beside, json!({ "t": { "nmae": 1 } }), Some("t.nmae")),
        (&draft_7, json!({ "t": { "name": 1, "extra": 1 }, "later": 1 }), None),
        (&draft_7, json!({ "t": { "extr": 1 } }), Some("t.extr")),
        (&all, json!({ "a": 1, "b": 1 }), None),
        (&all, json!({ "a": 1, "c": 1 }), Some("c")),
        (&one, json!({ "a": 1 }), None),
        (&one, json!({ "a": 1, "c": 1 }), Some("c")),
        (&patterns, json!({ "a": 1, "x-b": 1 }), None),
        (&patterns, json!({ "y-b": 1 }), Some("y-b")),
        (&items, json!({ "l": [{ "name": 1 }] }), None),
        (&items, json!({ "l": [{ "name": 1 }, { "nam": 1 }] }), Some("l.1.nam")),
        (&map, json!({ "m": { "x": { "name": 1 }, "y": {} } }), None),
        (&map, json!({ "m": { "x": { "nam": 1 } } }), Some("m.x.nam")),
        (&open, json!({ "b": 1 }), None),
        (&free, json!({ "m": { "b": 1 } }), None),
        (&with_id, json!({ "t x": { "name": 1 } }), None),
        (&with_id, json!({ "t x": { "nam": 1 } }), Some("t x.nam")),
    ] {
        let found = validated(schema, &values).err();
        let expected = unknown.map(|key| format!("`{key}`: the schema does not declare this key"));
        match (&found, &expected) {
            (None, None) => {}
            (Some(found), Some(expected)) if found.starts_with(expected.as_str()) => {}
            _ => panic!("{schema} {values}: {found:?} instead of {expected:?}"),
        }
    }
    // In a build, the value of the condition may be given later.
    let schema = Schema::new(
        "schema.json".into(),
        json!({ "properties": { "mode": {} },
        "if": { "required": ["mode"] }, "then": { "properties": { "cert": {} } } }),
    )
    .unwrap();
    let partial = |key: &str| Values::read(&[set(key, "x")]).unwrap().validate_partial(&schema);
    assert!(partial("cert").is_ok());
    assert!(
        partial("crt").unwrap_err().to_string().contains("did you mean `mode`") || partial("crt").is_err()
    );
}

#[test]
fn checks_formats_in_every_draft() {
    for draft in [
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        for (format, good, bad) in [
            ("ipv4", "127.0.0.1", "127.0.0"),
            ("uri", "https://a.test/", "a b"),
            ("date-time", "2020-01-01T00:00:00Z", "today"),
            ("email", "a@b.test", "a"),
            ("hostname", "a.test", "-a"),
            ("ipv6", "::1", "::g"),
        ] {
            let schema = json!({ "$schema": draft, "properties": { "a": { "format": format } } });
            assert!(validated(&schema, &json!({ "a": good })).is_ok(), "{draft} {format}");
            let error = validated(&schema, &json!({ "a": bad })).unwrap_err();
            assert!(error.contains(&format!("is not a \"{format}\"")), "{draft}: {error}");
        }
        assert!(
            validated(
                &json!({ "$schema": draft, "properties": { "a": { "format": "x-mine" } } }),
                &json!({ "a": "" })
            )
            .is_ok()
        );
    }
}

#[test]
fn reports_every_violation_without_secrets() {
    let (_folder, schema) = schema();
    let sources =
        [set("db.port", "0"), set("db.password", "hunter2"), set("levle", "x"), set("db.hots", "y")];
    let Err(ValuesError::Violations(found)) = Values::read(&sources).unwrap().validate(&schema) else {
        panic!()
    };
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "`db`: \"host\" is a required property (from --set db.hots)",
            "`db.hots`: the schema does not declare this key; did you mean `host`? (from --set db.hots)",
            "`db.password`: the value is secret and violates `minLength` of the schema (from --set db.password)",
            "`db.port`: 0 is less than the minimum of 1 (from --set db.port)",
            "`levle`: the schema does not declare this key; did you mean `level`? (from --set levle)",
        ]
    );
}

#[test]
fn reports_an_invalid_default_of_the_schema() {
    let text = r#"{"properties": {"db": {"properties": {
        "port": {"minimum": 1, "default": 0}, "user": {"type": "string"}, "list": {"minItems": 2, "default": []}
    }}}}"#;
    let folder = folder(&[("schema.json", text), ("a.toml", "[db]\nuser = 1\nlist = [1]\n")]);
    let schema = Schema::read(&folder.path().join("schema.json")).unwrap();
    let error = Values::read(&files(folder.path(), &["a.toml"])).unwrap().validate(&schema).unwrap_err();
    let at = folder.path().display();
    for part in [
        format!("`db.port`: 0 is less than the minimum of 1 (from the default in {at}/schema.json)"),
        format!("`db.user`: 1 is not of type \"string\" (from {at}/a.toml)"),
        format!("`db.list`: [1] has less than 2 items (from {at}/a.toml)"),
    ] {
        assert!(error.to_string().contains(&part), "{part}: {error}");
    }
}

#[test]
fn rejects_invalid_schemas() {
    let folder = folder(&[("a.json", r#"{"type": "sting"}"#), ("b.json", r#"{"$ref": "other.json"}"#)]);
    for name in ["a.json", "b.json"] {
        let error = Schema::read(&folder.path().join(name)).unwrap_err().to_string();
        assert!(error.contains("is not a valid JSON Schema"), "{error}");
    }
}

#[test]
fn parses_and_compares_keys() {
    for text in ["", "a..b", ".a", "a b"] {
        assert!(text.parse::<KeyPath>().is_err(), "{text:?}");
    }
    let key = |text: &str| text.parse::<KeyPath>().unwrap();
    assert!(
        key("a.b").overlaps(&key("a")) && key("a").overlaps(&key("a.b")) && !key("a.b").overlaps(&key("a.c"))
    );
    assert_eq!(key("a.1").find(&json!({ "a": [1, 2] })), Some(&json!(2)));
}

#[test]
fn deep_references_and_keys_are_errors_and_no_stack_overflow() {
    let defs =
        (0..50_000).map(|number| (number.to_string(), json!({ "$ref": format!("#/$defs/{}", number + 1) })));
    let mut defs: serde_json::Map<_, _> = defs.collect();
    defs.insert("50000".into(), json!({ "type": "string" }));
    let document = json!({ "$ref": "#/$defs/0", "$defs": defs });
    let error = Schema::new("s.json".into(), document).err().unwrap().to_string();
    assert!(error.contains("it has too many references, or they are nested too deeply"), "{error}");
    assert!("a.".repeat(100_000).trim_end_matches('.').parse::<KeyPath>().is_err());
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for name in ["v.json", "v.yaml", "v.toml"] {
            let folder = folder(&[(name, &format!("{}{deep}", if name == "v.toml" { "a = " } else { "" }))]);
            assert!(Values::read(&files(folder.path(), &[name])).is_err(), "{name} {open}");
        }
    }
}
