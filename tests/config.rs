//! `coracle config render` as its users meet it.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use snapbox::str;
use support::{Coracle, coracle_in};
use tempfile::TempDir;

const SCHEMA: &str = r#"{
    "properties": {
        "port": { "type": "integer", "minimum": 1, "default": 8080 },
        "name": { "type": "string" },
        "password": { "type": "string", "minLength": 4, "writeOnly": true }
    }
}"#;

const RECIPE: &str = r#"
[[config]]
mount = "/etc/shop"
templates = ["config/shop.toml.j2", { from = "config/logo.bin", verbatim = true }, { from = "config/shop.toml.j2", key = "again.txt" }]

[[config]]
mount = "/run/secrets/shop"
templates = ["config/login.env.j2"]

[values]
schema = "config/schema.json"
files = ["config/values.toml"]

[environments.production]
values = ["config/production.yaml"]
"#;

/// A folder with a recipe, templates, values and their schema.
fn project() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    for (name, text) in [
        ("coracle.toml", RECIPE),
        ("config/shop.toml.j2", "name = {{ name|toml }}\nport = {{ port }}\n"),
        ("config/login.env.j2", "PASSWORD={{ password|sh }}\n"),
        ("config/values.toml", "name = \"shop \\\"1\\\"\"\n"),
        ("config/production.yaml", "port: 80\n"),
        ("config/schema.json", SCHEMA),
        ("password", "open sesame"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("config/logo.bin"), [0xff, 0x00, b'\n']).unwrap();
    folder
}

fn render<const N: usize>(folder: &Path, more: [&str; N]) -> Coracle {
    let mut coracle = coracle_in(folder, ["config", "render"]);
    coracle.more(more);
    coracle
}

#[test]
fn files_are_written_as_the_program_will_read_them() {
    let project = project();
    let at = project.path();
    render(at, ["--environment", "production", "--set-file", "password=password", "--output", "out"]).ends(
        0,
        str![""],
        str![[r#"
out/etc/shop/again.txt 28 bytes
out/etc/shop/logo.bin 3 bytes
out/etc/shop/shop.toml 28 bytes
out/run/secrets/shop/login.env 23 bytes, secret

"#]],
    );
    let read = |path: &str| fs::read(at.join("out").join(path)).unwrap();
    assert_eq!(read("etc/shop/shop.toml"), b"name = 'shop \"1\"'\nport = 80\n".as_slice());
    assert_eq!(read("etc/shop/logo.bin"), [0xff, 0x00, b'\n']);
    assert_eq!(read("run/secrets/shop/login.env"), b"PASSWORD='open sesame'\n");
    let mode = |path: &str| fs::metadata(at.join("out").join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("run/secrets/shop/login.env"), 0o600, "a secret is its owner's alone");
    assert_ne!(mode("etc/shop/shop.toml") & 0o044, 0);
}

#[test]
fn a_folder_needs_no_recipe() {
    let project = project();
    fs::remove_file(project.path().join("config/login.env.j2")).unwrap();
    fs::remove_file(project.path().join("config/logo.bin")).unwrap();
    fs::remove_file(project.path().join("config/production.yaml")).unwrap();
    render(project.path(), ["--config", "/etc/shop=config", "--set", "port=1"]).ends(
        0,
        str![[r#"
name = 'shop "1"'
port = 1

"#]],
        str![""],
    );
}

#[test]
fn secrets_are_not_for_a_terminal() {
    let project = project();
    fs::remove_file(project.path().join("config/logo.bin")).unwrap();
    fs::remove_file(project.path().join("config/production.yaml")).unwrap();
    render(project.path(), ["--config", "/etc/shop=config", "--set-file", "password=password"]).ends(
        0,
        str![[r#"
==> /etc/shop/login.env
==> /etc/shop/shop.toml
name = 'shop "1"'
port = 8080

"#]],
        str![[r#"
/etc/shop/login.env is secret: `--output DIR` writes it

"#]],
    );
}

#[test]
fn everything_wrong_with_values_is_told_at_once() {
    let project = project();
    fs::write(project.path().join("config/values.toml"), "nmae = 1\nport = 0\n").unwrap();
    fs::write(project.path().join("password"), "abc").unwrap();
    render(project.path(), ["--set-file", "password=password", "--output", "out"]).ends(
        2,
        str![""],
        str![[r#"
error: `nmae`: the schema knows no such key; did you mean `name`? (from config/values.toml)
  `password`: it is secret, and not what `minLength` in the schema allows (from --set-file password)
  `port`: 0 is less than the minimum of 1 (from config/values.toml)

hint: set the values as the schema says, or mend the schema

"#]],
    );
}

#[test]
fn everything_wrong_with_templates_is_told_at_once() {
    let project = project();
    fs::write(project.path().join("config/shop.toml.j2"), "a = 1\nname = {{ name }}\n").unwrap();
    fs::write(project.path().join("config/login.env.j2"), "\nPASSWORD={{ pasword }}\n").unwrap();
    render(project.path(), ["--set-file", "password=password", "--output", "out"]).ends(
        2,
        str![""],
        str![[r#"
error: what is rendered is no TOML: [..]
   --> config/shop.toml.j2:2
  `pasword` is undefined; did you mean `password`?
   --> config/login.env.j2:2

hint: give it a value, a default in the schema, or test it with `is defined`
hint: mend the template there; filters such as `|toml` write a value with its quotes

"#]],
    );
}

#[test]
fn what_is_undefined_is_that_behind_a_filter_as_well() {
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
fn keys_and_mounts_are_those_that_kubernetes_takes() {
    let project = project();
    let recipe = r#"
[[config]]
mount = "/etc"
templates = ["config/values.toml", { from = "config/logo.bin", key = "..data" }, { from = "config/logo.bin", key = "values.toml" }]

[[config]]
mount = "/etc/shop"
templates = [{ from = "config/logo.bin", key = "a b" }, "config/none.toml"]
"#;
    fs::write(project.path().join("coracle.toml"), recipe).unwrap();
    render(project.path(), ["--output", "out"]).ends(
        2,
        str![""],
        str![[r#"
error: 4 problems in the recipe

  nothing can be mounted on `/etc`: the container needs it for itself
     --> coracle.toml:3:9
    3 | mount = "/etc"
      |         ^^^^^^

  `..data`, from `config/logo.bin`, is no key of a ConfigMap or Secret: a kubelet keeps such names for itself
     --> coracle.toml:3:9
    3 | mount = "/etc"
      |         ^^^^^^

  both `config/values.toml` and `config/logo.bin` are `values.toml` in /etc
     --> coracle.toml:3:9
    3 | mount = "/etc"
      |         ^^^^^^

  `a b`, from `config/logo.bin`, is no key of a ConfigMap or Secret: it holds something else than letters, digits, `-`, `_` and `.`
     --> coracle.toml:7:9
    7 | mount = "/etc/shop"
      |         ^^^^^^^^^^^

hint: mount a directory of the program's own, such as `/etc/NAME`
hint: rename it, or give it another name with `key` in a recipe: letters, digits, `-`, `_` and `.`
hint: rename one of them, or give it another name with `key` in a recipe

"#]],
    );
}

#[test]
fn a_command_line_is_no_place_for_secrets() {
    let project = project();
    render(project.path(), ["--set", "password=open sesame", "--output", "out"]).ends(
        2,
        str![""],
        str![[r#"
error: `password` is secret, and a command line is no place for secrets

hint: put it into a file: `--set-file password=FILE`, or `--set-file password=-` to pipe it in

"#]],
    );
    let mut command = render(project.path(), ["--set-file", "password=-", "--output", "out"]).command();
    let file = fs::File::open(project.path().join("password")).unwrap();
    assert!(command.stdin(file).output().unwrap().status.success());
    let written = fs::read(project.path().join("out/run/secrets/shop/login.env")).unwrap();
    assert_eq!(written, b"PASSWORD='open sesame'\n");
}

#[test]
fn no_object_holds_more_than_a_mebibyte() {
    let project = project();
    fs::write(project.path().join("config/logo.bin"), vec![0; (1 << 20) + 1]).unwrap();
    render(project.path(), ["--set-file", "password=password", "--output", "out"]).ends(
        2,
        str![""],
        str![[r#"
error: the files of /etc/shop have more than 1048576 bytes, which is all that an object of Kubernetes holds

hint: split them over several mounts, or include what never changes in the image

"#]],
    );
}

#[test]
fn wrong_words_are_told() {
    let project = project();
    render(project.path(), ["--environment", "staging", "--set", "port", "--config", "/etc/a"]).ends(
        2,
        str![""],
        str![[r#"
error: 3 problems on the command line
  `--config`: `/etc/a` has no folder
  `--environment`: there is no environment `staging`
  `--set`: `port` has no value

hint: write it as `--config /etc/app=config/`
hint: the recipe has none: write `[environments.NAME]` with `values = ["FILE"]`
hint: write it as `--set a.b=VALUE`

"#]],
    );
    fs::write(project.path().join("coracle.toml"), "[image]\nprograms = [\"app\"]\n").unwrap();
    nothing_to_render(project.path());
    fs::remove_file(project.path().join("coracle.toml")).unwrap();
    nothing_to_render(project.path());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let project = project();
    render(project.path(), ["--config", "/etc/a=none"]).ends(
        2,
        str![""],
        str![[r#"
error: cannot list `none`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]],
    );
}

/// Without a recipe, and with one that names no configuration.
#[track_caller]
fn nothing_to_render(folder: &Path) {
    render(folder, []).ends(
        2,
        str![""],
        str![[r#"
error: nothing to render: no configuration is named

hint: write `[[config]]` in `coracle.toml`, or pass `--config /etc/app=FOLDER`

"#]],
    );
}

#[test]
fn files_that_are_taken_as_they_are_are_what_their_names_say() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("c")).unwrap();
    for (name, text) in [("a.json", "{\n\"a\": 1,}"), ("b.toml", "a = 1\na = 2\n"), ("c.txt", "{")] {
        fs::write(folder.path().join("c").join(name), text).unwrap();
    }
    fs::write(folder.path().join("c/d.yaml"), b"a: \xff").unwrap();
    coracle_in(folder.path(), ["config", "render", "--config=/etc/app=c"]).ends(
        2,
        str![""],
        str![[r#"
error: `c/a.json` is no JSON: trailing comma
   --> c/a.json:2
  `c/b.toml` is no TOML: duplicate key
   --> c/b.toml:2
  `c/d.yaml` is not UTF-8, so it is no YAML

hint: mend it, or give it a name that does not end like that with `key`

"#]],
    );
}

#[test]
fn a_folder_with_something_else_than_files_in_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("empty/sub")).unwrap();
    fs::create_dir(path("links")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("links/a")).unwrap();
    coracle_in(folder.path(), ["config", "render", "--config=/etc/app=empty"]).ends(
        2,
        str![""],
        str![[r#"
error: `--config`: no file of `empty` would be mounted at `/etc/app`

hint: name the folder that has the files

"#]],
    );
    coracle_in(folder.path(), ["config", "render", "--config=/etc/app=links"]).ends(
        2,
        str![""],
        str![[r#"
error: cannot read `links/a`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]],
    );
}

/// A folder with these files, which are rendered to `out`.
fn rendered(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("c")).unwrap();
    for name in names {
        fs::write(folder.path().join("c").join(name), name).unwrap();
    }
    again(folder.path()).command().output().unwrap();
    folder
}

fn again(folder: &Path) -> Coracle {
    coracle_in(folder, ["config", "render", "--config=/etc/app=c", "--output=out"])
}

#[test]
fn files_of_an_earlier_run_go_and_those_of_others_stay() {
    let folder = rendered(&["a", "b"]);
    let at = folder.path();
    let identity = || fs::metadata(at.join("out/etc/app")).unwrap().ino();
    let before = identity();
    fs::remove_file(at.join("c/a")).unwrap();
    again(at).ends(
        0,
        str![""],
        str![[r#"
out/etc/app/b 1 bytes

"#]],
    );
    assert!(!at.join("out/etc/app/a").exists());
    assert_eq!(identity(), before, "a container that has mounted the directory sees what changes in it");
    // A directory becomes a file and is one again.
    let to = |mount| coracle_in(at, ["config", "render", "--output=out", mount]).command().output().unwrap();
    for (mount, file) in [("--config=/etc/app/b=c", "etc/app/b/b"), ("--config=/etc/app=c", "etc/app/b")] {
        assert!(to(mount).status.success());
        assert_eq!(fs::read(at.join("out").join(file)).unwrap(), b"b");
    }
    for name in ["mine", "etc/app/a"] {
        fs::write(at.join("out").join(name), "mine").unwrap();
        again(at).ends(
            2,
            str![""],
            str![[r#"
error: `out` holds `[..]`, which was not written by `coracle config render`

hint: name a directory that is empty, not there, or was written by this command

"#]],
        );
        fs::remove_file(at.join("out").join(name)).unwrap();
    }
    // What another command wrote is not ours.
    fs::rename(at.join("out/.coracle-config"), at.join("out/.coracle")).unwrap();
    again(at).ends(
        2,
        str![""],
        str![[r#"
error: `out` holds `.coracle`, which was not written by `coracle config render`

hint: name a directory that is empty, not there, or was written by this command

"#]],
    );
}

#[test]
fn links_in_the_directory_are_not_followed() {
    let folder = rendered(&["a"]);
    let at = folder.path();
    fs::create_dir(at.join("else")).unwrap();
    fs::write(at.join("else/a"), "mine").unwrap();
    let link = |to: &str, from: &str| std::os::unix::fs::symlink(to, at.join(from)).unwrap();
    // In the place of a file of ours: it is replaced, and what it leads to stays.
    fs::remove_file(at.join("out/etc/app/a")).unwrap();
    link("../../../else/a", "out/etc/app/a");
    assert!(again(at).command().output().unwrap().status.success());
    assert_eq!(fs::read(at.join("else/a")).unwrap(), b"mine");
    assert!(fs::symlink_metadata(at.join("out/etc/app/a")).unwrap().is_file());
    // In the place of a directory: somebody else put it there.
    fs::remove_dir_all(at.join("out/etc/app")).unwrap();
    link("../../else", "out/etc/app");
    again(at).ends(
        2,
        str![""],
        str![[r#"
error: `out` holds `etc/app`, which was not written by `coracle config render`

hint: name a directory that is empty, not there, or was written by this command

"#]],
    );
    // The directory itself may be one.
    link("else/new", "out.link");
    fs::create_dir(at.join("else/new")).unwrap();
    let linked = coracle_in(at, ["config", "render", "--config=/etc/app=c", "--output=out.link"]);
    assert!(linked.command().output().unwrap().status.success());
    assert_eq!(fs::read(at.join("else/new/etc/app/a")).unwrap(), b"a");
}

#[test]
fn numbers_come_out_as_they_are_written_or_are_refused() {
    let project = project();
    let at = project.path();
    fs::write(at.join("config/schema.json"), "{}").unwrap();
    fs::write(at.join("config/login.env.j2"), "A={{ mode }}\n").unwrap();
    fs::write(at.join("config/production.yaml"), "port: 8080\nmode: 0644\nversion: 1.10\n").unwrap();
    render(at, ["--environment", "production", "--set", "rate=2.50"]).ends(
        2,
        str![""],
        str![[r#"
error: `mode`: the number would not come out as it is written (from config/production.yaml, line 2)
  `version`: the number would not come out as it is written (from config/production.yaml, line 3)
  `rate`: the number would not come out as it is written (from --set rate)

hint: as a number write `420` for 0644, `1.5` for 1.50, `1000` for 1_000 or 1e3
hint: put quotes around what is text, such as a version `"1.10"` or a mode `"0644"`
hint: put quotes around what is text: `--set 'rate="1.10"'`

"#]],
    );
    let text = "{{ n }} {{ n|json }} {{ n|toml }} {{ n|yaml }} {{ n|sh }}";
    fs::write(at.join("n.j2"), text).unwrap();
    fs::write(at.join("coracle.toml"), "[[config]]\nmount = \"/etc/n\"\ntemplates = [\"n.j2\"]\n").unwrap();
    for number in
        ["0", "-5", "1.5", "0.25", "1.0", "-0.0", "0.00001", "1234567890123.5", "9223372036854775807"]
    {
        fs::write(at.join("n.toml"), format!("n = {number}\n")).unwrap();
        fs::write(at.join("n.yaml"), format!("n: {number}\n")).unwrap();
        fs::write(at.join("n.json"), format!("{{\"n\": {number}}}")).unwrap();
        let set = format!("--set=n={number}");
        for flag in ["--values=n.toml", "--values=n.yaml", "--values=n.json", &set] {
            let output = render(at, [flag]).command().output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), [number; 5].join(" "), "{flag}");
        }
    }
}

#[test]
fn a_key_that_stands_twice_in_json_is_an_error() {
    let project = project();
    let at = project.path();
    fs::write(at.join("config/a.json.j2"), "{\n\"a\": {{ port }},\n\"b\": 1, \"a\": 2}\n").unwrap();
    fs::write(at.join("config/b.json"), "[{\"a\": 1,\n\"a\": 2}]\n").unwrap();
    let recipe = "[[config]]\nmount = \"/etc/shop\"\ntemplates = [\"config/a.json.j2\", \"config/b.json\"]\n";
    fs::write(at.join("coracle.toml"), recipe).unwrap();
    render(at, ["--set", "port=1"]).ends(
        2,
        str![""],
        str![[r#"
error: what is rendered is no JSON: duplicate key `a`
   --> config/a.json.j2:3
  `config/b.json` is no JSON: duplicate key `a`
   --> config/b.json:2

hint: mend it, or give it a name that does not end like that with `key`
hint: mend the template there; filters such as `|toml` write a value with its quotes

"#]],
    );
    fs::write(at.join("values.json"), "{\"port\": 1,\n\"db\": {\"port\": 1,\n\"port\": 2}}").unwrap();
    render(at, ["--values", "values.json"]).ends(
        2,
        str![""],
        str![[r#"
error: cannot understand `values.json`: line 3: duplicate key `port`

hint: mend the file

"#]],
    );
}

#[test]
fn a_loop_of_includes_is_told_with_its_files() {
    let project = project();
    let at = project.path();
    fs::write(at.join("config/shop.toml.j2"), "a = 1\n{% include 'part.j2' %}\n").unwrap();
    fs::write(at.join("config/part.j2"), "\n\n{% include 'shop.toml.j2' %}\n").unwrap();
    fs::write(
        at.join("coracle.toml"),
        RECIPE.replace(", { from = \"config/shop.toml.j2\", key = \"again.txt\" }", ""),
    )
    .unwrap();
    render(at, ["--set-file", "password=password"]).ends(2, str![""], str![[r#"
error: `config/shop.toml.j2` includes `config/part.j2` includes `config/shop.toml.j2`, which goes on for too long
   --> config/part.j2:3

hint: take one of these includes out, or let an `if` around it end the loop

"#]]);
}

#[test]
fn a_default_that_is_wrong_is_the_schemas_fault() {
    let project = project();
    let at = project.path();
    fs::write(at.join("config/schema.json"), SCHEMA.replace("8080", "0")).unwrap();
    render(at, ["--set-file", "password=password"]).ends(
        2,
        str![""],
        str![[r#"
error: `port`: 0 is less than the minimum of 1 (from the default in config/schema.json)

hint: set the values as the schema says, or mend the schema

"#]],
    );
}
