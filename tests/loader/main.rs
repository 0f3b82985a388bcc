//! Comparisons with the dynamic loaders of glibc and musl: each rule by itself, every ELF file of
//! this machine, and real programs and programs for other architectures that run in their images.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod architectures;
mod every_elf_file;
mod listing;
mod programs;
mod rules;
mod symbols;
