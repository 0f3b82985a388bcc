//! Helpers of Coracle's tests: runs of the binary, a registry with faults, sandboxes, unpacked
//! images, synthetic ELF files.
//!
//! This crate depends on no other crate of Coracle: unit tests of each of them can use it.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "this crate is never published, and a panic is how a test fails"
)]

#[cfg(target_os = "linux")]
pub mod bundle;
mod command;
#[cfg(unix)]
pub mod config_map_volume;
mod executable;
pub mod kubernetes_tools;
#[cfg(target_os = "linux")]
pub mod launch;
mod own_process;
mod paths;
pub mod planted_secrets;
#[cfg(unix)]
pub mod process;
pub mod registry;
pub mod requirement;
#[cfg(target_os = "linux")]
pub mod sandbox;
mod synthetic_elf;
pub mod unpacked;

pub use command::{Coracle, coracle, coracle_in, listing};
pub use executable::{static_program, write_executable};
pub use own_process::in_own_process;
pub use paths::{built_example, built_package, program, temporary_directory, workspace_root};
pub use requirement::skipped;
pub use synthetic_elf::SyntheticElf;
