//! Small templates, their output and their errors.

use coracle_core::hint::Hint as _;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn template(text: &str) -> TemplateSource {
    TemplateSource { path: "app.conf.j2".into(), text: text.into(), syntax: TemplateSyntax::default() }
}

fn render(text: &str, values: &Value) -> Result<String, String> {
    template(text).render(values).map(|rendered| rendered.text).map_err(|error| error.to_string())
}

#[test]
fn keeps_text_byte_for_byte() {
    for text in ["", "a\n", "a", "a\r\n\tb  \n\n", "\u{feff}é\0"] {
        assert_eq!(render(text, &json!({})).unwrap(), text);
    }
    let values = json!({ "a": "<&>\"'", "n": 1.5, "on": true, "list": [1, "x"] });
    assert_eq!(render("{{ a }}|{{ n }}|{% if on %}on{% endif %}\n", &values).unwrap(), "<&>\"'|1.5|on\n");
}

#[test]
fn filters_print_values_in_a_language() {
    let values = json!({ "s": "it's <\"é\">\n", "l": [1, "x"], "t": { "b": 1, "a": "y" }, "n": null });
    for (text, expected) in [
        ("{{ s|json }}", r#""it's <\"é\">\n""#),
        ("{{ t|json }}", r#"{"a":"y","b":1}"#),
        ("{{ l|toml }}", r#"[1, "x"]"#),
        ("{{ t|toml }}", r#"{ a = "y", b = 1 }"#),
        ("{{ s|yaml }}", r#""it's <\"é\">\n""#),
        ("{{ s|sh }}", "'it'\\''s <\"é\">\n'"),
        ("{{ l[0]|sh }}", "1"),
        ("{{ n|json }}", "null"),
        ("{{ 'p@ss/w:rd é'|urlencode }}", "p%40ss%2Fw%3Ard%20%C3%A9"),
        ("{{ 'aZ0-._~'|urlencode }}{{ l[0]|urlencode }}", "aZ0-._~1"),
        ("{{ 'user:é'|b64encode }}", "dXNlcjrDqQ=="),
        ("{{ 'dXNlcjrDqQ=='|b64decode }}{{ 'YQ==\\n'|b64decode }}", "user:éa"),
        ("{{ s|b64encode|b64decode|json }}", r#""it's <\"é\">\n""#),
    ] {
        assert_eq!(render(text, &values).unwrap(), expected, "{text}");
    }
    for text in [
        "{{ n|toml }}",
        "{{ l|sh }}",
        "{{ l|urlencode }}",
        "{{ n|b64encode }}",
        "{{ '?'|b64decode }}",
        "{{ '/w=='|b64decode }}",
    ] {
        assert!(render(text, &values).unwrap_err().contains("cannot write the value as"), "{text}");
    }
    for filter in ["urlencode", "b64encode", "b64decode"] {
        let error = render(&format!("{{{{ x|{filter} }}}}"), &values).unwrap_err();
        assert!(error.starts_with("`x` is undefined"), "{error}");
    }
}

#[test]
fn reports_undefined_names_with_position() {
    let values = json!({ "db": { "port": 1 } });
    for (text, expected) in [
        ("a\n{{ db.prot }}", "`db.prot` is undefined; did you mean `db.port`?\n   --> app.conf.j2:2"),
        ("{{ nothing_like_it }}", "`nothing_like_it` is undefined\n   --> app.conf.j2:1"),
        ("{% for x in dbs %}{% endfor %}", "`dbs` is undefined; did you mean `db`?\n   --> app.conf.j2:1"),
    ] {
        assert_eq!(render(text, &values).unwrap_err(), expected);
    }
}

#[test]
fn reports_the_undefined_part_of_an_expression() {
    let values =
        json!({ "a": {}, "list": [{ "name": 1 }], "log-level": "info", "db": { "max-size": 1 }, "level": 1 });
    for (text, expected) in [
        ("{{ a.b.c }}", "`a.b` is undefined"),
        ("{{ a.b.c.d|upper }}", "`a.b` is undefined"),
        ("{{ a['b'].c }}", "`a['b']` is undefined"),
        ("{% for x in a.b.c %}{% endfor %}", "`a.b` is undefined"),
        ("{% if a.b.c == 1 %}{% endif %}", "`a.b` is undefined"),
        ("{{ list[0].nam }}", "`list[0].nam` is undefined; did you mean `list[0].name`?"),
        ("{% for x in list %}{{ x.b.c }}{% endfor %}", "`x.b` is undefined"),
        ("{{ a.b ~ 'x' }}", "`a.b` is undefined"),
        ("{{ log-level }}", "`log` is undefined; did you mean `values[\"log-level\"]`?"),
        ("{{ level-log }}", "`log` is undefined"),
        ("{{ db.max-size }}", "`db.max` is undefined; did you mean `db[\"max-size\"]`?"),
        (
            "{{ values['log-leve'] }}",
            "`values['log-leve']` is undefined; did you mean `values[\"log-level\"]`?",
        ),
    ] {
        let error = render(text, &values).unwrap_err();
        assert_eq!(error.lines().next().unwrap(), expected, "{text}");
    }
    let error = template("{{ log-level }}").render(&values).unwrap_err();
    assert_eq!(error.hint().unwrap(), "`-` is a minus sign in a template: write `values[\"log-level\"]`");
}

#[test]
fn reaches_every_key_through_the_table_of_all_values() {
    let values = json!({ "log-level": "info", "a b": { "c.d": [1, 2] }, "if": 3, "plain": "p", "2nd": 4 });
    for (text, expected, uses) in [
        ("{{ values[\"log-level\"] }}", "info", "log-level"),
        ("{{ values['a b']['c.d'][1] }}", "2", "a b.c.d.1"),
        ("{{ values['if'] }}{{ values['2nd'] }}", "34", "2nd if"),
        ("{{ values.plain }}", "p", "plain"),
        ("{% for key in values %}{{ key }},{% endfor %}", "2nd,a b,if,log-level,plain,", ""),
        ("{{ plain[1:] }}{{ plain }}", "p", " plain"),
    ] {
        let rendered = template(text).render(&values).unwrap();
        assert_eq!(rendered.text, expected, "{text}");
        let found: Vec<String> = rendered.used_keys.iter().map(ToString::to_string).collect();
        assert_eq!(found.join(" "), uses, "{text}");
    }
    let error = template("{{ a }}").render(&json!({ "a": 1, "values": 2 })).unwrap_err();
    assert!(error.to_string().contains("the key `values` is reserved"), "{error}");
}

#[test]
fn reports_where_an_unclosed_part_begins() {
    for (text, part, line) in [
        ("a\n{# b\nc\n", "{#", 2),
        ("{# x #}\n{# b #}\n{#- c {# d\n\n", "{#", 3),
        ("a\n{% raw %}\n{{ b }}\n", "{% raw %}", 2),
        ("a\n{% if true %}\n{% if true %}{% endif %}\n\n", "{% if %}", 2),
        ("{% set x = 1 %}\n{%- for y in [1] -%}\nz\n", "{% for %}", 2),
        ("{% macro m() %}\n{% endmacro %}\n{% block b %}\n", "{% block %}", 3),
        ("{% if true %}{% endif %}\n{% set x %}\ny\n", "{% set %}", 2),
        ("a\n{{ b\n\n", "{{", 2),
        ("a\n{{ b|json\n", "{{", 2),
        ("{% if true %}{% endif %}\n{% if a\n\n", "{%", 2),
    ] {
        let error = render(text, &json!({ "b": 1 })).unwrap_err();
        assert_eq!(error, format!("`{part}` is not closed\n   --> app.conf.j2:{line}"), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.j2"), "\n{# b").unwrap();
    let template = TemplateSource { path: folder.path().join("a.j2"), ..template("{% include 'b.j2' %}") };
    let error = template.render(&json!({})).unwrap_err().to_string();
    assert!(error.starts_with("`{#` is not closed") && error.ends_with("b.j2:2"), "{error}");
}

#[test]
fn advises_users_of_other_template_languages() {
    let values = json!({ "t": { "a": 1 }, "s": "x", "l": [1] });
    for (text, part) in [
        ("{% for k, v in t.items() %}{% endfor %}", "in table|items"),
        ("{% for k in t.keys() %}{% endfor %}", "for key in table"),
        ("{{ t.get('a') }}", "table.key|default"),
        ("{{ s.upper() }}", "x|upper"),
        ("{{ s.startswith('a') }}", "startingwith"),
        ("{{ t|tojson }}", "`|json`"),
        ("{{ t|to_nice_yaml }}", "`|yaml`"),
        ("{{ t|toYaml }}", "`|yaml`"),
        ("{{ s|quote }}", "`|json`"),
        ("{{ s|b64enc }}", "`|b64encode`"),
        ("{{ default('x', s) }}", "x|default(\"y\")"),
        ("{{ s | default \"y\" }}", "x|default(\"y\")"),
        ("{{ .Values.s }}", "`{{ .Values.image.tag }}`"),
        ("{{ .s }}", "no `.` or `$` in front"),
        ("{{- if s }}", "{% if x %}"),
        ("{{ range .l }}", "{% for x in list %}"),
        ("{{ include('x') }}", "{% include"),
        ("{{ env('HOME') }}", "no environment, clock"),
        ("{{ lookup('env', 'HOME') }}", "no environment, clock"),
        ("{{ s|nindent(4) }}", "|indent(4)"),
    ] {
        let hint = template(text).render(&values).unwrap_err().hint().unwrap();
        assert!(hint.contains(part), "{text}: {hint}");
    }
    assert_eq!(render("{% for k, v in t|items %}{{ k }}{{ v }}{% endfor %}", &values).unwrap(), "a1");
    assert_eq!(render("{{ t.b|default('y') }}{{ s is startingwith('x') }}", &values).unwrap(), "ytrue");
}

#[test]
fn trims_white_space_around_blocks_if_set() {
    let text = "a\n  {% if true %}\nb\n  {% endif %}\n{{ 1 }}\nc\n";
    for (trim_blocks, lstrip_blocks, expected) in [
        (false, false, "a\n  \nb\n  \n1\nc\n"),
        (true, false, "a\n  b\n  1\nc\n"),
        (false, true, "a\n\nb\n\n1\nc\n"),
        (true, true, "a\nb\n1\nc\n"),
    ] {
        let syntax = TemplateSyntax { trim_blocks, lstrip_blocks, ..TemplateSyntax::default() };
        let rendered = TemplateSource { syntax, ..template(text) }.render(&json!({})).unwrap();
        assert_eq!(rendered.text, expected);
        let line = rendered.template_line(rendered.text.find('c').unwrap());
        assert_eq!(line, Some(("app.conf.j2", 6)));
    }
}

#[test]
fn rejects_invalid_and_endless_templates() {
    for (text, why) in [
        ("{{ a", "app.conf.j2:1"),
        (
            "\n{% for x in range(1000) %}{% for y in range(1000) %}{% for z in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}",
            "too many steps",
        ),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "recursion"),
        ("{{ debug() }}", "unknown function"),
        ("{{ now() }}", "unknown function"),
        ("{{ 1 | nofilter }}", "unknown filter"),
    ] {
        let error = render(text, &json!({})).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn supports_other_delimiters() {
    let pair = |start: &str, end: &str| (start.to_owned(), end.to_owned());
    let delimiters =
        Delimiters { variable: pair("<<", ">>"), block: pair("<%", "%>"), comment: pair("<#", "#>") };
    let template = TemplateSource {
        syntax: TemplateSyntax { delimiters, ..TemplateSyntax::default() },
        ..template("{{ a }} << a >><# gone #><% if a %>!<% endif %>")
    };
    assert_eq!(template.render(&json!({ "a": 1 })).unwrap().text, "{{ a }} 1!");
    let same = Delimiters { block: pair("{{", "}}"), ..Delimiters::default() };
    assert!(matches!(
        TemplateSource {
            syntax: TemplateSyntax { delimiters: same, ..TemplateSyntax::default() },
            ..template
        }
        .render(&json!({})),
        Err(TemplateError::Delimiters { .. })
    ));
}

#[test]
fn rejects_includes_outside_of_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("config");
    std::fs::create_dir_all(at.join("parts")).unwrap();
    std::fs::write(at.join("parts/db.j2"), "{{ db.password }}\n").unwrap();
    std::fs::write(at.join("parts/bad.j2"), "\n{{ gone }}").unwrap();
    std::fs::write(folder.path().join("outside"), "x").unwrap();
    std::os::unix::fs::symlink("../outside", at.join("link")).unwrap();
    let render = |text: &str| {
        let template = TemplateSource { path: at.join("a.j2"), ..template(text) };
        template.render(&json!({ "db": { "password": "p" }, "x": 1 }))
    };
    let rendered = render("{% include 'parts/db.j2' %}{{ x }}").unwrap();
    assert_eq!(rendered.text, "p\n1");
    let uses: Vec<String> = rendered.used_keys.iter().map(ToString::to_string).collect();
    assert_eq!(uses, ["db.password", "x"]);
    let error = render("{% include 'parts/bad.j2' %}").unwrap_err().to_string();
    assert_eq!(error, format!("`gone` is undefined\n   --> {}/parts/bad.j2:2", at.display()));
    for (name, why) in [
        ("../outside", "is outside of"),
        ("/etc/passwd", "is outside of"),
        ("link", "is a symbolic link"),
        ("none", "none"),
    ] {
        let error = render(&format!("{{% include '{name}' %}}")).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
}

#[test]
fn reports_one_round_of_an_include_cycle() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("b.j2", "\n{% include 'c.j2' %}"),
        ("c.j2", "{% from 'b.j2' import x %}"),
        ("d.j2", "{% include 'd.j2' %}"),
        ("e.j2", "\n{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for (text, expected) in [
        (
            "\n{% include 'b.j2' %}",
            "includes are nested too deeply: `b.j2` includes `c.j2` includes `b.j2`\n   --> c.j2:1",
        ),
        ("{% include 'd.j2' %}", "includes are nested too deeply: `d.j2` includes `d.j2`\n   --> d.j2:1"),
        ("\n{% include 'a.j2' %}", "includes are nested too deeply: `a.j2` includes `a.j2`\n   --> a.j2:2"),
        ("{% include 'e.j2' %}", "includes are nested too deeply: `a.j2` includes `e.j2`\n   --> e.j2:2"),
        (
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "invalid operation: recursion limit exceeded\n   --> a.j2:1",
        ),
        (
            "{% extends 'a.j2' %}",
            "invalid operation: cycle in template inheritance. \"a.j2\" was referenced more than once\n   --> a.j2:1",
        ),
    ] {
        std::fs::write(folder.path().join("a.j2"), text).unwrap();
        let template = TemplateSource { path: folder.path().join("a.j2"), ..template(text) };
        let error = template.render(&json!({})).unwrap_err().to_string();
        assert_eq!(error.replace(&format!("{}/", folder.path().display()), ""), expected, "{text}");
    }
}

#[test]
fn maps_output_bytes_to_template_lines() {
    let rendered = template("a = 1\nb = {{ b }}\nc = 2\n").render(&json!({ "b": "x\ny" })).unwrap();
    assert_eq!(rendered.text, "a = 1\nb = x\ny\nc = 2\n");
    for (offset, line) in [(0, 1), (6, 2), (10, 2), (12, 2), (14, 3), (20, 4)] {
        assert_eq!(rendered.template_line(offset), Some(("app.conf.j2", line)), "{offset}");
    }
}

#[test]
fn detects_and_validates_formats() {
    for (name, good, bad, offset) in [
        ("a.toml", "a = 1\n[b]\n", "a = 1\nb = \n", 10),
        ("a.yaml", "a: 1\n---\nb: [1, 2]\n", "a: 1\nb: [1\n", 8),
        ("a.json", "{\"a\": [1]}", "{\"a\":\n 1,}", 10),
        ("a.ini", "; c\n[s]\na = 1\n  more\nb: 2\n", "[s]\nplain\n", 4),
        ("a.properties", "a=\\u00e9\nb\n", "a=1\nb=\\u00g\n", 4),
        (".env", "# c\nexport A=1\nB='x\ny'\n", "A=1\nB-C=2\n", 4),
    ] {
        let format = FileFormat::from_file_name(name).unwrap();
        assert_eq!(format.validate(good), Ok(()), "{name}");
        let fault = format.validate(bad).unwrap_err();
        assert!(fault.offset.abs_diff(offset) <= 2, "{name}: {fault:?}");
    }
    for (format, text, offset) in [
        (FileFormat::Env, "A=1\nB='x\n\n", 6),
        (FileFormat::Env, "A=it's\nB=1\n", 4),
        (FileFormat::Json, "{\"a\": 1\n\n", 7),
        (FileFormat::Yaml, "é: [1\n\n\n", 4),
        (FileFormat::Toml, "a = [\n\n", 5),
        (FileFormat::Json, "", 0),
    ] {
        let fault = format.validate(text).unwrap_err();
        assert!(
            fault.offset.abs_diff(offset) <= 1 && fault.offset <= text.trim_end().len(),
            "{text}: {fault:?}"
        );
    }
    assert_eq!((FileFormat::from_file_name("nginx.conf"), FileFormat::from_file_name("toml")), (None, None));
}

#[test]
fn accepts_what_the_owner_of_a_file_name_accepts() {
    let commented = "{\n  // level\n  \"Level\": \"info\", /* c */\n}\n";
    let flags = "[mysqld]\nskip-name-resolve\n!includedir /etc/my.cnf.d\n%include /etc/b.ini\nport = 1\n";
    for (name, text, is_valid) in [
        ("appsettings.json", commented, true),
        ("AppSettings.Production.json", commented, true),
        ("tsconfig.build.json", commented, true),
        (".eslintrc.json", commented, true),
        ("deno.jsonc", commented, true),
        ("app.json", commented, false),
        ("appsettingsx.json", commented, false),
        ("appsettings.json", "{\"a\": 1, \"a\": 2}", false),
        ("my.ini", flags, true),
        ("pgbouncer.ini", flags, true),
        ("mercurial.ini", flags, true),
        ("my.ini", "[mysqld\n", false),
        ("my.ini", "= 1\n", false),
        ("app.ini", flags, false),
        ("a.json", "\u{feff}{\"a\": 1}", true),
        ("a.yaml", "\u{feff}a: 1\n", true),
        ("a.toml", "\u{feff}a = 1\n", true),
        ("a.ini", "\u{feff}[a]\nb = 1\n", true),
        ("a.env", "\u{feff}A=1\n", false),
        ("a.env", "A=hi # don't\nB=\"x\" # it's\nC=a#'b'\nD='x\n# y'\nE= # \"\n", true),
        ("a.env", "A=a#'b\n", false),
    ] {
        let found = FileFormat::from_file_name(name).unwrap().validate(text);
        assert_eq!(found.is_ok(), is_valid, "{name} {text}: {found:?}");
    }
    for name in ["toml", "yaml", "json", "jsonc", "ini", "lenient-ini", "properties", "env"] {
        assert_eq!(FileFormat::from_name(name).unwrap().name(), name);
        assert!(matches!(name.parse(), Ok(FormatChoice::Fixed(_))));
    }
    assert_eq!("none".parse::<FormatChoice>().unwrap(), FormatChoice::Unchecked);
    assert!("text".parse::<FormatChoice>().unwrap_err().hint().unwrap().contains("`jsonc`"));
}

proptest! {
    #[test]
    fn filter_output_parses_as_the_same_value(text in any::<String>()) {
        let values = json!({ "v": text });
        let written = render("v = {{ v|toml }}\n", &values).unwrap();
        let read: toml::Table = toml::from_str(&written).unwrap();
        prop_assert_eq!(read["v"].as_str(), Some(text.as_str()));
        let written = render("{\"v\": {{ v|json }}}", &values).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Value>(&written).unwrap(), &values);
        let written = render("v: {{ v|yaml }}\n", &values).unwrap();
        prop_assert_eq!(&crate::yaml::parse_documents(&written).unwrap(), std::slice::from_ref(&values));
    }

    #[test]
    fn never_panics(text in any::<String>(), template_text in "[{}%# a-z|.()\"\n]{0,40}") {
        let _ = render(&template_text, &json!({ "a": text }));
        for format in [FileFormat::Toml, FileFormat::Yaml, FileFormat::Json, FileFormat::Jsonc, FileFormat::Ini, FileFormat::LenientIni, FileFormat::Properties, FileFormat::Env] {
            if let Err(fault) = format.validate(&text) {
                prop_assert!(text.get(..fault.offset).is_some());
            }
        }
    }
}

#[test]
fn rejects_null_tables_and_lists_without_a_filter() {
    let values = serde_json::json!({ "a": null, "b": { "c": 1 }, "d": [1], "e": true, "f": 1.5 });
    let render = |text: &str| {
        let template =
            TemplateSource { path: "x.j2".into(), text: text.into(), syntax: TemplateSyntax::default() };
        template.render(&values).map(|rendered| rendered.text).map_err(|error| error.to_string())
    };
    assert_eq!(render("{{ e }} {{ f }} {{ b|json }}").unwrap(), r#"true 1.5 {"c":1}"#);
    for (text, what) in [("{{ a }}", "null"), ("{{ b }}", "a table"), ("{{ d }}", "a list")] {
        assert!(render(text).unwrap_err().contains(&format!("cannot print {what}")), "{text}");
    }
}

#[test]
fn does_not_show_values_in_errors() {
    let values = serde_json::json!({ "s": "S3cr3tValue9981" });
    for text in [
        "{% include s %}",
        "{% import s as q %}",
        "{% extends s %}",
        "{% include [s, 'b'] %}",
        "{% include 'b' ~ s %}",
    ] {
        let template =
            TemplateSource { path: "x.j2".into(), text: text.into(), syntax: TemplateSyntax::default() };
        let error = template.render(&values).unwrap_err();
        assert!(!error.to_string().contains("S3cr3t"), "{text}: {error}");
    }
    let text = "{% macro m(a) %}{% endmacro %}{{ m(**{s: 1}) }}";
    let template =
        TemplateSource { path: "x.j2".into(), text: text.into(), syntax: TemplateSyntax::default() };
    let error = template.render(&values).unwrap_err().redacted();
    assert!(!error.to_string().contains("S3cr3t"), "{error}");
}

#[test]
fn yaml_filter_escapes_yaml_1_1_line_breaks() {
    let values = serde_json::json!({ "a": "x\u{85}\u{2028}\u{feff}" });
    let template = TemplateSource {
        path: "x.j2".into(),
        text: "{{ a|yaml }}".into(),
        syntax: TemplateSyntax::default(),
    };
    let text = template.render(&values).unwrap().text;
    assert_eq!(text, r#""x\u0085\u2028\ufeff""#);
    assert_eq!(crate::yaml::parse_documents(&text), Ok(vec![values["a"].clone()]));
}

/// Renders `text` and finds its keys.
fn rendering(text: String) -> Result<String, String> {
    let template = TemplateSource { path: "x.j2".into(), text, syntax: TemplateSyntax::default() };
    let values = serde_json::json!({ "a": 1 });
    template.used_keys().map_err(|error| error.to_string())?;
    template.render(&values).map(|rendered| rendered.text).map_err(|error| error.to_string())
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    let many = 40_000;
    for text in [
        format!("{{{{ a{} }}}}", "+a".repeat(many)),
        format!("{{{{ {}a }}}}", "-".repeat(many)),
        format!("{{{{ {}a }}}}", "not ".repeat(many)),
        format!("{{{{ a{} }}}}", ".b".repeat(many)),
        format!("{{{{ a{} }}}}", "[0]".repeat(many)),
        format!("{{{{ a{} }}}}", "()".repeat(many)),
        format!("{{{{ a{} }}}}", "|string".repeat(many)),
        format!("{{{{ a{} }}}}", " is defined".repeat(many)),
        format!("{{{{ a{} }}}}", " if a else a".repeat(many)),
        format!("{{{{ a{} }}}}", " ~ a".repeat(many)),
        format!("{{{{ {}a{} }}}}", "(".repeat(many), ")".repeat(many)),
        format!("{{{{ a.f(a, a){} }}}}", ".f(a, a)".repeat(many)),
        format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(many)),
        format!("{}{}", "{% if a %}".repeat(many), "{% endif %}".repeat(many)),
        format!("{{% set x = [] %}}{}{{{{ x|json }}}}", "{% set x = [x] %}".repeat(many)),
        format!(
            "{{% set x = [] %}}{}",
            format!("{{% set x = {}x{} %}}", "[".repeat(99), "]".repeat(99)).repeat(many)
        ),
        format!("{{% raw %}}{{# \" {{% endraw %}}{{{{ a{} }}}}", "+a".repeat(many)),
    ] {
        let start: String = text.chars().take(60).collect();
        assert!(rendering(text).is_err(), "{start}");
    }
}

#[test]
fn loops_cannot_nest_values_deeper_than_the_stack() {
    for use_of_value in ["", "{{ ns.x|json }}", "{{ ns.x ~ '' }}", "{{ ns.x == [ns.x] }}", "{{ ns.x|sort }}"]
    {
        for list in ["[ns.x]", "{'a': ns.x}"] {
            let text = format!(
                "{{% set ns = namespace(x=[]) %}}{{% for i in range(60000) %}}{{% set ns.x = {list} %}}{{% endfor %}}{use_of_value}"
            );
            let _ = rendering(text);
        }
    }
}

#[test]
fn ordinary_templates_are_within_the_limits() {
    let items = |separator: &str, number: usize| vec!["a"; number].join(separator);
    for (text, expected) in [
        (format!("{{{{ [{}]|length }}}}", items(", ", 10_000)), "10000"),
        (format!("{{{{ {} }}}}", items(" + ", 150)), "150"),
        (format!("{{% if a == 0 %}}{}{{% endif %}}", "{% elif a == 1 %}x".repeat(150)), "x"),
        ("{% set x = a %}".repeat(500) + "{{ x }}", "1"),
        (
            "{% set ns = namespace(x=0) %}{% for i in range(10000) %}{% set ns.x = ns.x + 1 %}{% endfor %}{{ ns.x }}"
                .into(),
            "10000",
        ),
    ] {
        assert_eq!(rendering(text).as_deref(), Ok(expected));
    }
}
