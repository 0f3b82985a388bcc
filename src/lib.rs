//! Turns a program that is already built into the smallest honest container image: the program, exactly the shared
//! libraries that its dynamic loader would map, and nothing else.
//!
//! What `coracle build /usr/bin/env -t env` does:
//!
//! ```
//! use coracle::recipe::{Overrides, Recipe};
//! use coracle::Settings;
//!
//! # let directory = tempfile::tempdir()?;
//! # let layout = format!("oci:{}", directory.path().join("env.oci").display());
//! let flags = Overrides {
//!     programs: vec!["/usr/bin/env".into()],
//!     names: vec!["env".into()],
//!     destinations: vec![layout],
//!     ..Overrides::default()
//! };
//! let built = coracle::build(&Recipe::from_flags(&flags)?, &Settings::default(), &())?;
//! println!("{}@{}", built.references[0], built.digest);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The line from a recipe to an image is [`build`]; ARCHITECTURE.md has the floors below it.

pub mod base;
mod build;
pub mod cache;
pub mod closure;
pub mod config;
pub mod content;
pub mod contract;
pub mod digest;
pub mod elf;
pub mod engine;
pub mod fs;
pub mod gate;
pub mod image;
pub mod json;
pub mod kubernetes;
pub mod layer;
pub mod loader;
pub mod manifest;
pub mod note;
pub mod path;
pub mod platform;
pub mod port;
pub mod quantity;
pub mod recipe;
pub mod reference;
pub mod registry;
pub mod rootfs;
pub mod runtime;
pub mod shared;
pub mod signal;
pub mod size;
mod spelling;
pub mod store;
pub mod template;
pub mod transfer;
pub mod tree;
pub mod values;
mod witness;
pub mod yaml;

pub use build::{
    Before, Below, Built, Change, Delivery, Error, Observer, OverBudget, Plan, Previous, Roots, Settings,
    Turn, View, Weight, build, contract_of, foresee, including, judge_configuration, plan, registries,
};
