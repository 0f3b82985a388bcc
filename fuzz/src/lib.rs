//! The functions that fuzzers run. `cargo test` of Coracle's workspace runs them on the files in `seeds`.

// Fuzzers need nightly Rust and a workspace of their own, so the tests' package can't depend on this one.
#[path = "../../tests/integration/fuzz/targets.rs"]
mod targets;

pub use targets::*;
