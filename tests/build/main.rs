//! `coracle build` as its users meet it: real programs in, images out that are read back byte by byte, and every kind
//! of bad input with the whole of what is said about it.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod base;
mod cache;
mod changes;
mod compression;
mod contract;
mod destinations;
mod disk;
mod dry_run;
mod hostile;
mod includes;
mod interruptions;
mod layout;
mod libraries;
mod linkage;
mod placement;
mod programs;
mod project;
mod recipe;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
