//! An image of one platform: layers, config, and the manifest that refers to both.

use std::collections::BTreeMap;

use serde::Serialize;

use super::config::{ImageConfig, InheritedBase};
use super::descriptor::{Blob, Descriptor};
use super::error::ImageError;
use super::media_type;
use crate::layer::Layer;
use coracle_core::platform::Platform;

/// An image of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    platform: Platform,
    base_layers: Vec<Descriptor>,
    layers: Vec<Layer>,
    config: Blob,
    manifest: Blob,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestDocument<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
    config: &'a Descriptor,
    layers: Vec<Descriptor>,
    media_type: &'static str,
    schema_version: u32,
}

impl Image {
    /// Creates the config and manifest of an image. `layers` are on top of those of `base`, the
    /// lowest first; `created` is in seconds since 1970.
    ///
    /// # Errors
    /// Fails if `created` is later than the year 9999.
    pub fn new(
        config: &ImageConfig,
        platform: &Platform,
        base: &InheritedBase,
        layers: &[Layer],
        created: u64,
    ) -> Result<Self, ImageError> {
        let annotations = &config.annotations;
        let config = config.to_blob(platform, base, layers, created)?;
        let below: Vec<Descriptor> = base.layers.iter().map(|(layer, _)| layer.clone()).collect();
        let document = ManifestDocument {
            annotations,
            config: config.descriptor(),
            layers: below.iter().cloned().chain(layers.iter().map(Descriptor::from)).collect(),
            media_type: media_type::MANIFEST,
            schema_version: 2,
        };
        let manifest = Blob::from_serializable(media_type::MANIFEST, "manifest", &document)?;
        Ok(Self { platform: platform.clone(), base_layers: below, layers: layers.to_vec(), config, manifest })
    }

    /// Returns the platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Returns the layers of the base image, the lowest first.
    pub fn base_layers(&self) -> &[Descriptor] {
        &self.base_layers
    }

    /// Returns the layers on top of the base image, the lowest first.
    pub fn packed_layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Returns the descriptors of all layers, the lowest first.
    pub fn layer_descriptors(&self) -> impl Iterator<Item = Descriptor> {
        self.base_layers.iter().cloned().chain(self.layers.iter().map(Descriptor::from))
    }

    /// Returns the config.
    pub fn config(&self) -> &Blob {
        &self.config
    }

    /// Returns the manifest. Its digest is the digest of the image.
    pub fn manifest(&self) -> &Blob {
        &self.manifest
    }

    /// Returns the size of all layers, the config and the manifest, in bytes.
    pub fn total_size(&self) -> u64 {
        let documents = [&self.config, &self.manifest].map(|blob| blob.descriptor().size);
        self.layer_descriptors().map(|layer| layer.size).chain(documents).sum()
    }

    /// Returns the descriptor of the manifest for an index, with the platform.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor { platform: Some(self.platform.clone()), ..self.manifest.descriptor().clone() }
    }
}
