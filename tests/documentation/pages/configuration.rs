//! A program, a folder with its configuration, and a secret.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/configuration.md",
    engines: NONE,
    prepare,
    checks: &[("coracle build ./shop", Check::Prints("expects    /run/secrets/shop: token (secret)"))],
};

fn prepare(runner: &DocRunner) {
    runner
        .programs(["shop"])
        .file("config/shop.toml.j2", "port = {{ port }}\n")
        .file("config/values.toml", "port = 1\n");
}
