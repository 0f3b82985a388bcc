//! The leak gate as its users meet it: what is planted is refused, what is ordinary is not, and what is meant is allowed.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod allowed;
mod configuration;
mod ordinary;
mod planted;
mod project;
#[path = "../support/mod.rs"]
mod support;
mod table;
