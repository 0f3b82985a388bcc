//! The command line: help, and every way to say something wrong.

mod completions;
mod help;
mod man;
mod output;
mod recipes;
#[path = "../support/mod.rs"]
mod support;
mod usage;
mod words;
