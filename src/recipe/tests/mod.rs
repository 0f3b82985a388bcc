mod all_keys;
mod problems;
mod tables;

use std::path::Path;

use super::*;
use crate::rootfs::Owner;
use coracle_core::path::{ImagePath, RawPath};

fn read(text: &str, flags: &RecipeOverrides) -> Result<Recipe, RecipeError> {
    parse_recipe(Path::new("coracle.toml"), text.as_bytes(), flags)
}

/// Returns the messages for a recipe with a program and these lines below `[image]`.
fn messages_of(lines: &str) -> Vec<String> {
    let text = format!("[image]\nprograms = [\"app\"]\n{lines}");
    match read(&text, &RecipeOverrides::default()) {
        Err(RecipeError::Invalid(problems)) => problems.into_iter().map(|problem| problem.message).collect(),
        other => panic!("{other:?}"),
    }
}

fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(String::from).into()
}

pub(super) const ALL_KEYS: &str = r#"
version = 1

[image]
name = "ghcr.io/acme/shop"
programs = ["target/release/shop", { from = "bin/tool", to = "/usr/bin/" }]
args = ["--config", "/etc/shop/shop.toml"]
user = 1000
group = 100
expose = [8080, "9000/udp"]
env = { RUST_LOG = "info", LANG = "C" }
working-dir = "/srv/"
stop-signal = "SIGRTMIN+3"
labels = { a = "1" }
strip = true
inventory = false
licences = true
linkage = "dynamic"
compression = "zstd:9"
sbom = ["cyclonedx"]
platform = "linux/arm/v7"

[image.annotations]
"org.opencontainers.image.title" = "Shop"

[[include]]
from = "assets/"
to = "/srv/assets/"
exclude = ["*.map"]
times = "epoch"

[runtime]
certificates = true
local-certificates = true
nss = "auto"
nss-modules = ["sss"]
openssl = false
libgcc = "false"
dlopen = ["libpq.so.5"]
dlopen-notes = "suggested"
time-zones = ["Europe/Berlin"]
locales = ["C.UTF-8"]
charsets = []
pam = ["login"]
plugins = ["gio"]
complete = true
ignore = ["/usr/share/vim"]
hwcaps = "x86-64-v3"

[allow]
"/srv/assets/demo.pem" = "a certificate for the tutorial"
"#;
