//! `coracle deps` from outside, on programs made for it and in a root of its own.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod listing;
mod project;
mod refusals;
mod roots;
mod why;
