//! An image that would hold what is no part of it.

use super::{Check, NONE, Page};
use crate::desk::Desk;
use crate::planted;

pub(super) const PAGE: Page = Page {
    path: "docs/secret-scanner.md",
    engines: NONE,
    prepare,
    checks: &[("coracle build", Check::Exits(&[4]))],
};

fn prepare(desk: &Desk) {
    desk.hello("app")
        .file("assets/deploy.md", format!("the token: {}\n", planted::with_checksum("ghp_")))
        .file("config/shop.toml.j2", "port = {{ port }}\n")
        .file("config/values.toml", "port = 1\n");
}
