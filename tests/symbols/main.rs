//! Versions and symbols that a closure lacks, compared with what the real loader says of the same programs: what `ldd -r`
//! prints, and whether they start.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, and a test that is left out says so"
)]

mod build;
mod folder;
mod others;
mod said;
mod symbol;
mod version;
