//! Images that `coracle` makes, in the hands of the programs that users have: inspected, loaded, pulled, run and stopped
//! by skopeo, umoci and runc, podman, containerd and Docker, and compared with what the host says.
//!
//! A client that is not installed is skipped aloud, or fails the test (`requirement`). Each test starts what it needs
//! in a sandbox of its own, which ends with the test and leaves nothing behind (`sandbox`).

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
mod runc;
mod skopeo;
mod test_images;
