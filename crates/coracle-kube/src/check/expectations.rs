//! What manifests are checked against: the contract, and facts about the image.

use coracle_core::path::ImagePath;

use crate::contract::{Contract, ContractDocument};
use crate::values::Values;

/// The files of an image, for mounts that hide them.
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
