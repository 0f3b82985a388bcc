//! `coracle init` as its users meet it: what it writes is built, rendered and run for real, and nothing that is there is
//! ever changed.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod ci;
#[allow(dead_code, reason = "tests of images need the rest")]
#[path = "../build/layout.rs"]
mod layout;
#[allow(dead_code, reason = "tests of cargo need the rest")]
#[path = "../cargo/project.rs"]
mod package;
mod packages;
#[allow(dead_code, reason = "tests of images need the rest")]
#[path = "../build/project.rs"]
mod project;
mod recipes;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
