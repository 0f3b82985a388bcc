//! Builds minimal OCI images from programs that are already built. An image contains the program
//! and exactly the files that it needs, such as the shared libraries that its dynamic loader would
//! map.
//!
//! The library equivalent of `coracle build /usr/bin/env -t env`:
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
//! [`build`] turns a recipe into an image. ARCHITECTURE.md describes the modules below it.

mod build;
pub mod recipe;
pub mod rootfs;

pub use build::{
    BaseInfo, Built, Error, Observer, OverBudget, Plan, PlatformSize, PreviousImage, PreviousSize,
    PublishDecision, RegistryPush, RootFileSystems, RootId, Settings, SizeDelta, build, contract_of,
    enclosing_include, plan, registry_destinations, scan_config, scan_plan,
};
