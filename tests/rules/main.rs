//! The rules by which loaders find libraries, one by one: each with a small root built for it, what is expected there,
//! and the real loader as the judge in the same test, run inside that root.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod case;
mod elf;
mod foreign;
#[path = "../support/launch.rs"]
mod launch;
#[path = "../support/listing.rs"]
mod listing;
mod requirement;

mod cache;
mod candidates;
mod filters;
mod hwcaps;
mod identity;
mod isa;
mod legacy;
mod machines;
mod mixed;
mod musl;
mod nodeflib;
mod order;
mod preload;
mod random;
mod root;
mod scripts;
mod tokens;
