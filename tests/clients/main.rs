//! Images that `coracle` makes, in the hands of the programs that users have: inspected, loaded, pulled, run and stopped
//! by skopeo, umoci and runc, podman, containerd and Docker, and compared with what the host says.
//!
//! A client that is not installed is skipped aloud, or fails the test (`requirement`). Each test starts what it needs
//! in a place of its own, which ends with the test and leaves nothing behind (`place`).

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

#[path = "../support/atomic_writer.rs"]
mod atomic_writer;
mod base;
mod bundle;
mod containerd;
mod docker;
mod engines;
mod greeter;
mod layers;
mod own;
mod place;
mod pod;
mod podman;
mod process;
mod registry;
mod requirement;
mod runc;
mod skopeo;
mod subject;
