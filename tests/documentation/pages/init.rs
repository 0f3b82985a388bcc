//! A program, and a new crate.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/init.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle init ./app", Check::Prints("written to oci:app.oci")),
        ("cargo new app", Check::After(elsewhere)),
    ],
};

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]);
}

/// In a directory without a program of that name.
fn elsewhere(runner: &DocRunner) {
    runner.done("mkdir new; cd new");
}
