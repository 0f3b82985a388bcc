//! Resolves the shared libraries of an ELF program as glibc's and musl's dynamic loaders do, without running it.

pub mod closure;
pub mod elf;
pub mod implicit;
pub mod ldso;
