//! `coracle build`: images of real programs, read back byte by byte, and the complete output for
//! every kind of invalid input.

mod base_images;
pub(crate) mod cache;
mod changing_inputs;
mod compression;
mod contract_label;
mod destinations;
mod disk_errors;
mod dry_run;
mod durability;
mod extended_attributes;
mod includes;
mod invalid_programs;
mod inventory;
mod io_faults;
mod killed_builds;
pub(crate) mod layout;
mod library_lookup;
mod linkage;
mod malformed_elf;
mod placement;
mod program_kinds;
pub(crate) mod project;
mod recipe_keys;
mod stop_signal;
mod web_files;
