//! Every flag and every key of a recipe, as it arrives in config, manifest and index.

use serde_json::{Value, json};
use snapbox::str;

use crate::build::project::Project;

/// The result of both notations.
fn expected_config() -> Value {
    json!({
        "Cmd": ["--config", "/etc/shop"],
        "Entrypoint": ["/usr/bin/shop"],
        "Env": ["A=1", "RUST_LOG=info"],
        "ExposedPorts": {"8080/tcp": {}, "9000/udp": {}},
        "Labels": {"com.acme.team": "shop", "empty": ""},
        "StopSignal": "SIGINT",
        "User": "1000:2000",
        "WorkingDir": "/srv/work",
    })
}

const RECIPE: &str = r#"
version = 1

[image]
name = "ghcr.io/acme/shop:1.2"
programs = [{ from = "hello", to = "/usr/bin/shop" }]
args = ["--config", "/etc/shop"]
user = 1000
group = 2000
expose = [8080, "9000/udp"]
env = { RUST_LOG = "info", A = "1" }
working-dir = "/srv/work"
stop-signal = "SIGINT"
labels = { "com.acme.team" = "shop", empty = "" }
annotations = { "org.opencontainers.image.source" = "https://example.org/shop" }
strip = true
platform = "linux/amd64"

[[include]]
from = "assets/"
to = "/srv/assets"
"#;

const FLAGS: [&str; 27] = [
    "hello:/usr/bin/shop",
    "--tag=ghcr.io/acme/shop:1.2",
    "--arg=--config",
    "--user=1000:2000",
    "--expose=8080",
    "--expose",
    "9000/udp",
    "--env=RUST_LOG=info",
    "--env",
    "A=1",
    "--working-dir",
    "/srv/work",
    "--stop-signal",
    "SIGINT",
    "--label=com.acme.team=shop",
    "--label",
    "empty=",
    "--annotation",
    "org.opencontainers.image.source=https://example.org/shop",
    "--strip",
    "--platform",
    "linux/amd64",
    "--include",
    "assets/:/srv/assets",
    "--epoch=0",
    "--",
    "/etc/shop",
];

fn shop() -> Project {
    let project = Project::new();
    project.compile("cc", "hello", crate::build::project::HELLO, &["-static"]).file("assets/logo", "*");
    project
}

#[test]
fn flags_and_recipe_keys_are_equivalent() {
    let project = shop();
    let by_flags = project.built(&FLAGS, "shop.oci");
    let config = by_flags.config();
    assert_eq!(config["config"], expected_config());
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    let annotation = &by_flags.manifest()["annotations"]["org.opencontainers.image.source"];
    assert_eq!(annotation, "https://example.org/shop");
    assert_eq!(by_flags.names(), ["1.2 ghcr.io/acme/shop:1.2"]);
    assert_eq!(
        by_flags.below(&["/srv", "/usr"]),
        ["/srv/", "/srv/assets/", "/srv/assets/logo", "/srv/work/", "/usr/", "/usr/bin/", "/usr/bin/shop"]
    );
    let digests = by_flags.digests();
    project.file("coracle.toml", RECIPE);
    assert_eq!(project.built(&[], "shop.oci").digests(), digests, "recipe and flags differ");
}

#[test]
fn recipe_paths_are_relative_to_the_recipe() {
    let project = shop();
    project.file("coracle.toml", RECIPE);
    let digests = project.built(&[], "shop.oci").digests();
    let elsewhere = Project::new();
    let recipe = project.path("coracle.toml");
    let layout = elsewhere.built(&["-f", recipe.to_str().unwrap()], "shop.oci");
    assert_eq!(layout.digests(), digests);
}

#[test]
fn flags_override_the_recipe() {
    let project = shop();
    project.file("coracle.toml", RECIPE).file("other", "");
    let layout = project.built(
        &[
            "--env=A=2",
            "--label=new=x",
            "--expose=1",
            "--user=5",
            "--include=other:/other",
            "--arg=one",
            "-t=x",
        ],
        "x.oci",
    );
    let config = &layout.config()["config"];
    assert_eq!(config["Env"], json!(["A=2", "RUST_LOG=info"]));
    assert_eq!(config["Labels"], json!({"com.acme.team": "shop", "empty": "", "new": "x"}));
    assert_eq!(config["ExposedPorts"], json!({"1/tcp": {}}));
    assert_eq!(config["User"], "5:2000");
    assert_eq!(config["Cmd"], json!(["one"]));
    assert_eq!(layout.below(&["/other", "/srv/assets"]), ["/other"]);
    assert_eq!(layout.names(), ["latest docker.io/library/x:latest"]);
}

#[test]
fn several_recipes_are_several_images() {
    let project = shop();
    for name in ["a", "b"] {
        project.file(&format!("{name}.toml"), format!("[image]\nname = \"{name}\"\nprograms = [\"hello\"]"));
    }
    project.built(&["-f", "a.toml", "-f", "b.toml"], "a.oci");
    assert_eq!(project.layout("b.oci").names(), ["latest docker.io/library/b:latest"]);
}

#[test]
fn sets_nothing_by_default() {
    let project = Project::hello(&["-static"]);
    let layout = project.built(&["hello"], "hello.oci");
    let expected = json!({"Entrypoint": ["/app/hello"], "User": "65532:65532", "WorkingDir": "/"});
    assert_eq!(layout.config()["config"], expected);
    assert_eq!(layout.names(), ["latest docker.io/library/hello:latest"]);
}

#[test]
fn source_date_epoch_affects_only_the_config() {
    let project = Project::hello(&["-static"]);
    let layers = project.built(&["hello"], "hello.oci").manifest()["layers"].clone();
    let layout = project.built(&["hello", "--epoch", "1700000000"], "hello.oci");
    assert_eq!(layout.config()["created"], "2023-11-14T22:13:20Z");
    assert_eq!(layout.manifest()["layers"], layers);
}

#[test]
fn reports_an_invalid_platform_with_its_position() {
    let project = Project::new();
    project.file(
        "coracle.toml",
        "[image]\nprograms = [\"hello\"]\n\n[platform.arm64]\nroot = \"a\"\n\n\
         [platform.\"linux/amd64\"]\nsys-root = \"a\"\n",
    );
    project.coracle(["build"]).ends(
        2,
        str![],
        str![[r#"
error: 2 problems in the recipe

  `arm64` is not a platform
     --> coracle.toml:4:1
    4 | [platform.arm64]
      | ^^^^^^^^^^^^^^^^

  unknown key `sys-root` in `[platform."linux/amd64"]`; did you mean `sysroot`?
     --> coracle.toml:8:1
    8 | sys-root = "a"
      | ^^^^^^^^

hint: write it as `OS/ARCHITECTURE[/VARIANT]`, such as `linux/amd64` or `linux/arm/v7`

"#]],
    );
}
