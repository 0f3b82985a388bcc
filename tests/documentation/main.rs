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

mod doc_runner;
mod engines;
mod error_headings;
mod expected_output;
mod fake_api_server;
mod links;
mod page;
mod pages;
mod registry_hosts;
