//! Images of `coracle` in real clients: skopeo, umoci and runc, podman, containerd and Docker
//! inspect, load, pull, run and stop them.
//!
//! A client that is not installed is skipped, or fails the test (`coracle_testing::requirement`).
//! Each test starts its client in a sandbox, which ends with the test (`coracle_testing::sandbox`).

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod base_images;
mod containerd;
mod coracle_image;
mod docker;
mod engines;
mod greeter;
mod kubernetes_pod;
mod layers;
mod podman;
mod registry;
mod run;
mod runc;
mod skopeo;
mod test_images;
