//! Commands about contracts as their users meet them: images built of a C program with configuration, manifests good and
//! bad with everything that is said about them, and images that are none.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod check;
mod content;
mod diff;
mod hostile;
mod resolve;
mod shop;
mod show;
#[path = "../support/mod.rs"]
mod support;
