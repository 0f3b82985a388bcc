//! A recipe with a lock, in which a package has another version.

use super::{NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/lock.md",
    engines: NONE,
    prepare,
    checks: &[("coracle lock --update libssl3", super::Check::After(age_libssl))],
};

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]).file("coracle.toml", "[image]\nname = \"shop\"\nprograms = [\"app\"]\n");
}

/// The lock as it was before libssl3 was updated.
fn age_libssl(runner: &DocRunner) {
    runner.done(r#"sed -i '/"libssl3"/s/"version":"[^"]*"/"version":"3.0.1-1"/' coracle.lock"#);
}
