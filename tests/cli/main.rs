//! The command line: help, and every way to say something wrong.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod completions;
mod help;
mod man;
mod output;
mod recipe_keys;
mod recipes;
#[path = "../support/mod.rs"]
mod support;
mod usage;
mod words;
