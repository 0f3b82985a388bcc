//! The contract of a recipe's image, and its publishing.

use super::destinations::Destinations;
use super::{Error, Settings};
use coracle_kube::contract::{Document, Facts, MEDIA_TYPE};
use coracle_core::digest::Digest;
use coracle_oci::image::{Artifact, Root};
use crate::recipe::{DEFAULT_USER, Recipe};
use coracle_oci::layout::{self, Traces};
use coracle_oci::copy::{self, Place};

/// Returns the full contract of the recipe's image; no values are read. The user may be the base
/// image's instead.
///
/// # Errors
/// Fails if the configuration is invalid; all problems of files, keys, mounts and schema are
/// reported together.
pub fn contract_of(recipe: &Recipe) -> Result<Document, Error> {
    let ports = recipe.expose.iter().map(ToString::to_string).collect();
    Ok(Document::new(
        &recipe.config,
        &Facts { ports, user: recipe.user.unwrap_or(DEFAULT_USER).to_string() },
    )?)
}

/// Publishes the full contract as an artifact that refers to the image of `root`, if requested.
/// Returns the artifact's digest if it was pushed to a registry.
pub(super) fn publish(
    document: &Document,
    root: &Root,
    destinations: &Destinations,
    settings: &Settings,
    traces: &mut Traces,
) -> Result<(Option<Digest>, Vec<layout::Warning>), Error> {
    let artifact = || {
        document
            .to_json()
            .map_err(Error::from)
            .and_then(|json| Ok(Artifact::new(MEDIA_TYPE, json, root.descriptor())?))
    };
    if let Some((named, client)) = destinations.contract_at_registry(settings)? {
        let artifact = artifact()?;
        copy::attach(&artifact, named, client)?;
        return Ok((Some(artifact.descriptor().digest), Vec::new()));
    }
    let Some(Place::Local(destination)) = &destinations.contract else { return Ok((None, Vec::new())) };
    let artifact = artifact()?;
    let warnings = layout::attach(&artifact, destination)?;
    traces.add_artifact(&artifact, destination)?;
    Ok((None, warnings))
}
