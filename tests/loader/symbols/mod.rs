//! Missing versions and symbols, compared with the output of `ldd -r` and with whether the programs
//! start.

mod build_errors;
mod folder;
mod messages;
mod other_loaders;
mod symbol_versions;
mod undefined_symbols;
