//! The contract of a recipe's image, and its publishing.

use super::destinations::Destinations;
use super::{Error, Settings};
use crate::recipe::{DEFAULT_USER, Recipe};
use coracle_core::digest::Digest;
use coracle_kube::contract::{CONTRACT_MEDIA_TYPE, ContractDocument, ImageFacts};
use coracle_oci::copy::{self, ImageLocation};
use coracle_oci::image::{Artifact, ImageSet};
use coracle_oci::layout::{self, OutputStamp};

/// Returns the full contract of the recipe's image; no values are read. The user may be the base
/// image's instead.
///
/// # Errors
/// Fails if the configuration is invalid; all problems of files, keys, mounts and schema are
/// reported together.
pub fn contract_of(recipe: &Recipe) -> Result<ContractDocument, Error> {
    let ports = recipe.expose.iter().map(ToString::to_string).collect();
    Ok(ContractDocument::new(
        &recipe.config,
        &ImageFacts { ports, user: recipe.user.unwrap_or(DEFAULT_USER).to_string() },
    )?)
}

/// Publishes the full contract as an artifact that refers to the image of `root`, if requested.
/// Returns the artifact's digest if it was pushed to a registry.
pub(super) fn publish_contract(
    document: &ContractDocument,
    root: &ImageSet,
    destinations: &Destinations,
    settings: &Settings,
    traces: &mut OutputStamp,
) -> Result<(Option<Digest>, Vec<layout::LayoutWarning>), Error> {
    let artifact = || {
        document
            .to_json()
            .map_err(Error::from)
            .and_then(|json| Ok(Artifact::new(CONTRACT_MEDIA_TYPE, json, root.descriptor())?))
    };
    if let Some((named, client)) = destinations.contract_at_registry(settings)? {
        let artifact = artifact()?;
        copy::push_artifact(&artifact, named, client)?;
        return Ok((Some(artifact.descriptor().digest), Vec::new()));
    }
    let Some(ImageLocation::OnDisk(destination)) = &destinations.contract else {
        return Ok((None, Vec::new()));
    };
    let artifact = artifact()?;
    let warnings = layout::write_artifact(&artifact, destination)?;
    traces.add_artifact(&artifact, destination)?;
    Ok((None, warnings))
}
