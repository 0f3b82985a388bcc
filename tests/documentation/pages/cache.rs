//! Recipes that share libraries.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/cache.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle build /usr/bin/curl", Check::Prints("written to oci:curl.oci")),
        ("coracle build /usr/bin/curl", Check::Prints("unchanged in oci:curl.oci")),
    ],
};

fn prepare(runner: &DocRunner) {
    for name in ["a", "b", "c"] {
        let recipe =
            format!("[image]\nname = \"{name}\"\nprograms = [\"/usr/bin/env\"]\nargs = [\"{name}\"]\n");
        runner.file(&format!("{name}.toml"), recipe);
    }
}
