//! The rules of dynamic loaders, one by one. Each test makes a small root, and compares what is
//! expected, our closure, and the real loader, which runs in that root.

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
