//! `coracle init` as its users meet it: what it writes is built, rendered and run for real, and nothing that is there is
//! ever changed.

mod cargo_packages;
mod ci_files;
mod errors;
mod recipes;
