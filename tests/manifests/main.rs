//! `coracle manifests` as its users meet it, judged by the programs that they hand its output to: kubectl, helm,
//! kubernetes-validate, and a YAML parser of Python.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod command;
mod contents;
mod documentation;
mod hash;
mod kinds;
mod pods;
mod project;
mod refusals;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod tools;
