//! The client of the distribution protocol: against a strict registry of our own that misbehaves when it is told to,
//! and against Debian's docker-registry, in the clear and with TLS and a password.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod about;
mod ahead;
mod base;
mod commands;
mod cuts;
mod destinations;
mod engine;
mod fake;
mod faults;
mod image;
mod index;
mod login;
#[cfg(target_os = "linux")]
mod memory;
mod ordinary;
mod reading;
mod real;
mod redirects;
mod referrers;
mod secrets;
mod shared;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod tls;
