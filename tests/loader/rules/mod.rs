//! The rules of dynamic loaders, one per test. A test creates a small root, and compares the expected
//! result, our closure, and the real loader's result in that root.

mod case;
mod elf;
mod foreign_machines;

mod cache;
mod candidates;
mod filters;
mod hwcaps;
mod isa_levels;
mod legacy_hwcaps;
mod machines;
mod mixed_libc;
mod musl;
mod nodeflib;
mod object_identity;
mod path_tokens;
mod preload;
mod random;
mod root_directory;
mod scripts;
mod search_order;
