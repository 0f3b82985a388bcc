//! Manifests of Kubernetes against an image's contract: does the program find what it expects, where it expects it?
//!
//! The manifests are anybody's. Everything that does not fit is found at once, each with its place in the YAML. What can't
//! be told from here, such as the content of a Secret that somebody else makes, is a note. It knows no cluster and
//! changes nothing but references to images, see [`resolve`].

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
    /// The files that a mount at `path` hides: all below a directory, or the one file there.
    fn hidden_by(&self, path: &ImagePath, is_file: bool) -> Vec<ImagePath>;
}

/// What manifests are held to.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// What the image expects.
    pub contract: &'a Contract,
    /// Paths in the image, where they are known.
    pub files: Option<&'a dyn ImageFiles>,
    /// The image's user, as its config says.
    pub user: Option<&'a str>,
    /// The digests of its manifests and its index.
    pub digests: Vec<String>,
    /// Its full names.
    pub names: Vec<String>,
    /// The container that is meant, where the image does not say.
    pub container: Option<String>,
    /// The whole contract with values for it.
    pub document: Option<(&'a Document, &'a Values)>,
}

/// Holds manifests to what an image expects.
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
