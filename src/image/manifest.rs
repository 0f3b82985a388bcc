//! An image of one platform: its layers, its config, and the manifest that names both.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Blob, Config, Descriptor, Error, media_type};
use crate::layer::Layer;
use crate::platform::Platform;

/// An image of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    platform: Platform,
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
    /// The image of these layers, the lowest first; `created` in seconds after 1970.
    ///
    /// # Errors
    /// When `created` lies beyond the year 9999.
    pub fn new(config: &Config, platform: &Platform, layers: &[Layer], created: u64) -> Result<Self, Error> {
        let annotations = &config.annotations;
        let config = config.blob(platform, layers, created)?;
        let document = Document {
            annotations,
            config: config.descriptor(),
            layers: layers.iter().map(Descriptor::from).collect(),
            media_type: media_type::MANIFEST,
            schema_version: 2,
        };
        let manifest = Blob::json(media_type::MANIFEST, "manifest", &document)?;
        Ok(Self { platform: platform.clone(), layers: layers.to_vec(), config, manifest })
    }

    /// What it runs on.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Its layers, the lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Its config.
    pub fn config(&self) -> &Blob {
        &self.config
    }

    /// Its manifest, whose digest is the image's.
    pub fn manifest(&self) -> &Blob {
        &self.manifest
    }

    /// Its manifest's descriptor as it stands in an index, with the platform.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor { platform: Some(self.platform.clone()), ..self.manifest.descriptor().clone() }
    }
}
