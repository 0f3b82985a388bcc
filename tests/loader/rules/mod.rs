//! The rules by which loaders find libraries, one by one: each with a small root built for it, what is expected there,
//! and the real loader as the judge in the same test, run inside that root.

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
