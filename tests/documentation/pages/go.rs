//! A program that looks a host up.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/go.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle deps ./lookup", Check::Prints("libc.so.6")),
        ("coracle build ./lookup", Check::Prints("libraries")),
        ("coracle deps ./lookup", Check::Prints("static")),
        ("coracle build ./lookup", Check::Prints("3 files")),
        ("coracle build build/amd64/lookup", Check::Prints("linux/amd64, linux/arm64")),
    ],
};

fn prepare(runner: &DocRunner) {
    runner.file("lookup.go", include_str!("lookup.go"));
}
