//! A program, a folder with its configuration, and a secret.

use super::{Check, NONE, Page};
use crate::desk::Desk;

pub(super) const PAGE: Page = Page {
    path: "docs/configuration.md",
    engines: NONE,
    prepare,
    checks: &[("coracle build ./shop", Check::Prints("expects    /run/secrets/shop: token (secret)"))],
};

fn prepare(desk: &Desk) {
    desk.programs(["shop"])
        .file("config/shop.toml.j2", "port = {{ port }}\n")
        .file("config/values.toml", "port = 1\n");
}
