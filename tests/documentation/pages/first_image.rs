//! A program with assets and configuration.

use super::{Check, PODMAN, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/first-image.md",
    engines: PODMAN,
    prepare,
    checks: &[
        ("coracle build ./app", Check::Prints("written to oci:app.oci")),
        ("coracle build ./app --dry-run", Check::Prints("libssl.so.3")),
        ("coracle deps", Check::Prints("libssl.so.3")),
        ("podman load", Check::Prints("app:latest")),
        ("podman run", Check::PrintsToRoot("OpenSSL")),
        ("coracle build ./app --config", Check::Prints("expects    /etc/app: app.toml")),
        ("coracle init", Check::After(remove_configuration)),
        ("coracle build", Check::Prints("app:latest@sha256:")),
    ],
};

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]).file("assets/logo.svg", "<svg/>\n").file("config/app.toml", "port = 1\n");
}

/// `coracle init` writes its own.
fn remove_configuration(runner: &DocRunner) {
    runner.done("rm -r config");
}
