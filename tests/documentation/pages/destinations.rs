//! A program, registries, and Podman.

use super::{Check, PODMAN, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/destinations.md",
    engines: PODMAN,
    prepare,
    checks: &[("coracle build ./app -t", Check::Prints("written to oci:shop.oci"))],
};

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]);
}
