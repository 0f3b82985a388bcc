//! Comparisons with the dynamic loaders of glibc and musl: single rules, all ELF files of this
//! machine, and programs that run in their images, also for other architectures.

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
