//! The documentation, run: every command that README.md and the pages in docs/ show, as it stands there, with the real
//! program, real crates, a registry and the engines, and what it is said to print; and every error by its heading.
//!
//! A page has a preparation, `pages/NAME.rs`: the files that the page speaks of. What a command leaves is there for the
//! next one.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod cluster;
mod desk;
mod engines;
mod links;
mod messages;
mod page;
mod pages;
#[allow(dead_code, reason = "tests of clients need the rest")]
#[path = "../clients/place.rs"]
mod place;
#[allow(dead_code, reason = "tests of the leak gate need the rest")]
#[path = "../leaks/table.rs"]
mod planted;
#[allow(dead_code, reason = "tests of clients need the rest")]
#[path = "../clients/process.rs"]
mod process;
mod registry;
#[allow(dead_code, reason = "tests of clients need the rest")]
#[path = "../clients/requirement.rs"]
mod requirement;
mod shown;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "tests of manifests need the rest")]
#[path = "../manifests/tools.rs"]
mod tools;
