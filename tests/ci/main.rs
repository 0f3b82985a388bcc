//! The step in CI: budgets and reports of `coracle build`, and the jobs of GitHub and GitLab. Their scripts are run as the
//! runners run them, against a registry with a password and a server that has releases.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod action;
mod budget;
mod component;
mod documentation;
mod growth;
mod install;
#[path = "../release/pack.rs"]
mod pack;
mod project;
mod registry;
mod releases;
mod report_files;
mod reports;
mod runner;
mod schemas;
#[path = "../support/mod.rs"]
mod support;
mod words;
