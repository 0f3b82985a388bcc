//! `cargo coracle` as its users meet it: real crates that real cargo builds, without a network, and what is said about
//! them; a stand-in for cargo where a target is wanted that no test machine has.

mod cargo_toml;
mod changing_inputs;
mod cross_targets;
mod early_packing;
mod errors;
mod fake_cargo;
mod new_crate;
mod other_commands;
pub(crate) mod project;
mod registry_push;
mod target_directories;
mod workspace;
