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

mod build;
pub mod recipe;
pub mod rootfs;

pub use build::{
    Before, Below, Built, Change, Delivery, Error, Observer, OverBudget, Plan, Previous, Roots, Settings,
    Turn, View, Weight, build, contract_of, foresee, including, judge_configuration, plan, registries,
};
