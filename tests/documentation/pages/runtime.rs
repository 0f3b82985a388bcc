//! A program that opens things.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/runtime.md",
    engines: NONE,
    prepare,
    checks: &[("coracle build ./app --dry-run", Check::Prints("REASON"))],
};

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]);
}
