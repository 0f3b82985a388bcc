//! The step in CI: budgets and reports of `coracle build`.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod budget;
mod growth;
mod project;
mod registry;
mod reports;
#[path = "../support/mod.rs"]
mod support;
