//! curl of this machine, and the example with its configuration.

use super::{Check, PODMAN, Page};
use crate::doc_runner::DocRunner;
use crate::page;

pub(super) const PAGE: Page = Page {
    path: "README.md",
    engines: PODMAN,
    prepare,
    checks: &[
        ("coracle build /usr/bin/curl -t curl", Check::Prints("curl:latest@sha256:")),
        ("coracle run", Check::PrintsToRoot("libcurl/")),
        ("coracle build /usr/bin/curl --dry-run", Check::Prints("libcurl.so.4")),
        ("coracle deps", Check::Prints("libcurl.so.4")),
        ("cargo build --release -p greeter", Check::Prints("kind: Deployment")),
        ("cargo run --release -- run", Check::Serves),
        ("curl ", Check::PrintsToRoot("Hello, ada!")),
    ],
};

/// This project is already built: `.ci/run` runs the command unchanged.
fn prepare(runner: &DocRunner) {
    let greeter = coracle_testing::built_package("greeter");
    runner.done(&format!("cp -r {}/templates .", page::root().display()));
    super::cargo::targets(runner);
    let script = std::fs::read_to_string(runner.path("../bin/cargo")).unwrap();
    let script = script.trim_start_matches("#!/bin/sh\n");
    runner.tool(
        "cargo",
        &format!(
            "case \"$1 $2\" in\n'run --release') shift 3; exec coracle \"$@\" ;;\n'build --release')\n    mkdir -p \
             target/release; exec cp {} target/release ;;\nesac\n{script}",
            greeter.display()
        ),
    );
    super::run::own_network(runner);
}
