//! Tests of the command line and the library that need no container engine: images are built for
//! real, registries are fakes or run on 127.0.0.1.
//!
//! All tests share one process. None sets a variable, the working directory or the umask of this
//! process; a test that measures the process runs in its own ([`coracle_testing::in_own_process`]).

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod architecture;
#[cfg(target_os = "linux")]
mod build;
#[cfg(target_os = "linux")]
mod cargo;
#[cfg(target_os = "linux")]
mod ci;
mod cli;
#[cfg(target_os = "linux")]
mod config;
#[cfg(target_os = "linux")]
mod config_reload;
#[cfg(target_os = "linux")]
mod contract;
#[cfg(target_os = "linux")]
mod deps;
#[cfg(unix)]
mod determinism;
mod fuzz;
#[cfg(target_os = "linux")]
mod implicit;
#[cfg(target_os = "linux")]
mod init;
#[cfg(target_os = "linux")]
mod inspect;
#[cfg(unix)]
mod interrupt;
#[cfg(target_os = "linux")]
mod manifests;
#[cfg(target_os = "linux")]
mod other_platforms;
#[cfg(target_os = "linux")]
mod record;
mod registry;
#[cfg(target_os = "linux")]
mod release;
#[cfg(target_os = "linux")]
mod secret_scanner;
#[cfg(target_os = "linux")]
mod signing;
#[cfg(unix)]
mod strip;
