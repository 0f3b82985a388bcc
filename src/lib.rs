//! Builds minimal OCI images from programs that are already built. An image contains the program
//! and exactly the files that it needs, such as the shared libraries that its dynamic loader would
//! map.
//!
//! The library equivalent of `coracle build /usr/bin/env -t env`:
//!
//! ```
//! use coracle::recipe::RecipeOverrides;
//! use coracle::{Recipe, Settings};
//!
//! # let directory = tempfile::tempdir()?;
//! # let layout = format!("oci:{}", directory.path().join("env.oci").display());
//! let flags = RecipeOverrides {
//!     programs: vec!["/usr/bin/env".into()],
//!     names: vec!["env".into()],
//!     destinations: vec![layout],
//!     ..RecipeOverrides::default()
//! };
//! let built = coracle::build(&Recipe::from_flags(&flags)?, &Settings::default(), &())?;
//! println!("{}@{}", built.references[0], built.digest);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`build`] turns a [`Recipe`] into an image: it plans the image of each platform, packs its
//! layers, and publishes it. The library prints nothing and reads no environment variables; the
//! caller passes both as [`Settings`] and [`Observer`]. It does not run programs, except the
//! clients of local engines.
//!
//! Features (all are on by default): `kube` for configuration, contracts and Kubernetes manifests,
//! `scan` for the secret scanner, `sign` for signatures and provenance, `registry` for the HTTP client
//! of registries, and `cli` for the command line.
//!
//! Images follow the OCI image specification 1.1. Libraries are found as the dynamic loaders of
//! glibc and musl find them. ARCHITECTURE.md describes the modules.

#[cfg(feature = "sign")]
pub mod attestations;
mod base_image;
mod build_record;
mod build_result;
#[cfg(feature = "kube")]
pub mod contract;
pub mod destinations;
mod error;
mod image_config;
mod image_plan;
pub mod inventory;
pub mod lock;
#[cfg(not(feature = "kube"))]
mod no_contract;
#[cfg(not(feature = "scan"))]
mod no_secret_scan;
mod observer;
mod over_budget;
mod pack;
mod packaged_files;
mod packed_files;
mod plan;
mod previous_image;
mod publish;
pub mod recipe;

mod build_request;
mod image_sizes;
pub mod replaced_file;
pub mod root_file_systems;
pub mod rootfs;
pub mod sbom;
#[cfg(feature = "scan")]
pub mod secret_scan;
mod settings;
mod size_comparison;

pub use build_result::{BaseInfo, Built, RegistryPush};
pub use error::Error;
pub use image_plan::Plan;
pub use image_sizes::{PlatformSize, PreviousSize, SizeDelta};
pub use observer::{Observer, PublishDecision};
pub use over_budget::OverBudgetError;
pub use packaged_files::packaged_paths;
pub use plan::{added_state_directories, check_required_files, plan, plan_with_missing_files};
pub use previous_image::PreviousImage;
pub use recipe::Recipe;
pub use settings::Settings;

use build_record::UpToDateCheck;
use build_request::BuildRequest;
#[cfg(not(feature = "kube"))]
use no_contract as contract;
#[cfg(not(feature = "scan"))]
use no_secret_scan as secret_scan;

/// Builds the image of `recipe` and publishes it to every destination.
///
/// With a cache, an image whose inputs and outputs have not changed since an earlier build is not
/// built again.
///
/// No destination is changed before the whole image is packed, scanned and within its budget. Only
/// layers are uploaded to registries before that, each after its scan is complete. The contract is
/// published before the image's names; names are written last.
///
/// # Errors
/// Fails if a program cannot be resolved, different contents are planned for one path, a file
/// changes while it is read, the secret scanner has findings, the image exceeds its budget, or a
/// destination cannot be written.
pub fn build(recipe: &Recipe, settings: &Settings, observer: &dyn Observer) -> Result<Built, Error> {
    let request = BuildRequest::new(recipe, settings, observer)?;
    let record = match build_record::check_up_to_date(&request)? {
        UpToDateCheck::UpToDate(built) => return Ok(*built),
        UpToDateCheck::Outdated(record) => record,
    };
    let plan = plan::plan_build(&request)?;
    let packed = pack::pack_and_scan(&request, plan)?;
    let published = publish::publish_contract_then_names(&request, packed)?;
    Ok(build_record::record_build(&request, record, published))
}
