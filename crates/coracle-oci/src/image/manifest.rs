//! An image of one platform: its layers, its config, and the manifest that names both.

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
    /// The image of these layers, the lowest first, on top of those of a base; `created` in seconds after 1970.
    ///
    /// # Errors
    /// When `created` lies beyond the year 9999.
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

    /// What it runs on.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The layers of its base, the lowest first.
    pub fn below(&self) -> &[Descriptor] {
        &self.below
    }

    /// Its own layers, the lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// All of its layers, the lowest first.
    pub fn blobs(&self) -> impl Iterator<Item = Descriptor> {
        self.below.iter().cloned().chain(self.layers.iter().map(Descriptor::from))
    }

    /// Its config.
    pub fn config(&self) -> &Blob {
        &self.config
    }

    /// Its manifest, whose digest is the image's.
    pub fn manifest(&self) -> &Blob {
        &self.manifest
    }

    /// Bytes of all its layers, its config and its manifest.
    pub fn size(&self) -> u64 {
        let documents = [&self.config, &self.manifest].map(|blob| blob.descriptor().size);
        self.blobs().map(|layer| layer.size).chain(documents).sum()
    }

    /// Its manifest's descriptor as it stands in an index, with the platform.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor { platform: Some(self.platform.clone()), ..self.manifest.descriptor().clone() }
    }
}
