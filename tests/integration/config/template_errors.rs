//! Errors of templates, values and their schema.

use std::fs;

use snapbox::str;

use crate::config::{RECIPE, SCHEMA, project, render};

#[test]
fn reports_all_errors_in_values_together() {
    let project = project();
    fs::write(project.path().join("config/values.toml"), "nmae = 1\nport = 0\n").unwrap();
    fs::write(project.path().join("password"), "abc").unwrap();
    render(project.path(), ["--set-file", "password=password", "--output", "out"]).ends(
        2,
        str![""],
        str![[r#"
error: `nmae`: the schema does not declare this key; did you mean `name`? (from config/values.toml)
  `password`: the value is secret and violates `minLength` of the schema (from --set-file password)
  `port`: 0 is less than the minimum of 1 (from config/values.toml)

hint: change the values to match the schema, or fix the schema

"#]],
    );
}

#[test]
fn reports_all_errors_in_templates_together() {
    let project = project();
    fs::write(project.path().join("config/shop.toml.j2"), "a = 1\nname = {{ name }}\n").unwrap();
    fs::write(project.path().join("config/login.env.j2"), "\nPASSWORD={{ pasword }}\n").unwrap();
    render(project.path(), ["--set-file", "password=password", "--output", "out"]).ends(
        2,
        str![""],
        str![[r#"
error: the rendered file is not valid TOML: [..]
   --> config/shop.toml.j2:2
  `pasword` is undefined; did you mean `password`?
   --> config/login.env.j2:2

hint: fix the template there; filters such as `|toml` print a value with quotes
hint: if the program reads another format, set the file's `format`, such as `jsonc` or `none`
hint: set a value, add a default to the schema, or test it with `is defined`

"#]],
    );
}

#[test]
fn an_undefined_value_is_an_error_after_a_filter_too() {
    let project = project();
    for filter in ["toml", "json", "yaml", "sh", "default('a')|sh|upper|toml"] {
        let name = if filter.starts_with("default") { "name" } else { "nmae" };
        fs::write(
            project.path().join("config/shop.toml.j2"),
            format!("a = 1\nb = {{{{ {name}|{filter} }}}}\n"),
        )
        .unwrap();
        let output = render(project.path(), ["--set-file", "password=password"]).command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let is_told = said
            .starts_with("error: `nmae` is undefined; did you mean `name`?\n   --> config/shop.toml.j2:2");
        assert_eq!(is_told, name == "nmae", "{filter}: {said}");
    }
}

#[test]
fn a_recipe_sets_format_and_white_space_of_a_file() {
    let project = project();
    let at = project.path();
    fs::write(at.join("config/a.json.j2"), "{\n  {% if true %}\n  // é\n  {% endif %}\n  \"a\": 1,\n}\n")
        .unwrap();
    fs::write(at.join("config/b.ini"), "flag\n").unwrap();
    fs::write(at.join("config/c.json"), "{,").unwrap();
    let recipe = |format: &str, more: &str| {
        format!(
            "[[config]]\nmount = \"/etc/shop\"\ntemplates = [\n{{ from = \"config/a.json.j2\", format = \"{format}\", trim-blocks = true, lstrip-blocks = true }},\n{{ from = \"config/b.ini\", format = \"lenient-ini\" }},\n{{ from = \"config/c.json\", format = \"none\"{more} }}]\n"
        )
    };
    fs::write(at.join("coracle.toml"), recipe("jsonc", "")).unwrap();
    render(at, ["--output", "out"]).ends(
        0,
        str![""],
        str![[r#"
out/etc/shop/a.json 22 bytes
out/etc/shop/b.ini 5 bytes
out/etc/shop/c.json 2 bytes

"#]],
    );
    assert_eq!(fs::read_to_string(at.join("out/etc/shop/a.json")).unwrap(), "{\n  // é\n  \"a\": 1,\n}\n");
    fs::write(at.join("coracle.toml"), recipe("json5", ", verbatim = true, trim-blocks = true")).unwrap();
    let output = render(at, []).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [
        "`json5` is not the name of a file format",
        "`jsonc`",
        "`trim-blocks` has no effect with `verbatim = true`",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn the_last_line_feed_of_a_file_is_no_part_of_a_value() {
    let project = project();
    let at = project.path();
    fs::write(at.join("password"), "open sesame\n").unwrap();
    for (flag, expected) in
        [("--set-file", "PASSWORD='open sesame'\n"), ("--set-file-exact", "PASSWORD='open sesame\n'\n")]
    {
        render(at, [flag, "password=password", "--output", "out"]).command().output().unwrap();
        assert_eq!(fs::read_to_string(at.join("out/run/secrets/shop/login.env")).unwrap(), expected);
    }
}

#[test]
fn a_file_that_may_use_any_value_is_secret_with_a_secret() {
    let project = project();
    let at = project.path();
    for text in [
        "{{ values['password'] }}",
        "{{ values.password }}",
        "{{ password[1:] }}",
        "{% for key in values %}{{ values[key] }}{% endfor %}",
    ] {
        fs::write(at.join("config/shop.toml.j2"), format!("a = 1 # {text}\n")).unwrap();
        let output = render(at, ["--set-file", "password=password"]).command().output().unwrap();
        let (printed, said) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && !printed.contains("sesame"), "{text}: {printed}{said}");
        assert!(said.contains("shop.toml is secret"), "{text}: {said}");
    }
}

#[test]
fn rejects_duplicate_keys_in_json() {
    let project = project();
    let at = project.path();
    fs::write(at.join("config/a.json.j2"), "{\n\"a\": {{ port }},\n\"b\": 1, \"a\": 2}\n").unwrap();
    fs::write(at.join("config/b.json"), "[{\"a\": 1,\n\"a\": 2}]\n").unwrap();
    let recipe = "[[config]]\nmount = \"/etc/shop\"\ntemplates = [\"config/a.json.j2\", { from = \"config/b.json\", format = \"json\" }]\n";
    fs::write(at.join("coracle.toml"), recipe).unwrap();
    render(at, ["--set", "port=1"]).ends(
        2,
        str![""],
        str![[r#"
error: the rendered file is not valid JSON: duplicate key `a`
   --> config/a.json.j2:3
  `config/b.json` is not valid JSON: duplicate key `a`
   --> config/b.json:2

hint: fix the file, or set its `format` in the recipe, such as `jsonc` or `none`
hint: fix the template there; filters such as `|toml` print a value with quotes
hint: if the program reads another format, set the file's `format`, such as `jsonc` or `none`

"#]],
    );
    fs::write(at.join("values.json"), "{\"port\": 1,\n\"db\": {\"port\": 1,\n\"port\": 2}}").unwrap();
    render(at, ["--values", "values.json"]).ends(
        2,
        str![""],
        str![[r#"
error: cannot parse `values.json`: line 3: duplicate key `port`

hint: fix the file

"#]],
    );
}

#[test]
fn an_include_cycle_is_reported_with_its_files() {
    let project = project();
    let at = project.path();
    fs::write(at.join("config/shop.toml.j2"), "a = 1\n{% include 'part.j2' %}\n").unwrap();
    fs::write(at.join("config/part.j2"), "\n\n{% include 'shop.toml.j2' %}\n").unwrap();
    fs::write(
        at.join("coracle.toml"),
        RECIPE.replace(", { from = \"config/shop.toml.j2\", path = \"again.txt\" }", ""),
    )
    .unwrap();
    render(at, ["--set-file", "password=password"]).ends(2, str![""], str![[r#"
error: includes are nested too deeply: `config/shop.toml.j2` includes `config/part.j2` includes `config/shop.toml.j2`
   --> config/part.j2:3

hint: remove one of these includes, or make one conditional with `if`

"#]]);
}

#[test]
fn an_invalid_default_is_reported_as_an_error_of_the_schema() {
    let project = project();
    let at = project.path();
    fs::write(at.join("config/schema.json"), SCHEMA.replace("8080", "0")).unwrap();
    render(at, ["--set-file", "password=password"]).ends(
        2,
        str![""],
        str![[r#"
error: `port`: 0 is less than the minimum of 1 (from the default in config/schema.json)

hint: change the values to match the schema, or fix the schema

"#]],
    );
}
