//! The contract of a recipe's image: what the image expects of its configuration.

use std::collections::BTreeMap;

use super::destinations::Destinations;
use super::error::Error;
use super::recipe::{DEFAULT_USER, Recipe};
use super::rootfs::Owner;
use super::settings::Settings;
use coracle_core::digest::Digest;
use coracle_core::path::ImagePath;
use coracle_kube::config;
use coracle_kube::contract::{CONTRACT_LABEL, CONTRACT_MEDIA_TYPE, ContractDirectory, ImagePortsAndUser};
use coracle_oci::copy::{self, ImageLocation};
use coracle_oci::image::{Artifact, ImageSet};
use coracle_oci::layout::{self, LayoutWarning, OutputStamp};

pub use coracle_kube::contract::{Contract, ContractDocument};

/// Returns the full contract of the recipe's image; no values are read. The user may be the base
/// image's instead.
///
/// # Errors
/// Fails if the configuration is invalid; all problems of files, keys, mounts and schema are
/// reported together.
pub fn contract_of(recipe: &Recipe) -> Result<ContractDocument, Error> {
    let ports = recipe.image.exposed_ports.iter().map(ToString::to_string).collect();
    let user = recipe.image.user.unwrap_or(DEFAULT_USER).to_string();
    Ok(ContractDocument::new(&recipe.config, &ImagePortsAndUser { ports, user })?)
}

/// Sets the user that the image's programs run as.
pub(crate) fn set_user(document: &mut ContractDocument, user: Owner) {
    document.contract.user = user.to_string();
}

/// Adds directories that the program writes to.
pub(crate) fn add_writable<'a>(
    document: &mut ContractDocument,
    directories: impl Iterator<Item = &'a ImagePath>,
) {
    let writable = &mut document.contract.writable;
    for path in directories.map(ToString::to_string) {
        if !writable.iter().any(|known| known.path == path) {
            writable.push(ContractDirectory { path, persistent: false });
        }
    }
    writable.sort_by(|a, b| a.path.cmp(&b.path));
}

/// Returns the fingerprint of the source files of the configuration. `None` if a file is piped in
/// or cannot be read.
pub(crate) fn config_fingerprint(recipe: &Recipe) -> Option<Digest> {
    config::source_fingerprint(&recipe.config)
}

/// Returns the mount points of configuration and Secrets.
pub(crate) fn mount_points(recipe: &Recipe) -> Vec<ImagePath> {
    let config = recipe.config.mounts.iter().map(|mount| &mount.path);
    config.chain(recipe.config.secrets.iter().map(|secret| &secret.path)).cloned().collect()
}

/// Returns the directories that the program writes to.
pub(crate) fn writable_directories(recipe: &Recipe) -> Vec<ImagePath> {
    recipe.config.writable_directories.iter().map(|directory| directory.path.clone()).collect()
}

/// Returns whether `label` is the contract's label.
pub(crate) fn is_contract_label(label: &str) -> bool {
    label == CONTRACT_LABEL
}

/// Adds the contract's label to the labels of an image config, unless the contract is empty.
///
/// # Errors
/// Fails if the contract is too large for a label.
pub(crate) fn add_label(
    document: &ContractDocument,
    labels: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    if !document.contract.is_empty() {
        labels.insert(CONTRACT_LABEL.into(), document.contract.to_label()?);
    }
    Ok(())
}

/// A published contract.
#[derive(Default)]
pub(crate) struct PublishedContract {
    /// The digest of its artifact at a registry. `None` if it was not pushed.
    pub(crate) digest: Option<Digest>,
    pub(crate) warnings: Vec<LayoutWarning>,
}

/// Publishes the contract as an artifact that refers to `image`, if requested. Adds the files that
/// were written to `outputs`.
pub(crate) fn publish_contract(
    document: &ContractDocument,
    image: &ImageSet,
    destinations: &Destinations,
    settings: &Settings,
    outputs: &mut OutputStamp,
) -> Result<PublishedContract, Error> {
    let artifact =
        || Ok::<_, Error>(Artifact::new(CONTRACT_MEDIA_TYPE, document.to_json()?, image.descriptor())?);
    if let Some((name, client)) = destinations.contract_at_registry(settings)? {
        let artifact = artifact()?;
        copy::push_artifact(&artifact, name, client)?;
        return Ok(PublishedContract { digest: Some(artifact.descriptor().digest), warnings: Vec::new() });
    }
    let Some(ImageLocation::OnDisk(destination)) = &destinations.contract else {
        return Ok(PublishedContract::default());
    };
    let artifact = artifact()?;
    let warnings = layout::write_artifact(&artifact, destination, settings.durability)?;
    outputs.add_artifact(&artifact, destination)?;
    Ok(PublishedContract { digest: None, warnings })
}
