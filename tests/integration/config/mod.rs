//! `coracle config render`.

mod errors;
mod output_directory;
mod rendered_files;
mod template_errors;

use std::fs;
use std::path::Path;

use coracle_testing::{Coracle, coracle_in};
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
templates = ["config/shop.toml.j2", { from = "config/logo.bin", verbatim = true }, { from = "config/shop.toml.j2", path = "again.txt" }]

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
