//! `cargo coracle`: real crates, built offline by real cargo, and a fake cargo for targets that
//! test machines lack.

mod cargo_toml;
mod changing_inputs;
mod config_render;
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
