//! Projects that already have configuration, values, a schema, or a program that starts with `#!`.

use std::fs;

use snapbox::str;

use crate::build::project::Project;
use crate::init::recipes::done;

/// The configuration part of the recipe.
fn config_tables(project: &Project) -> String {
    let recipe = fs::read_to_string(project.path("coracle.toml")).unwrap();
    let lines = recipe.split_once("[[config]]").unwrap().1.lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// Runs `init`, `build` and `config render` in a project with `files`, and returns what is rendered.
#[track_caller]
fn rendered(project: &Project, files: &[(&str, &str)]) -> String {
    for (path, content) in files {
        project.file(path, content);
    }
    done(project.folder(), ["init", "hello"]);
    for (path, content) in files {
        assert_eq!(fs::read_to_string(project.path(path)).unwrap(), *content, "{path}");
    }
    done(project.folder(), ["build", "-q", "--no-cache"]);
    done(project.folder(), ["config", "render"])
}

#[test]
fn an_existing_file_is_the_configuration() {
    let project = Project::hello(&[]);
    project.file("config/app.toml", "port = 8080\n");
    project.coracle(["init", "hello"]).ends(
        0,
        str![[r#"
coracle.toml

"#]],
        str![[r#"
uses `config/app.toml`, which exists already
hint: build the image with `coracle build`; add `--dry-run` to list its files

"#]],
    );
    assert_eq!(config_tables(&project), "mount = \"/etc/hello\"\ntemplates = [\"config/app.toml\"]");
    assert_eq!(done(project.folder(), ["config", "render"]), "port = 8080\n");
    // In other directories, with several files, and of other formats; hidden files, code and large files are none.
    let project = Project::hello(&[]);
    let files = [
        ("conf/log.ini", "[log]\nlevel = info\n"),
        ("conf/part.d/a", "a\n"),
        ("conf/old/b.conf", "b\n"),
        ("etc/web.conf", "listen 80\n"),
        ("hello.yaml", "port: 80\n"),
        ("config/routes.js", "code\n"),
        ("config/.hidden.toml", "x = 1\n"),
        ("notes.toml", "x = 1\n"),
        ("package.json", "{}\n"),
    ];
    rendered(&project, &files);
    assert!(
        config_tables(&project)
            .ends_with("templates = [\n    \"conf/log.ini\",\n    \"conf/part.d\",\n    \"etc/web.conf\",\n    \"hello.yaml\",\n]")
    );
}

#[test]
fn a_template_replaces_the_file_that_it_renders() {
    let project = Project::hello(&[]);
    let files = [
        ("config/app.toml", "port = 1\n"),
        ("config/app.toml.j2", "port = {{ port }}\n"),
        ("config/values.toml", "port = 2\n"),
    ];
    assert_eq!(rendered(&project, &files), "port = 2\n");
}

#[test]
fn existing_values_make_the_schema_and_the_template() {
    let project = Project::hello(&[]);
    let values = "port = 8080\n\n[db]\nhost = \"db\"\n";
    assert_eq!(
        rendered(&project, &[("config/values.toml", values)]),
        "db = { host = \"db\" }\nport = 8080\n"
    );
    // The schema checks types.
    let output = project.coracle(["config", "render", "--set", "port=many"]).command().output().unwrap();
    assert_eq!(output.status.code(), Some(2));

    let project = Project::hello(&[]);
    let values = "port: 8080\nlog-level: info\ntags: [a, b]\n";
    assert_eq!(rendered(&project, &[("values.yaml", values)]), "port: 8080\ntags: [\"a\",\"b\"]\n");
    assert!(config_tables(&project).ends_with("schema = \"values.schema.json\"\nfiles = [\"values.yaml\"]"));

    let project = Project::hello(&[]);
    assert_eq!(rendered(&project, &[("config/values.json", "{\"port\": 1}\n")]), "{\n  \"port\": 1\n}\n");
}

#[test]
fn the_values_of_a_chart_are_not_used() {
    let project = Project::hello(&[]);
    rendered(&project, &[("Chart.yaml", "name: x\n"), ("values.yaml", "image: {}\n")]);
    assert!(!config_tables(&project).contains("\"values.yaml\""));
}

#[test]
fn an_existing_schema_makes_values_and_template() {
    let project = Project::hello(&[]);
    let schema = r#"{"type": "object", "required": ["port"], "properties":
        {"port": {"type": "integer", "minimum": 1}, "host": {"default": "a"}}}"#;
    assert_eq!(rendered(&project, &[("config/schema.json", schema)]), "host = \"a\"\nport = 1\n");
    assert_eq!(fs::read_to_string(project.path("config/values.toml")).unwrap(), "port = 1\n");
}

#[test]
fn keys_without_a_value_are_listed() {
    let project = Project::hello(&[]);
    project.file("config/app.conf.j2", "port = {{ port }}\nhost = {{ db.host }}\n");
    project.coracle(["init", "hello"]).ends(
        0,
        str![[r#"
config/values.toml
coracle.toml

"#]],
        str![[r#"
uses `config/app.conf.j2`, which exists already
hint: build the image with `coracle build`; add `--dry-run` to list its files
warning: the templates use keys that have no value yet: write `db.host`, `port` in `config/values.toml`

"#]],
    );
    let values = fs::read_to_string(project.path("config/values.toml")).unwrap();
    assert!(values.ends_with("# db.host =\n# port =\n"), "{values}");
    project.file("config/values.toml", "db.host = \"a\"\nport = 1\n");
    assert_eq!(done(project.folder(), ["config", "render"]), "port = 1\nhost = a\n");
}

#[test]
fn invalid_values_are_reported() {
    let project = Project::hello(&[]);
    project.file("config/values.toml", "port =\n");
    let output = project.coracle(["init", "hello"]).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("config/values.toml"), "{said}");
    assert!(!project.path("coracle.toml").exists());
}

#[test]
fn an_executable_script_is_the_program() {
    let project = Project::new();
    project.script("app.js", "#!/bin/sh\necho ran\n").script("build.sh", "#!/bin/sh\n");
    project.file("lib.py", "#!/bin/sh\n");
    done(project.folder(), ["init", "--no-config"]);
    let layout = project.built(&[], "app.oci");
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "ran\n");
    }
    // The recipe of a script includes the files of its interpreter, so that the image starts.
    let project = Project::new();
    project.file("main.py", "#!/usr/bin/env python3\nimport json\nprint(json.dumps([1]))\n");
    done(project.folder(), ["init", "--no-config"]);
    let layout = project.built(&[], "main.oci");
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "[1]\n");
    }
    let project = Project::new();
    project.script("bin/serve", "#!/bin/sh\n").script("worker", "#!/bin/sh\n");
    project.coracle(["init", "--no-config"]).ends(
        2,
        str![],
        str![[r#"
error: no program is given, and this directory contains several
  bin/serve
  worker

hint: name one, as in `coracle init ./app`

"#]],
    );
}

#[test]
fn package_json_names_the_program() {
    let script = "#!/bin/sh\necho ran\n";
    for package in [
        r#"{"scripts": {"start": "node ./server.js"}}"#,
        r#"{"bin": "server.js", "main": "index.js"}"#,
        r#"{"bin": {"shop": "./server.js"}}"#,
        r#"{"main": "server.js"}"#,
    ] {
        let project = Project::new();
        project.script("server.js", script).script("tool.js", script).file("index.js", "");
        project.file("package.json", package);
        done(project.folder(), ["init", "--no-config"]);
        let recipe = fs::read_to_string(project.path("coracle.toml")).unwrap();
        assert!(recipe.contains("programs = [\"server.js\"]\n"), "{package}: {recipe}");
    }
    let project = Project::new();
    project.file("package.json", r#"{"main": "index.js"}"#).file("index.js", "1\n");
    project.coracle(["init"]).ends(
        2,
        str![],
        str![[r#"
error: `index.js`, which package.json names, does not start with `#!`

hint: write `#!/usr/bin/env node` as its first line and run `chmod +x index.js`, or build `node` with the directory: `coracle build /usr/bin/node --include .:/app -- /app/index.js`

"#]],
    );
}
