//! Runs the real program against directories that are updated as a kubelet does, and programs that
//! print the signals that they get.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod ends;
mod names;
mod setup;
mod updates;
