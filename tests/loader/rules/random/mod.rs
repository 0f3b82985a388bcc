//! Random combinations of rules: generated roots, in which our result is compared with the real
//! loader's.
//!
//! A root is generated from its number. A failing root is reduced and printed as the source of a
//! test. `CORACLE_ROOTS=FIRST..END` or `CORACLE_ROOTS=NUMBER` selects other numbers than the default.

mod difference;
mod glibc;
mod musl;
mod random_numbers;
mod random_root;
mod reduce;

use std::ops::Range;

use coracle_testing::requirement::variable;

use random_root::RandomRoot;

/// The default numbers. A root takes some milliseconds.
const DEFAULT_NUMBERS: Range<u64> = 0..150;

/// Maximum number of failing roots to reduce and print. A broken rule makes most of them fail.
const MAX_REPORTED: usize = 10;

#[test]
fn random_roots_map_as_with_glibc() {
    compare(glibc::root);
}

#[test]
fn random_roots_map_as_with_musl() {
    compare(musl::root);
}

fn compare(root: fn(u64) -> RandomRoot) {
    let differ = |&number: &u64| root(number).difference().is_some();
    let failed: Vec<u64> = root_numbers().filter(differ).take(MAX_REPORTED).collect();
    let texts = failed.iter().map(|&number| {
        let minimize = reduce::minimize(root(number));
        let difference = minimize.difference().unwrap_or_default();
        format!("root {number}:\n{minimize}\n{difference}\n")
    });
    assert!(failed.is_empty(), "{}", texts.collect::<String>());
}

fn root_numbers() -> Range<u64> {
    let Some(text) = variable("CORACLE_ROOTS") else { return DEFAULT_NUMBERS };
    let text = text.to_str().unwrap();
    let (first, end) = text.split_once("..").unwrap_or((text, ""));
    let first = first.parse().unwrap();
    first..end.parse().unwrap_or(first + 1)
}
