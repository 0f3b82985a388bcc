//! What the image of a recipe expects of its surroundings.

use super::Error;
use crate::contract::{Document, Facts, MEDIA_TYPE};
use crate::image::{Artifact, Root};
use crate::recipe::{DEFAULT_USER, Recipe};

/// The whole contract of the recipe's image; no value is read for it. A base may know another user.
///
/// # Errors
/// When the configuration is wrong: everything about its files, keys, mounts and schema.
pub fn contract_of(recipe: &Recipe) -> Result<Document, Error> {
    let ports = recipe.expose.iter().map(ToString::to_string).collect();
    Ok(Document::new(
        &recipe.config,
        &Facts { ports, user: recipe.user.unwrap_or(DEFAULT_USER).to_string() },
    )?)
}

/// The whole contract as an artifact about the image of `root`.
pub(super) fn artifact(document: &Document, root: &Root) -> Result<Artifact, Error> {
    Ok(Artifact::new(MEDIA_TYPE, document.to_json()?, root.descriptor())?)
}
