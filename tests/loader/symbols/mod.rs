//! Versions and symbols that a closure lacks, compared with what the real loader says of the same programs: what `ldd -r`
//! prints, and whether they start.

mod build_errors;
mod folder;
mod messages;
mod other_loaders;
mod symbol_versions;
mod undefined_symbols;
