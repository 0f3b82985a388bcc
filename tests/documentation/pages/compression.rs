//! A program.

use super::{NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page { path: "docs/compression.md", engines: NONE, prepare, checks: &[] };

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]);
}
