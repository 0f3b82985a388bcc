//! The result of a build: an image of one platform, or an index of the images of several.

use std::collections::BTreeMap;

use super::descriptor::{Blob, Descriptor};
use super::error::ImageError;
use super::index::IndexDocument;
use super::manifest::Image;
use super::{image_graph, media_type};
use crate::layer::Layer;
use coracle_core::digest::Digest;

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

    /// Returns the configs, manifests and the index; each comes after those it refers to.
    pub fn documents(&self) -> impl Iterator<Item = &Blob> {
        self.images.iter().flat_map(|image| [image.config(), image.manifest()]).chain(&self.index)
    }

    /// Returns the manifests, followed by the index if there is one.
    pub fn manifests(&self) -> Vec<image_graph::RawManifest> {
        let manifests = self.images.iter().map(Image::manifest).chain(&self.index);
        manifests.map(image_graph::RawManifest::from).collect()
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
