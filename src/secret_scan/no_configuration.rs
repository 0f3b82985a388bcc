//! The configuration of a recipe without the feature `kube`: there is none.

use crate::error::Error;
use crate::recipe::Recipe;
use coracle_core::path::ImagePath;
use coracle_scan::{ConfigFile, ConfigSource, SecretValue};

/// The files and secret values of a configuration.
#[derive(Default)]
pub(super) struct ScannedConfiguration {
    pub(super) files: Vec<ConfigFile>,
    pub(super) secrets: Vec<SecretValue>,
    pub(super) public_files: Vec<(ImagePath, Vec<u8>)>,
}

/// Returns nothing to scan.
pub(super) fn render_configuration(_: &Recipe) -> Result<ScannedConfiguration, Error> {
    Ok(ScannedConfiguration::default())
}

/// Returns no source files.
pub(super) fn source_files(_: &Recipe) -> Vec<ConfigSource> {
    Vec::new()
}
