//! Settings in Cargo.toml.

use snapbox::str;

use crate::cargo::project::Project;

#[test]
fn workspace_settings_apply_to_all_packages() {
    let project = Project::empty();
    let workspace = r#"
[workspace]
members = ["crates/*"]
resolver = "3"

[workspace.package]
license = "MIT"
repository = "https://example.com/shop"

[workspace.metadata.coracle.image]
user = 1000
env = { RUST_LOG = "info" }

[[workspace.metadata.coracle.include]]
from = "assets/"
to = "/srv/assets"
"#;
    let shop = r#"
license.workspace = true
repository.workspace = true

[package.metadata.coracle.image]
name = "ghcr.io/acme/shop:1.2"
user = 2000
args = ["--serve"]

[[package.metadata.coracle.include]]
from = "own.txt"
to = "/srv/own.txt"
"#;
    project.file("Cargo.toml", workspace).file("assets/logo.svg", "<svg/>");
    project.krate("crates/shop", "shop", shop).file("crates/shop/own.txt", "own");
    project.krate("crates/admin", "admin", "");
    project.built(&["--debug"]);

    let shop = project.layout("shop");
    assert_eq!(shop.names(), ["1.2 ghcr.io/acme/shop:1.2"]);
    let config = shop.config();
    let config = &config["config"];
    assert_eq!(config["User"], "2000:2000");
    assert_eq!(config["Env"], serde_json::json!(["RUST_LOG=info"]));
    assert_eq!(config["Cmd"], serde_json::json!(["--serve"]));
    let labels = serde_json::json!({
        "org.opencontainers.image.licenses": "MIT",
        "org.opencontainers.image.source": "https://example.com/shop",
        "org.opencontainers.image.title": "shop",
        "org.opencontainers.image.version": "1.2.3",
    });
    for (label, value) in labels.as_object().unwrap() {
        assert_eq!(&config["Labels"][label], value, "{label}");
        assert_eq!(&shop.manifest()["annotations"][label], value, "{label}");
    }
    assert_eq!(shop.below(&["/srv"]), ["/srv/", "/srv/own.txt"]);

    let admin = project.layout("admin");
    assert_eq!(admin.config()["config"]["User"], "1000:1000");
    assert_eq!(admin.below(&["/srv"]), ["/srv/", "/srv/assets/", "/srv/assets/logo.svg"]);
}

#[test]
fn named_programs_share_one_image() {
    let project = Project::app(
        "[package.metadata.coracle.image]\nprograms = [\"target/debug/app\", \"target/debug/tool\"]\n",
    );
    project.file("src/bin/tool.rs", crate::cargo::project::MAIN);
    project.cargo(["build", "-q", "--debug"]).ends(
        0,
        str![[r#"
app:latest@sha256:[..]

"#]],
        str![],
    );
    assert_eq!(project.layout("app").below(&["/app/"]), ["/app/", "/app/app", "/app/tool"]);
}

#[test]
fn an_image_of_several_programs_has_the_entrypoints_name() {
    let project = Project::app(
        "[package.metadata.coracle.image]\nprograms = [\"target/debug/tool\", \"target/debug/app\"]\n",
    );
    project.file("src/bin/tool.rs", crate::cargo::project::MAIN);
    project.cargo(["build", "-q", "--debug"]).ends(
        0,
        str![[r#"
tool:latest@sha256:[..]

"#]],
        str![],
    );
    assert_eq!(project.layout("tool").names(), ["latest docker.io/library/tool:latest"]);
}

#[test]
fn ignores_programs_of_an_earlier_build() {
    let project = Project::app(
        "[package.metadata.coracle.image]\nprograms = [\"target/release/app\", \"target/release/tool\"]\n",
    );
    project.file("src/bin/tool.rs", crate::cargo::project::MAIN);
    project.built(&[]);
    let hint = "hint: `programs` in `[package.metadata.coracle.image]` must name files that this command builds: change it, \
                or the flags that select programs, profile, target and directory";
    for (flags, old, new) in [
        (["--debug"].as_slice(), "app", "`target/debug/app`"),
        (&["--bin", "app"], "tool", "`target/release/app`"),
        (&["--target-dir", "out"], "app", "`out/release/app`"),
    ] {
        let output = project.cargo(["build", "-q"]).command().args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = format!(
            "error: `target/release/{old}` was not built by this run of cargo, which built {new}\n\n{hint}\n"
        );
        assert_eq!(said, expected, "{flags:?}");
    }
    // Tables of other names belong to the user.
    project.file("own/tool", std::fs::read(project.path("target/release/tool")).unwrap());
    let settings = "[package.metadata.coracle.image]\nprograms = [\"target/release/app\", \"own/tool\"]\n";
    project.krate("", "app", settings);
    project.built(&["--bin", "app"]);
    // Nothing was there before.
    std::fs::remove_dir_all(project.path("target")).unwrap();
    let output = project.cargo(["build", "-q", "--debug"]).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: `target/release/app` was not built by this run of cargo"), "{said}");
}

#[test]
fn flags_override_settings() {
    let project = Project::app("[package.metadata.coracle.image]\nname = \"shop:1\"\nexpose = [80]\n");
    project.built(&["--debug", "-t", "shop:2", "-o", "oci:out", "--expose", "8080"]);
    let layout = crate::build::layout::Layout::open(project.path("out"));
    assert_eq!(layout.names(), ["2 docker.io/library/shop:2"]);
    assert_eq!(layout.config()["config"]["ExposedPorts"], serde_json::json!({ "8080/tcp": {} }));
}

#[test]
fn errors_have_their_position_in_cargo_toml() {
    let project = Project::empty();
    project.file(
        "Cargo.toml",
        "[workspace]\nmembers = [\"shop\"]\n\n[workspace.metadata.coracle.image]\nexpsoe = [80]\n",
    );
    project.krate(
        "shop",
        "shop",
        "\n[package.metadata.coracle]\nname = \"shop\"\n\n[package.metadata.coracle.image]\nuser = \"root\"\n",
    );
    project.cargo(["build", "-q", "--debug"]).ends(
        2,
        str![],
        str![[r#"
error: 3 problems in the recipe

  unknown key `expsoe` in `[workspace.metadata.coracle.image]`; did you mean `expose`?
     --> Cargo.toml:5:1
    5 | expsoe = [80]
      | ^^^^^^

  unknown key `name` in `[package.metadata.coracle]`; it belongs below `[package.metadata.coracle.image]`
     --> shop/Cargo.toml:7:1
    7 | name = "shop"
      | ^^^^

  the user `root` is not numeric
      --> shop/Cargo.toml:10:8
    10 | user = "root"
       |        ^^^^^^

hint: write it by number as `UID[:GID]`, such as `65532`: Kubernetes can't tell whether `root` is root

"#]],
    );
}

#[test]
fn rejects_one_name_for_several_images() {
    let project = Project::app("[package.metadata.coracle.image]\nname = \"shop\"\n");
    project.file("src/bin/tool.rs", crate::cargo::project::MAIN);
    project.cargo(["build", "-q", "--debug"]).ends(2, str![], str![[r#"
error: two images have the name `shop:latest`
  --> `app` of Cargo.toml
  --> `tool` of Cargo.toml

hint: build them one at a time with `-p PACKAGE` or `--bin NAME`, name each package or program differently, or put them into one image: `programs` in `[package.metadata.coracle.image]`

"#]]);
    project.built(&["--debug", "--bin", "app"]);
}
