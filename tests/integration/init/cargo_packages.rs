//! Settings in a Cargo.toml, which cargo and `cargo coracle` read then.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use coracle_testing::{coracle_in, listing};
use snapbox::str;

use crate::cargo::project::Project;

/// Runs it as cargo does; it must succeed.
#[track_caller]
fn done(project: &Project, below: &str, args: &[&str]) {
    let output = project.cargo_in(below, []).command().args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
}

fn manifest(project: &Project, folder: &str) -> String {
    fs::read_to_string(project.path(folder).join("Cargo.toml")).unwrap()
}

#[test]
fn adds_settings_to_a_new_crate() {
    let project = Project::empty();
    let mut cargo = Command::new("cargo");
    cargo
        .args(["new", "--quiet", "app"])
        .current_dir(project.path(""))
        .env_clear()
        .envs(project.surroundings());
    assert!(cargo.status().unwrap().success());
    let before = manifest(&project, "app");
    project.cargo_in("app", ["init"]).ends(
        0,
        str![[r#"
config/app.toml.j2
config/values.toml
config/schema.json
Cargo.toml

"#]],
        str![[r#"
hint: build the image with `cargo coracle build`; add `--dry-run` to list its files

"#]],
    );
    let after = manifest(&project, "app");
    assert!(after.starts_with(&before) && after.len() > before.len(), "{after}");
    done(&project, "app", &["build", "--quiet", "--debug"]);
    let layout = crate::build::layout::Layout::open(project.path("app/target/coracle/app.oci"));
    assert!(layout.config()["config"]["Labels"]["io.coracle.config.v1"].is_string());
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "Hello, world!\n");
    }
    project.cargo_in("app", ["init"]).ends(
        2,
        str![],
        str![[r#"
error: `Cargo.toml` has `[package.metadata.coracle]` already

hint: build its image with `cargo coracle build`; to start over, remove it

"#]],
    );
    assert_eq!(manifest(&project, "app"), after);
}

#[test]
fn coracle_init_in_a_crate_adds_settings_to_cargo_toml() {
    let (one, other) = (Project::app(""), Project::app(""));
    done(&one, "", &["init"]);
    let output = coracle_in(&other.path(""), ["init"]).command().output().unwrap();
    assert!(output.status.success());
    assert_eq!(manifest(&one, ""), manifest(&other, ""));

    let project = Project::app("");
    let before = manifest(&project, "");
    coracle_in(&project.path(""), ["init", "--recipe"]).ends(
        2,
        str![],
        str![[r#"
error: no program is given, and this directory contains none

hint: build one first, and name it, as in `coracle init ./app`

"#]],
    );
    project.built(&[]);
    coracle_in(&project.path(""), ["init", "--recipe"]).ends(
        0,
        str![[r#"
...
coracle.toml

"#]],
        str![[r#"
hint: build the image with `coracle build`; add `--dry-run` to list its files

"#]],
    );
    assert_eq!(manifest(&project, ""), before);
    let output = coracle_in(&project.path(""), ["build", "--quiet"]).command().output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn adds_settings_to_workspaces_and_members() {
    let project = Project::empty();
    project.file("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n");
    project.krate("crates/shop", "shop", "").krate("crates/admin", "admin", "");
    project.cargo(["init"]).ends(
        0,
        str![[r#"
Cargo.toml

"#]],
        str![[r#"
hint: build the image with `cargo coracle build`; add `--dry-run` to list its files

"#]],
    );
    assert!(manifest(&project, "").contains("\n[workspace.metadata.coracle.image]\n"));
    // From a folder below, as cargo itself would.
    done(&project, "crates/shop/src", &["init"]);
    assert!(manifest(&project, "crates/shop").contains("\n[package.metadata.coracle.image]\n"));
    assert!(project.path("crates/shop/config/shop.toml.j2").exists());
    assert!(!manifest(&project, "crates/admin").contains("coracle"));
    done(&project, "", &["build", "--quiet", "--debug"]);
    let labels =
        |name: &str| project.layout(name).config()["config"]["Labels"]["io.coracle.config.v1"].clone();
    assert!(labels("shop").is_string() && labels("admin").is_null());
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: `Cargo.toml` has `[workspace.metadata.coracle]` already

hint: build its image with `cargo coracle build`; to start over, remove it

"#]],
    );

    let root = Project::app("[workspace]\nmembers = []\n");
    done(&root, "", &["init"]);
    assert!(manifest(&root, "").contains("\n[package.metadata.coracle.image]\n"));
    done(&root, "", &["build", "--quiet", "--debug"]);
}

#[test]
fn a_folder_can_be_named() {
    let project = Project::empty();
    project.krate("my crates/shop", "shop", "");
    project.cargo(["init", "my crates/shop", "--no-config"]).ends(
        0,
        str![[r#"
my crates/shop/Cargo.toml

"#]],
        str![[r#"
hint: build the image with `cargo coracle build --manifest-path 'my crates/shop/Cargo.toml'`; add `--dry-run` to list its files

"#]],
    );
    done(&project, "", &["build", "--quiet", "--debug", "--manifest-path", "my crates/shop/Cargo.toml"]);
}

#[test]
fn keeps_the_rest_of_cargo_toml() {
    let text = "[package]\r\nname = \"app\"\r\n# the end";
    let project = Project::empty();
    project.file("app/real/Cargo.toml", text).file("app/src/main.rs", crate::cargo::project::MAIN);
    symlink("real/Cargo.toml", project.path("app/Cargo.toml")).unwrap();
    let mode =
        |mode| fs::set_permissions(project.path("app/real/Cargo.toml"), fs::Permissions::from_mode(mode));
    mode(0o640).unwrap();
    done(&project, "app", &["init"]);
    assert!(project.path("app/Cargo.toml").is_symlink());
    let written = project.path("app/real/Cargo.toml");
    assert_eq!(fs::metadata(&written).unwrap().permissions().mode() & 0o777, 0o640);
    let after = fs::read_to_string(&written).unwrap();
    assert!(after.starts_with(&format!("{text}\r\n\r\n# ")), "{after}");
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
    let left: Vec<_> = listing(&project.path("app/real")).into_keys().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    done(&project, "app", &["build", "--quiet", "--debug"]);
}

#[test]
fn keeps_linked_and_read_only_files() {
    let project = Project::empty();
    project.krate("out", "app", "").file("app/src/main.rs", crate::cargo::project::MAIN);
    symlink("../out/Cargo.toml", project.path("app/Cargo.toml")).unwrap();
    let before = listing(&project.path(""));
    let out = project.path("out").canonicalize().unwrap().display().to_string();
    let output = project.cargo_in("app", ["init"]).command().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "error: `Cargo.toml` is a symbolic link to a file in another directory, `{out}/Cargo.toml`\n\n\
             hint: run `coracle init {out}` to change that file\n"
        )
    );
    assert_eq!(listing(&project.path("")), before);

    let project = Project::app("");
    fs::set_permissions(project.path("Cargo.toml"), fs::Permissions::from_mode(0o444)).unwrap();
    let before = listing(&project.path(""));
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: cannot append to `Cargo.toml`: it is read-only

hint: make it writable with `chmod u+w Cargo.toml`

"#]],
    );
    assert_eq!(listing(&project.path("")), before);
}

#[test]
fn rejects_a_library() {
    let project = Project::empty();
    project.file("Cargo.toml", "[package]\nname = \"lib\"\nedition = \"2024\"\n").file("src/lib.rs", "");
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: `Cargo.toml` has no program, so there is no image to build

hint: create one in `src/main.rs`, or change to the directory of a package that has one

"#]],
    );
    project.file("examples/tour.rs", crate::cargo::project::MAIN);
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: `Cargo.toml` has no program, so there is no image to build

hint: for an image of an example, run `cargo coracle build --example tour`; it needs no settings

"#]],
    );
    project.built(&["--debug", "--example", "tour"]);
    project.file("src/main.rs", crate::cargo::project::MAIN);
    done(&project, "", &["init"]);
    project.built(&["--debug"]);
}

#[test]
fn a_dry_run_shows_the_lines() {
    let project = Project::app("");
    let before = listing(&project.path(""));
    let output = project.cargo(["init", "--no-config", "--dry-run"]).command().output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("==> Cargo.toml, at its end\n# "), "{printed}");
    assert_eq!(listing(&project.path("")), before);
}

#[test]
fn rejects_a_cargo_toml_that_can_not_be_extended() {
    let project = Project::app("metadata = { other = { x = 1 } }\n");
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: cannot append a table to `Cargo.toml`: cannot extend value of type inline table with a dotted key

hint: `metadata` is an inline table or has dotted keys, so it can't be extended; write it as `[package.metadata.…]`

"#]],
    );
    let project = Project::empty();
    let inline = "package = { name = \"app\", edition = \"2024\" }\n";
    project.file("Cargo.toml", inline).file("src/main.rs", crate::cargo::project::MAIN);
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: cannot append a table to `Cargo.toml`: cannot extend value of type inline table with a dotted key

hint: `package` is an inline table or has dotted keys, so it can't be extended; write it as `[package]`

"#]],
    );
    let project = Project::app("[package.metadata.coracle]\n");
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: `Cargo.toml` has `[package.metadata.coracle]` already

hint: build its image with `cargo coracle build`; to start over, remove it

"#]],
    );
    let project = Project::app("[package.metadata.Coracle]\n");
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: `[package.metadata.Coracle]` has no effect: settings belong below `[package.metadata.coracle]`
   --> Cargo.toml:5:1
  5 | [package.metadata.Coracle]
    | ^^^^^^^^^^^^^^^^^^^^^^^^^^

"#]],
    );
    let project = Project::empty();
    project.file("Cargo.toml", "[profile.dev]\n");
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: `Cargo.toml` has neither a package nor a workspace

hint: create a package with `cargo init`

"#]],
    );
    project.file("Cargo.toml", "[package\n");
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: `Cargo.toml` is not TOML: unclosed table, expected `]`
   --> Cargo.toml:1:9
  1 | [package
    |         ^

"#]],
    );
}

#[test]
fn coracle_init_inside_a_package_names_the_command_for_it() {
    let project = Project::app("");
    let output = coracle_in(&project.path("src"), ["init"]).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("/Cargo.toml`, run `cargo coracle init`"), "{said}");
}

#[test]
fn requires_a_cargo_toml_under_cargo() {
    let project = Project::empty();
    project.cargo(["init"]).ends(
        2,
        str![],
        str![[r#"
error: there is no Cargo.toml in `[FOLDER]` or its parent directories

hint: create one with `cargo new app`, or name an existing program: `coracle init ./app`

"#]],
    );
    project.file("docs/x", "").cargo(["init", "docs"]).ends(
        2,
        str![],
        str![[r#"
error: there is no Cargo.toml in `docs`

hint: create one with `cargo new app`, or name an existing program: `coracle init ./app`

"#]],
    );
    let project = Project::app("");
    project.file("app", "").cargo(["init", "app"]).ends(
        2,
        str![],
        str![[r#"
error: `app`: `cargo coracle init` takes no program, because cargo builds the programs

hint: name the directory of a Cargo.toml, or none; for a file, run `coracle init app`

"#]],
    );
    project.cargo(["init", "--recipe"]).ends(
        2,
        str![],
        str![[r#"
error: `--recipe` can't be used under cargo: the settings are in Cargo.toml, and coracle.toml is not read

hint: run `coracle init --recipe` to write one for `coracle build`

"#]],
    );
}
