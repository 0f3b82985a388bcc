//! What programs need besides what their loaders map: real programs, packed and run in their images, where each need is
//! met or missed for real.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod c_library;
mod image;
#[allow(dead_code, reason = "tests of `coracle build` need the rest")]
#[path = "../build/layout.rs"]
mod layout;
mod modules;
mod notes;
mod plugins;
#[allow(dead_code, reason = "tests of `coracle build` need the rest")]
#[path = "../build/project.rs"]
mod project;
#[path = "../support/mod.rs"]
mod support;
mod tls;
