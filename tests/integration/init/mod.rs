//! `coracle init`: the files that it writes are built, rendered and run; existing files are never
//! changed.

mod cargo_packages;
mod ci_files;
mod errors;
mod existing_projects;
mod recipes;
