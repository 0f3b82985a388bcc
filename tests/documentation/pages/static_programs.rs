//! The same of C, Rust and Go.

use super::{Check, NONE, Page, cargo};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/static.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle build ./hello", Check::Prints("in 1 layer")),
        ("coracle build ./hello", Check::Prints("in 1 layer")),
        ("coracle build target/", Check::Prints("in 1 layer")),
        ("cargo coracle build", Check::Prints("in 1 layer")),
        ("coracle build ./lookup", Check::Prints("in 1 layer")),
    ],
};

fn prepare(runner: &DocRunner) {
    cargo::targets(runner);
    runner
        .source("hello.c")
        .file("lookup.go", include_str!("lookup.go"))
        .file("Cargo.toml", "[package]\nname = \"shop\"\nversion = \"1.2.0\"\nedition = \"2024\"\n")
        .file("src/main.rs", "fn main() {\n    println!(\"hello\");\n}\n");
}
