//! The result of a build: an [`Image`] of each platform, and an index of them if there are several.

use std::collections::BTreeMap;

use serde::Serialize;

use super::config::{ImageConfig, InheritedBase};
use super::descriptor::{Blob, Descriptor};
use super::error::ImageError;
use super::image_graph::RawManifest;
use super::index::IndexDocument;
use super::media_type;
use crate::layer::Layer;
use coracle_core::digest::Digest;
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

/// One image per platform, and an index of them if there are several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageSet {
    images: Vec<Image>,
    index: Option<Blob>,
    descriptor: Descriptor,
}

impl ImageSet {
    /// Combines the images of a build, in any order.
    ///
    /// # Errors
    /// Fails if there is no image, or if two have the same platform.
    pub fn new(mut images: Vec<Image>) -> Result<Self, ImageError> {
        images.sort_by(|a, b| a.platform().cmp(b.platform()));
        let twice = images.iter().zip(images.iter().skip(1)).find(|(a, b)| a.platform() == b.platform());
        if let Some((image, _)) = twice {
            return Err(ImageError::DuplicatePlatform(image.platform().clone()));
        }
        let (index, descriptor) = match images.as_slice() {
            [] => return Err(ImageError::NoPlatform),
            [image] => (None, image.descriptor()),
            images => {
                let document = IndexDocument {
                    annotations: &BTreeMap::new(),
                    manifests: images.iter().map(Image::descriptor).collect(),
                    media_type: media_type::INDEX,
                    schema_version: 2,
                };
                let index = Blob::from_serializable(media_type::INDEX, "index", &document)?;
                let descriptor = index.descriptor().clone();
                (Some(index), descriptor)
            }
        };
        Ok(Self { images, index, descriptor })
    }

    /// Returns the digest of the manifest or index, as in a reference by digest.
    pub fn digest(&self) -> Digest {
        self.descriptor.digest
    }

    /// Returns the descriptor of the manifest, with its platform, or of the index.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns the images, sorted by platform.
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// Returns the configs, manifests and the index; each document comes after the documents that
    /// it refers to.
    pub fn documents(&self) -> impl Iterator<Item = &Blob> {
        self.images.iter().flat_map(|image| [image.config(), image.manifest()]).chain(&self.index)
    }

    /// Returns the manifests, followed by the index if there is one.
    pub fn manifests(&self) -> Vec<RawManifest> {
        let manifests = self.images.iter().map(Image::manifest).chain(&self.index);
        manifests.map(RawManifest::from).collect()
    }

    /// Returns the layers of all images, including base layers. A shared layer is repeated.
    pub fn layer_descriptors(&self) -> impl Iterator<Item = Descriptor> {
        self.images.iter().flat_map(Image::layer_descriptors)
    }

    /// Returns the size of all images and the index, in bytes.
    pub fn total_size(&self) -> u64 {
        let index = self.index.as_ref().map(|index| index.descriptor().size);
        self.images.iter().map(Image::total_size).chain(index).sum()
    }

    /// Returns the base layers of all images. A shared layer is repeated.
    pub fn base_layers(&self) -> impl Iterator<Item = &Descriptor> {
        self.images.iter().flat_map(Image::base_layers)
    }

    /// Returns the layers of all images without base layers. A shared layer is repeated.
    pub fn packed_layers(&self) -> impl Iterator<Item = &Layer> {
        self.images.iter().flat_map(Image::packed_layers)
    }
}
