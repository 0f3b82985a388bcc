//! The other commands, which read Cargo.toml where `coracle` reads `coracle.toml`.

use std::path::Path;

use snapbox::str;

use crate::cargo::project::{MAIN, Project};

const SETTINGS: &str = r#"
[package.metadata.coracle.image]
name = "ghcr.io/acme/shop:1.2"
expose = ["8080"]

[[package.metadata.coracle.config]]
mount = "/etc/app"
templates = ["app.conf.j2"]

[package.metadata.coracle.values]
files = ["values.toml"]

[package.metadata.coracle.environments.production]
values = ["production.toml"]
"#;

/// A crate with settings about its configuration.
fn shop() -> Project {
    let project = Project::app(SETTINGS);
    configuration(&project, "");
    project
}

fn configuration(project: &Project, folder: &str) {
    let files = [
        ("app.conf.j2", "port = {{ port }}\n"),
        ("values.toml", "port = 8080\n"),
        ("production.toml", "port = 80\n"),
    ];
    for (name, content) in files {
        project.file(Path::new(folder).join(name), content);
    }
}

/// The output of a command that must succeed.
#[track_caller]
fn printed(project: &Project, args: &[&str]) -> String {
    let output = project.cargo([]).command().args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn configuration_is_rendered_as_cargo_toml_says() {
    let project = shop();
    assert_eq!(printed(&project, &["config", "render"]), "port = 8080\n");
    assert_eq!(printed(&project, &["config", "render", "--environment", "production"]), "port = 80\n");
    let from_below = project.cargo_in("src", ["config", "render"]).command().output().unwrap();
    assert_eq!(String::from_utf8_lossy(&from_below.stdout), "port = 8080\n");
}

#[test]
fn reads_coracle_toml_if_cargo_toml_has_no_settings() {
    let project = shop();
    let recipe = "config = [{ mount = \"/etc/app\", templates = [\"other.conf\"] }]\n";
    project.file("coracle.toml", recipe).file("other.conf", "other\n");
    assert_eq!(printed(&project, &["config", "render"]), "port = 8080\n");
    assert_eq!(printed(&project, &["config", "render", "-f", "coracle.toml"]), "other\n");
    project.krate("", "app", "");
    assert_eq!(printed(&project, &["config", "render"]), "other\n");
}

#[test]
fn manifests_are_those_of_the_image_that_cargo_makes() {
    let project = shop();
    let built = printed(&project, &["build", "-q", "--debug"]);
    let manifests = printed(&project, &["manifests", "-q", "--debug"]);
    assert!(manifests.contains(&format!("image: {}", built.trim())), "{built}: {manifests}");
    assert!(manifests.contains("port = 8080"), "{manifests}");
    let image = "oci:target/coracle/shop.oci";
    assert_eq!(printed(&project, &["manifests", "-q", image]), manifests);
}

#[test]
fn manifests_of_a_package_have_its_environments() {
    let project = Project::empty();
    project.file("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n");
    project.krate("crates/shop", "shop", SETTINGS).krate("crates/admin", "admin", "");
    configuration(&project, "crates/shop");
    printed(&project, &["manifests", "-q", "--debug", "-p", "shop", "--layout", "kustomize", "-o", "deploy"]);
    assert!(project.path("deploy/overlays/production/kustomization.yaml").exists());
    let rendered = ["config", "render", "-f", "crates/shop/Cargo.toml", "--environment", "production"];
    assert_eq!(printed(&project, &rendered), "port = 80\n");
}

#[test]
fn manifests_are_of_one_program() {
    let project = Project::app("");
    project.file("src/bin/tool.rs", MAIN);
    project.cargo(["manifests", "-q", "--debug"]).ends(
        2,
        str![],
        str![[r#"
error: exactly one image is needed, but cargo has built programs for several: `app`, `tool`

hint: select one with `--bin NAME` or `-p PACKAGE`

"#]],
    );
    let manifests = printed(&project, &["manifests", "-q", "--debug", "--bin", "tool"]);
    assert!(manifests.contains("image: tool:latest@sha256:"), "{manifests}");
}

#[test]
fn manifests_of_an_existing_image_reject_flags_of_cargo() {
    let project = shop();
    printed(&project, &["build", "-q", "--debug"]);
    for (args, why) in [
        (
            ["-p", "nope", "oci:target/coracle/shop.oci"],
            "`-p` has no effect, because cargo does not run: `oci:target/coracle/shop.oci` is built already",
        ),
        (
            ["--bin", "nope", "oci:target/coracle/shop.oci"],
            "`--bin` has no effect, because cargo does not run: `oci:target/coracle/shop.oci` is built already",
        ),
        (
            ["--examples", "--file", "Cargo.toml"],
            "`--examples` has no effect with `--file`, because cargo does not run",
        ),
    ] {
        let output = project.cargo(["manifests"]).command().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let hint = "leave it out; `--manifest-path PACKAGE/Cargo.toml` selects the package whose settings apply to an existing image";
        assert_eq!(said, format!("error: {why}\n\nhint: {hint}\n"));
    }
    // A recipe here is not what `--bin` is about.
    project.krate("", "app", "").file("coracle.toml", "image = { programs = [\"nothing\"] }\n");
    let output = project.cargo(["manifests", "-q", "--debug", "--bin", "nope"]).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cargo could not build the programs"), "{said}");
}

#[test]
fn settings_of_a_package_apply_to_an_existing_image() {
    let project = Project::empty();
    project.file("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n");
    project.krate("crates/shop", "shop", SETTINGS);
    configuration(&project, "crates/shop");
    printed(&project, &["build", "-q", "--debug"]);
    let image = "oci:target/coracle/shop.oci";
    let manifests =
        printed(&project, &["manifests", "-q", "--manifest-path", "crates/shop/Cargo.toml", image]);
    assert!(manifests.contains("port = 8080"), "{manifests}");
}
