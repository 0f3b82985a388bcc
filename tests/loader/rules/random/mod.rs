//! Rules in combinations that nobody has thought of: small roots made up by a generator, the real
//! loader as the judge.
//!
//! A root follows from its number. What fails is printed as the text of a test, with nothing in it
//! that does not matter. `CORACLE_ROOTS=FIRST..END` or `CORACLE_ROOTS=NUMBER` asks for others than
//! those that are always tried.

mod difference;
mod glibc;
mod musl;
mod random_numbers;
mod random_root;
mod reduce;

use std::ops::Range;

use coracle_testing::requirement::variable;

use random_root::World;

/// Each takes some milliseconds; CI has some seconds.
const ALWAYS: Range<u64> = 0..150;

/// So many are reduced and printed; there is no end to it where a common rule is broken.
const ENOUGH: usize = 10;

#[test]
fn random_roots_map_as_with_glibc() {
    compare(glibc::root);
}

#[test]
fn random_roots_map_as_with_musl() {
    compare(musl::root);
}

fn compare(root: fn(u64) -> World) {
    let differ = |&number: &u64| root(number).difference().is_some();
    let failed: Vec<u64> = numbers().filter(differ).take(ENOUGH).collect();
    let texts = failed.iter().map(|&number| {
        let reduced = reduce::reduced(root(number));
        let difference = reduced.difference().unwrap_or_default();
        format!("root {number}:\n{reduced}\n{difference}\n")
    });
    assert!(failed.is_empty(), "{}", texts.collect::<String>());
}

fn numbers() -> Range<u64> {
    let Some(text) = variable("CORACLE_ROOTS") else { return ALWAYS };
    let text = text.to_str().unwrap();
    let (first, end) = text.split_once("..").unwrap_or((text, ""));
    let first = first.parse().unwrap();
    first..end.parse().unwrap_or(first + 1)
}
