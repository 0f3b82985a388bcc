//! What a name stands for: an image of one platform, or an index over the images of several.

use std::collections::BTreeMap;

use super::index::Index;
use super::{Blob, Descriptor, Error, Image, graph, media_type};
use coracle_core::digest::Digest;
use crate::layer::Layer;

/// One image for each platform, and the index over them when there are several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Root {
    images: Vec<Image>,
    index: Option<Blob>,
    descriptor: Descriptor,
}

impl Root {
    /// The images of one build, whatever order they come in.
    ///
    /// # Errors
    /// When there is none, or two are for one platform.
    pub fn new(mut images: Vec<Image>) -> Result<Self, Error> {
        images.sort_by(|a, b| a.platform().cmp(b.platform()));
        let twice = images.iter().zip(images.iter().skip(1)).find(|(a, b)| a.platform() == b.platform());
        if let Some((image, _)) = twice {
            return Err(Error::SamePlatform(image.platform().clone()));
        }
        let (index, descriptor) = match images.as_slice() {
            [] => return Err(Error::NoPlatform),
            [image] => (None, image.descriptor()),
            images => {
                let document = Index {
                    annotations: &BTreeMap::new(),
                    manifests: images.iter().map(Image::descriptor).collect(),
                    media_type: media_type::INDEX,
                    schema_version: 2,
                };
                let index = Blob::json(media_type::INDEX, "index", &document)?;
                let descriptor = index.descriptor().clone();
                (Some(index), descriptor)
            }
        };
        Ok(Self { images, index, descriptor })
    }

    /// What a reference by digest names: the manifest's digest, or the index's.
    pub fn digest(&self) -> Digest {
        self.descriptor.digest
    }

    /// The descriptor of the manifest, with its platform, or of the index.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The images, by platform.
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// The JSON blobs, each before the one that names it.
    pub fn documents(&self) -> impl Iterator<Item = &Blob> {
        self.images.iter().flat_map(|image| [image.config(), image.manifest()]).chain(&self.index)
    }

    /// The manifests, and the index over them behind them when there is one.
    pub fn manifests(&self) -> Vec<graph::Document> {
        let manifests = self.images.iter().map(Image::manifest).chain(&self.index);
        manifests.map(graph::Document::from).collect()
    }

    /// All layers of all images, those of bases too; one that several share comes several times.
    pub fn blobs(&self) -> impl Iterator<Item = Descriptor> {
        self.images.iter().flat_map(Image::blobs)
    }

    /// Bytes of all its images, and of the index when there is one.
    pub fn size(&self) -> u64 {
        let index = self.index.as_ref().map(|index| index.descriptor().size);
        self.images.iter().map(Image::size).chain(index).sum()
    }

    /// The layers of bases; one that several share comes several times.
    pub fn below(&self) -> impl Iterator<Item = &Descriptor> {
        self.images.iter().flat_map(Image::below)
    }

    /// The layers of all images but their bases'; one that several share comes several times.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.images.iter().flat_map(Image::layers)
    }
}
