//! Checks Kubernetes manifests from any source against an image's contract.
//!
//! Reports all mismatches at once, each with its position in the YAML. What cannot be checked, such
//! as the content of a Secret outside of the manifests, is a note. Needs no cluster. [`resolve`]
//! pins images.

mod choose;
mod env;
mod files;
mod finding;
mod map;
mod mounts;
mod objects;
mod places;
pub mod resolve;
mod runtime;
#[cfg(test)]
mod tests;
mod values;
mod volume;
mod workload;

pub use choose::SCHEME;
pub use finding::{Finding, Report, Rule};
pub use objects::Input;

use coracle_core::path::ImagePath;

use crate::contract::{Contract, Document};
use crate::values::Values;
use files::Look;
use map::Map;
use values::Comparison;
use workload::Container;

/// The files of an image.
pub trait ImageFiles: std::fmt::Debug {
    /// Returns the files that a mount at `path` hides: all below a directory, or the one file there.
    fn hidden_by(&self, path: &ImagePath, is_file: bool) -> Vec<ImagePath>;
}

/// What manifests are checked against.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// The image's contract.
    pub contract: &'a Contract,
    /// The image's files, if known.
    pub files: Option<&'a dyn ImageFiles>,
    /// The user of the image's config.
    pub user: Option<&'a str>,
    /// The digests of the image's manifests and index.
    pub digests: Vec<String>,
    /// The full names of the image.
    pub names: Vec<String>,
    /// The name of the container to check; `None` to find it by image.
    pub container: Option<String>,
    /// The full contract and values to render it with.
    pub document: Option<(&'a Document, &'a Values)>,
}

/// Checks manifests against what an image expects.
pub fn check(inputs: &[Input], expected: &Expected<'_>) -> Report {
    let mut report = Report::default();
    let parsed = objects::parse(inputs, &mut report);
    let objects = objects::objects(&parsed);
    let maps: Vec<Map<'_>> = objects.iter().filter_map(|object| Map::of(object, &mut report)).collect();
    let containers: Vec<Container<'_>> = objects.iter().flat_map(workload::containers).collect();
    let chosen = choose::choose(&containers, expected, inputs, &mut report);
    let comparison =
        expected.document.map(|(document, values)| Comparison::new(document, values.clone(), &mut report));
    for container in &chosen {
        report.containers.push(container.title());
        let mounts = mounts::mounts(container, &mut report);
        let look =
            Look { container, mounts: &mounts, maps: &maps, expected, comparison: comparison.as_ref() };
        look.files(&mut report);
        look.places(&mut report);
        look.variables(&mut report);
        look.user(&mut report);
        look.writable(&mut report);
        look.ports(&mut report);
        look.signals(&mut report);
    }
    report.sorted()
}
