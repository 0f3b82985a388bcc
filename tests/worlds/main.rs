//! Images of other worlds, each run in its own unpacked root, where nothing of the host is: every machine that Debian
//! has a cross compiler for, under qemu, and musl's programs.
//!
//! What a machine lacks is skipped aloud, or fails the test.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

#[allow(dead_code, reason = "the rules of loaders need the rest")]
#[path = "../support/launch.rs"]
mod launch;
mod machines;
mod musl;
#[allow(dead_code, reason = "the real clients need the rest")]
#[path = "../clients/process.rs"]
mod process;
mod project;
#[allow(dead_code, reason = "the real clients need the rest")]
#[path = "../clients/requirement.rs"]
mod requirement;
#[allow(dead_code, reason = "real programs need the rest")]
#[path = "../support/unpacked.rs"]
mod unpacked;
