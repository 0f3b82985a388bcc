//! An image that would hold what is no part of it.

use coracle_testing::planted_secrets;

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/secret-scanner.md",
    engines: NONE,
    prepare,
    checks: &[("coracle build", Check::Exits(&[4]))],
};

fn prepare(runner: &DocRunner) {
    runner
        .hello("app")
        .file("assets/deploy.md", format!("the token: {}\n", planted_secrets::with_checksum("ghp_")))
        .file("config/shop.toml.j2", "listen = {{ port }}\n")
        .file("config/values.toml", "port = 1\n");
}
