//! An image that is sent to registries, and copied from one to the other.

use super::{NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page { path: "docs/registries.md", engines: NONE, prepare, checks: &[] };

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]);
    let digest = runner.done("coracle build -q ./app -t shop:1.2");
    runner.word("sha256:…", digest.split_once('@').unwrap().1);
}
