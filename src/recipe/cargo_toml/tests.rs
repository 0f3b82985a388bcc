use std::path::Path;

use snapbox::{IntoData as _, str};

use super::*;
use coracle_oci::copy::ImageLocation;

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

/// Returns the recipe of the package at `shop/` in a workspace, and the workspace's folder.
fn recipe(workspace: &str, package: &str) -> Result<(Recipe, PathBuf), String> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "Cargo.toml", workspace);
    let manifest = write(folder.path(), "shop/Cargo.toml", package);
    let recipe =
        CargoPackage::read(&manifest).and_then(|package| package.recipe(&RecipeOverrides::default()));
    let path = folder.path().to_owned();
    recipe
        .map(|recipe| (recipe, path.clone()))
        .map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FOLDER"))
}

#[test]
fn package_overrides_workspace() {
    let workspace = r#"
[workspace]
members = ["shop"]

[workspace.metadata.coracle.image]
base = "oci:base"
env = { A = "workspace", B = "workspace" }
expose = ["80", "81"]

[[workspace.metadata.coracle.include]]
from = "assets/"
to = "/srv/"

[workspace.metadata.coracle.platform."linux/arm64"]
sysroot = "arm64"
"#;
    let package = r#"
[package]
name = "shop"

[package.metadata.coracle.image]
env = { B = "package" }
expose = ["8080"]

[package.metadata.coracle.platform."linux/s390x"]
sysroot = "s390x"
"#;
    let (recipe, folder) = recipe(workspace, package).unwrap();
    let env: Vec<_> = recipe.image.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["A=workspace", "B=package"]);
    assert_eq!(recipe.image.exposed_ports.iter().map(ToString::to_string).collect::<Vec<_>>(), ["8080/tcp"]);
    assert_eq!(recipe.contents.includes[0].from, folder.join("assets/"));
    let Some(ImageLocation::OnDisk(base)) = &recipe.image.base else { panic!("{:?}", recipe.image.base) };
    assert_eq!(base.path, folder.join("base"));
    let roots: Vec<_> =
        recipe.contents.root_overrides.iter().map(|root| recipe.resolve_path(&root.directory)).collect();
    assert_eq!(roots, [folder.join("arm64"), folder.join("shop/s390x")]);
}

#[test]
fn package_fields_are_default_labels() {
    let workspace = r#"
[workspace.package]
version = "1.2.3"
authors = ["A <a@example.com>", "B"]
license = "MIT/Apache-2.0"
"#;
    let package = r#"
[package]
name = "shop"
version.workspace = true
authors = { workspace = true }
license.workspace = true
description = """
Sells
things."""
repository = "https://example.com/shop"

[package.metadata.coracle.image]
labels = { "org.opencontainers.image.title" = "Shop" }
"#;
    let (recipe, _) = recipe(workspace, package).unwrap();
    let lines = |map: &std::collections::BTreeMap<String, String>| {
        let lines: Vec<_> = map.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        lines.join("\n").replace("org.opencontainers.image.", "")
    };
    snapbox::assert_data_eq!(
        lines(&recipe.image.labels),
        str![[r#"
authors: A <a@example.com>, B
description: Sells things.
licenses: MIT OR Apache-2.0
source: https://example.com/shop
title: Shop
version: 1.2.3
"#]]
        .raw()
    );
    assert_eq!(recipe.image.annotations["org.opencontainers.image.title"], "shop");
    assert_eq!(recipe.image.annotations.len(), recipe.image.labels.len());
}

#[test]
fn reports_all_problems_with_file_line_and_table() {
    let workspace = r#"
[workspace]

[workspace.metadata.coracle.image]
user = "root"
nmae = "shop"
"#;
    let package = r#"
[package]
name = "shop"

[package.metadata.coracle]
name = "shop"
zebra = 1

[package.metadata.coracle.image]
expose = ["nothing"]
include = []

[[package.metadata.coracle.include]]
form = "assets"
to = "/srv"

[package.coracle]
"#;
    snapbox::assert_data_eq!(
        recipe(workspace, package).unwrap_err(),
        str![[r#"
9 problems in the recipe

  the user `root` is not numeric
     --> FOLDER/Cargo.toml:5:8
    5 | user = "root"
      |        ^^^^^^

  unknown key `nmae` in `[workspace.metadata.coracle.image]`; did you mean `name`?
     --> FOLDER/Cargo.toml:6:1
    6 | nmae = "shop"
      | ^^^^

  unknown key `name` in `[package.metadata.coracle]`; it belongs below `[package.metadata.coracle.image]`
     --> FOLDER/shop/Cargo.toml:6:1
    6 | name = "shop"
      | ^^^^

  unknown key `zebra` in `[package.metadata.coracle]`
     --> FOLDER/shop/Cargo.toml:7:1
    7 | zebra = 1
      | ^^^^^

  `nothing` is not a port: it must be a number from 1 to 65535
      --> FOLDER/shop/Cargo.toml:10:11
    10 | expose = ["nothing"]
       |           ^^^^^^^^^

  unknown key `include` in `[package.metadata.coracle.image]`; it belongs below `[package.metadata.coracle]`
      --> FOLDER/shop/Cargo.toml:11:1
    11 | include = []
       | ^^^^^^^

  missing field `from`
      --> FOLDER/shop/Cargo.toml:13:1
    13 | [[package.metadata.coracle.include]]
       | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

  unknown key `form` in `[[package.metadata.coracle.include]]`; did you mean `from`?
      --> FOLDER/shop/Cargo.toml:14:1
    14 | form = "assets"
       | ^^^^

  `[package.coracle]` has no effect: settings belong below `[package.metadata.coracle]`
      --> FOLDER/shop/Cargo.toml:17:1
    17 | [package.coracle]
       | ^^^^^^^^^^^^^^^^^
"#]]
        .raw()
    );
}

#[test]
fn reports_misplaced_settings_once() {
    let both = "[package]\nname = \"shop\"\n\n[workspace.coracle.image]\nuser = 1\n\n[metadata.coracle]\n";
    snapbox::assert_data_eq!(
        recipe("", both).unwrap_err(),
        str![[r#"
2 problems in the recipe

  `[workspace.coracle]` has no effect: settings belong below `[workspace.metadata.coracle]`
     --> FOLDER/shop/Cargo.toml:4:12
    4 | [workspace.coracle.image]
      |            ^^^^^^^

  `[metadata.coracle]` has no effect: settings belong below `[package.metadata.coracle]`
     --> FOLDER/shop/Cargo.toml:7:1
    7 | [metadata.coracle]
      | ^^^^^^^^^^^^^^^^^^
"#]]
        .raw()
    );
    let workspace = "[package]\nname = \"root\"\n[package.coracle]\n\n[workspace.coracle]\n";
    snapbox::assert_data_eq!(
        recipe(workspace, "[package]\nname = \"shop\"\n").unwrap_err(),
        str![[r#"
`[workspace.coracle]` has no effect: settings belong below `[workspace.metadata.coracle]`
   --> FOLDER/Cargo.toml:5:1
  5 | [workspace.coracle]
    | ^^^^^^^^^^^^^^^^^^^
"#]]
        .raw()
    );
}

#[test]
fn rejects_settings_that_are_not_a_table() {
    let package = "[package]\nname = \"shop\"\nmetadata.coracle = \"shop\"\n";
    snapbox::assert_data_eq!(
        recipe("", package).unwrap_err(),
        str![[r#"
`package.metadata.coracle` is not a table
   --> FOLDER/shop/Cargo.toml:3:20
  3 | metadata.coracle = "shop"
    |                    ^^^^^^
"#]]
        .raw()
    );
}

#[test]
fn finds_workspace_as_cargo_does() {
    let folder = tempfile::tempdir().unwrap();
    let workspace_of = |path: &str, text: &str| {
        let manifest = write(folder.path(), path, text);
        let workspace = CargoPackage::read(&manifest).unwrap().workspace;
        workspace.map(|text| {
            text.path.parent().unwrap().strip_prefix(folder.path()).unwrap().display().to_string()
        })
    };
    write(folder.path(), "Cargo.toml", "[workspace]\nexclude = [\"out\"]\nmembers = [\"out/in\"]\n");
    write(folder.path(), "a/Cargo.toml", "[package]\n");
    write(folder.path(), "other/Cargo.toml", "[workspace]\n");
    for (path, text, expected) in [
        ("a/b/Cargo.toml", "", Some("")),
        ("other/b/Cargo.toml", "", Some("other")),
        ("out/b/Cargo.toml", "", None),
        ("out/in/Cargo.toml", "", Some("")),
        ("own/Cargo.toml", "[workspace]\n", Some("own")),
        ("named/Cargo.toml", "[package]\nworkspace = \"../other\"\n", Some("named/../other")),
    ] {
        assert_eq!(workspace_of(path, text).as_deref(), expected, "{path}");
    }
}

#[test]
fn limit_has_position_in_manifest() {
    let package = r#"
[package]
name = "shop"

[package.metadata.coracle.budget]
growth = "5%"
"#;
    let workspace =
        "[workspace.metadata.coracle.budget]\nimage = \"5MB\"\n[workspace]\nmembers = [\"shop\"]\n";
    let (recipe, _) = recipe(workspace, package).unwrap();
    let (image, growth) = (recipe.checks.budget.image.unwrap(), recipe.checks.budget.growth.unwrap());
    assert_eq!(image.setting, "`image` below `[workspace.metadata.coracle.budget]`");
    assert_eq!(growth.setting, "`growth` below `[package.metadata.coracle.budget]`");
    let line = |place: Option<crate::recipe::SourcePosition>| place.map(|place| place.line);
    assert_eq!((line(image.position), line(growth.position)), (Some(2), Some(6)));
}
