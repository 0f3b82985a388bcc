//! Checks Kubernetes manifests from any source against an image's contract.
//!
//! Reports all mismatches at once, each with its position in the YAML. What cannot be checked, such
//! as the content of a Secret outside of the manifests, is a note. Needs no cluster. [`resolve`]
//! pins images.

mod config_object;
mod container_choice;
mod containers;
mod expected_files;
mod files;
mod finding;
mod mount_paths;
mod mounts;
mod objects;
pub mod pin;
mod pod_settings;
#[cfg(test)]
mod tests;
mod variables;
mod volume;

pub use container_choice::IMAGE_SCHEME;
pub use finding::{CheckFinding, CheckReport, CheckRule};
pub use objects::ManifestFile;

use coracle_core::path::ImagePath;

use crate::contract::{Contract, ContractDocument};
use crate::values::Values;
use config_object::ParsedConfigObject;
use containers::Container;
use expected_files::ExpectedFiles;
use files::ContainerCheck;

/// The files of an image.
pub trait HiddenFiles: std::fmt::Debug {
    /// Returns the files that a mount at `path` hides: all below a directory, or the one file there.
    fn hidden_by(&self, path: &ImagePath, is_file: bool) -> Vec<ImagePath>;
}

/// What manifests are checked against.
#[derive(Clone, Debug)]
pub struct Expectations<'a> {
    /// The image's contract.
    pub contract: &'a Contract,
    /// The image's files, if known.
    pub image_files: Option<&'a dyn HiddenFiles>,
    /// The user of the image's config.
    pub user: Option<&'a str>,
    /// The digests of the image's manifests and index.
    pub digests: Vec<String>,
    /// The full names of the image.
    pub names: Vec<String>,
    /// The name of the container to check; `None` to find it by image.
    pub container_name: Option<String>,
    /// The full contract and values to render it with.
    pub contract_document: Option<(&'a ContractDocument, &'a Values)>,
}

/// Checks manifests against what an image expects.
pub fn check_manifests(inputs: &[ManifestFile], expected: &Expectations<'_>) -> CheckReport {
    let mut report = CheckReport::default();
    let parsed = objects::parse_files(inputs, &mut report);
    let objects = objects::find_objects(&parsed);
    let maps: Vec<ParsedConfigObject<'_>> =
        objects.iter().filter_map(|object| ParsedConfigObject::parse(object, &mut report)).collect();
    let containers: Vec<Container<'_>> = objects.iter().flat_map(containers::containers_of).collect();
    let chosen = container_choice::choose_containers(&containers, expected, inputs, &mut report);
    let comparison = expected
        .contract_document
        .map(|(document, values)| ExpectedFiles::new(document, values.clone(), &mut report));
    for container in &chosen {
        report.containers.push(container.title());
        let mounts = mounts::container_mounts(container, &mut report);
        let look = ContainerCheck {
            container,
            mounts: &mounts,
            maps: &maps,
            expected,
            comparison: comparison.as_ref(),
        };
        look.check_files(&mut report);
        look.check_mount_paths(&mut report);
        look.check_variables(&mut report);
        look.check_user(&mut report);
        look.check_writable(&mut report);
        look.check_ports(&mut report);
        look.check_signals(&mut report);
    }
    report.into_sorted()
}
