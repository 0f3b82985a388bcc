//! An image of one platform: layers, config, and the manifest that refers to both.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Base, Blob, Config, Descriptor, Error, media_type};
use crate::layer::Layer;
use coracle_core::platform::Platform;

/// An image of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    platform: Platform,
    below: Vec<Descriptor>,
    layers: Vec<Layer>,
    config: Blob,
    manifest: Blob,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
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
        config: &Config,
        platform: &Platform,
        base: &Base,
        layers: &[Layer],
        created: u64,
    ) -> Result<Self, Error> {
        let annotations = &config.annotations;
        let config = config.blob(platform, base, layers, created)?;
        let below: Vec<Descriptor> = base.layers.iter().map(|(layer, _)| layer.clone()).collect();
        let document = Document {
            annotations,
            config: config.descriptor(),
            layers: below.iter().cloned().chain(layers.iter().map(Descriptor::from)).collect(),
            media_type: media_type::MANIFEST,
            schema_version: 2,
        };
        let manifest = Blob::json(media_type::MANIFEST, "manifest", &document)?;
        Ok(Self { platform: platform.clone(), below, layers: layers.to_vec(), config, manifest })
    }

    /// Returns the platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Returns the layers of the base image, the lowest first.
    pub fn below(&self) -> &[Descriptor] {
        &self.below
    }

    /// Returns the layers on top of the base image, the lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Returns the descriptors of all layers, the lowest first.
    pub fn blobs(&self) -> impl Iterator<Item = Descriptor> {
        self.below.iter().cloned().chain(self.layers.iter().map(Descriptor::from))
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
    pub fn size(&self) -> u64 {
        let documents = [&self.config, &self.manifest].map(|blob| blob.descriptor().size);
        self.blobs().map(|layer| layer.size).chain(documents).sum()
    }

    /// Returns the descriptor of the manifest for an index, with the platform.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor { platform: Some(self.platform.clone()), ..self.manifest.descriptor().clone() }
    }
}
