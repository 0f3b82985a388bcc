//! The contract of an image without the feature `kube`: images have no configuration, so there is
//! nothing to describe.

use std::collections::BTreeMap;

use super::destinations::Destinations;
use super::error::Error;
use super::recipe::Recipe;
use super::rootfs::Owner;
use super::settings::Settings;
use coracle_core::digest::Digest;
use coracle_core::path::ImagePath;
use coracle_oci::image::ImageSet;
use coracle_oci::layout::{LayoutWarning, OutputStamp};

/// The contract's label, which an image must not inherit from its base image.
const CONTRACT_LABEL: &str = "io.coracle.config.v1";

/// The empty contract of a build without the feature `kube`.
pub(crate) struct ContractDocument;

/// A published contract.
#[derive(Default)]
pub(crate) struct PublishedContract {
    /// The digest of its artifact at a registry. `None` if it was not pushed.
    pub(crate) digest: Option<Digest>,
    pub(crate) warnings: Vec<LayoutWarning>,
}

/// Returns the empty contract.
pub(crate) fn contract_of(_: &Recipe) -> Result<ContractDocument, Error> {
    Ok(ContractDocument)
}

/// Does nothing: the contract has no user.
pub(crate) fn set_user(_: &mut ContractDocument, _: Owner) {}

/// Does nothing: the contract has no directories.
pub(crate) fn add_writable<'a>(_: &mut ContractDocument, _: impl Iterator<Item = &'a ImagePath>) {}

/// Returns the fingerprint of no files.
pub(crate) fn config_fingerprint(_: &Recipe) -> Option<Digest> {
    Some(Digest::compute(b""))
}

/// Returns no mount points.
pub(crate) fn mount_points(_: &Recipe) -> Vec<ImagePath> {
    Vec::new()
}

/// Returns no directories.
pub(crate) fn writable_directories(_: &Recipe) -> Vec<ImagePath> {
    Vec::new()
}

/// Returns whether `label` is the contract's label.
pub(crate) fn is_contract_label(label: &str) -> bool {
    label == CONTRACT_LABEL
}

/// Adds no label.
pub(crate) fn add_label(_: &ContractDocument, _: &mut BTreeMap<String, String>) -> Result<(), Error> {
    Ok(())
}

/// Publishes nothing.
pub(crate) fn publish_contract(
    _: &ContractDocument,
    _: &ImageSet,
    _: &Destinations,
    _: &Settings,
    _: &mut OutputStamp,
) -> Result<PublishedContract, Error> {
    Ok(PublishedContract::default())
}
