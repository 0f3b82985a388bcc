//! `cargo coracle config render` selects a package of the workspace, and hints name tables that cargo accepts.

use coracle_testing::coracle_in;
use snapbox::str;

use crate::cargo::project::Project;

const WORKSPACE: &str = "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n";

const CONFIG: &str =
    "[[package.metadata.coracle.config]]\nmount = \"/etc/app\"\ntemplates = [\"app.conf\"]\n";

/// A workspace without a root package, with `admin` and `shop`.
fn workspace(configured: &[&str]) -> Project {
    let project = Project::empty();
    project.file("Cargo.toml", WORKSPACE);
    for name in ["admin", "shop"] {
        let folder = format!("crates/{name}");
        project.krate(&folder, name, if configured.contains(&name) { CONFIG } else { "" });
        project.file(format!("{folder}/app.conf"), format!("{name}\n"));
    }
    project
}

#[test]
fn a_package_is_selected_by_name_or_manifest() {
    let project = workspace(&["admin", "shop"]);
    project.cargo(["config", "render", "-p", "shop"]).ends(
        0,
        str![[r#"
shop

"#]],
        str![],
    );
    project.cargo(["config", "render", "-p", "admin@1.2.3"]).ends(
        0,
        str![[r#"
admin

"#]],
        str![],
    );
    project.cargo(["config", "render", "--manifest-path", "crates/admin/Cargo.toml"]).ends(
        0,
        str![[r#"
admin

"#]],
        str![],
    );
    project.cargo_in("crates/shop/src", ["config", "render"]).ends(
        0,
        str![[r#"
shop

"#]],
        str![],
    );
    project.cargo_in("crates/shop", ["config", "render", "-p", "admin"]).ends(
        0,
        str![[r#"
admin

"#]],
        str![],
    );
    project.cargo(["config", "render", "-p", "nope"]).ends(
        2,
        str![],
        str![[r#"
error: the workspace of `Cargo.toml` has no package `nope`

hint: its packages: `admin`, `shop`

"#]],
    );
}

#[test]
fn the_only_package_with_configuration_needs_no_flag() {
    workspace(&["shop"]).cargo(["config", "render"]).ends(
        0,
        str![[r#"
shop

"#]],
        str![],
    );
    workspace(&["admin", "shop"]).cargo(["config", "render"]).ends(
        2,
        str![],
        str![[r#"
error: several packages have configuration: `admin`, `shop`

hint: select one with `-p PACKAGE`

"#]],
    );
}

#[test]
fn hints_never_name_package_metadata_of_a_virtual_workspace() {
    let project = workspace(&[]);
    project.cargo(["config", "render"]).ends(
        2,
        str![],
        str![[r#"
error: nothing to render: no package of this workspace has configuration

hint: write `[[package.metadata.coracle.config]]` in the Cargo.toml of a package, or pass `--config FOLDER:/etc/app`

"#]],
    );
    project.cargo(["config", "render", "-p", "shop"]).ends(
        2,
        str![],
        str![[r#"
error: nothing to render: no configuration is specified

hint: write `[[package.metadata.coracle.config]]` in `crates/shop/Cargo.toml`, or pass `--config FOLDER:/etc/app`

"#]],
    );
    coracle_in(&project.path(""), ["config", "render", "-f", "Cargo.toml"]).ends(
        2,
        str![],
        str![[r#"
error: nothing to render: no configuration is specified

hint: name the Cargo.toml of a package, with `[[package.metadata.coracle.config]]` in it, or pass `--config FOLDER:/etc/app`

"#]],
    );
}

#[test]
fn hints_about_a_cargo_toml_name_its_tables() {
    let project = workspace(&["shop"]);
    coracle_in(&project.path(""), ["build", "-f", "crates/shop/Cargo.toml"]).ends(
        2,
        str![],
        str![[r#"
error: no program is specified: `crates/shop/Cargo.toml` names none

hint: write `programs = ["target/release/app"]` below `[package.metadata.coracle.image]` of a package, name one on the command line, or run `cargo coracle build`, which builds the package's programs

"#]],
    );
    // A hint of the library, which does not know the recipe's file.
    project.krate("crates/shop", "shop", "[package.metadata.coracle.kubernetes]\nkind = \"CronJob\"\n");
    project.cargo(["manifests", "-q", "--debug", "-p", "shop"]).ends(
        2,
        str![],
        str![[r#"
...
hint: write `schedule = "0 3 * * *"` in `[package.metadata.coracle.kubernetes]`

"#]],
    );
}
