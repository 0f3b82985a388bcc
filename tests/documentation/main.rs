//! Runs every command of README.md and docs/ with the real program, real crates, a registry and
//! engines, and compares the output with the page. Checks that every error has a heading in
//! docs/errors.md.
//!
//! `pages/NAME.rs` prepares the files that a page mentions. The commands of a page run in order, in
//! one folder.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod doc_runner;
mod engines;
mod error_headings;
mod expected_output;
mod fake_api_server;
mod links;
mod page;
mod pages;
mod registry_hosts;
mod security_page;
