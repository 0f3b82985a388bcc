//! `cargo coracle` as its users meet it: real crates that real cargo builds, without a network, and what is said about
//! them; a stand-in for cargo where a target is wanted that no test machine has.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod commands;
mod early;
mod fake;
#[allow(dead_code, reason = "tests of images need the rest")]
#[path = "../build/layout.rs"]
mod layout;
mod metadata;
mod new;
mod places;
mod project;
mod refusals;
#[allow(dead_code, reason = "tests of registries need the rest")]
#[path = "../registry/fake/mod.rs"]
mod registry;
mod sent;
mod stale;
#[path = "../support/mod.rs"]
mod support;
mod targets;
mod workspace;
