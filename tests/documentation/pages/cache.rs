//! Recipes that share libraries.

use super::{Check, NONE, Page};
use crate::desk::Desk;

pub(super) const PAGE: Page = Page {
    path: "docs/cache.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle build /usr/bin/curl", Check::Prints("written to oci:curl.oci")),
        ("coracle build /usr/bin/curl", Check::Prints("unchanged in oci:curl.oci")),
    ],
};

fn prepare(desk: &Desk) {
    for name in ["a", "b", "c"] {
        let recipe =
            format!("[image]\nname = \"{name}\"\nprograms = [\"/usr/bin/env\"]\nargs = [\"{name}\"]\n");
        desk.file(&format!("{name}.toml"), recipe);
    }
}
