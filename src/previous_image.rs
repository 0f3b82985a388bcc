//! The previous image, which a new one is compared with.

use std::collections::{BTreeMap, BTreeSet};

use super::build_request::BuildRequest;
use super::error::Error;
use super::settings::Settings;
use coracle_core::digest::Digest;
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use coracle_oci::copy::{self, ImageLocation};
use coracle_oci::layout::{self, ImageEntry, ImageEntryKind, ImageSource, ParsedImage};
use coracle_oci::registry::{Access, Repository};

/// The previous image, which a new one is compared with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PreviousImage {
    /// The location of the image, as an argument of commands.
    pub location: String,
    /// The digest of the image's manifest or index.
    pub digest: Digest,
    /// The size of the images of all platforms and of the index, in bytes.
    pub size: u64,
    sizes: Vec<(Platform, u64)>,
    layers: BTreeSet<Digest>,
}

/// A previous image whose files can be read.
pub(crate) struct ReadPreviousImage {
    pub(crate) summary: PreviousImage,
    image: ParsedImage,
}

impl ReadPreviousImage {
    fn new(image: ParsedImage) -> Result<Self, layout::LayoutError> {
        Ok(Self { summary: PreviousImage::from_image(&image)?, image })
    }

    /// Returns the sizes of the image's files for the platform, without layers for which `is_kept`
    /// returns true.
    ///
    /// # Errors
    /// Fails if a layer cannot be read.
    pub(crate) fn file_sizes(
        &self,
        platform: &Platform,
        is_kept: impl Fn(&Digest) -> bool,
    ) -> Result<BTreeMap<ImagePath, u64>, layout::LayoutError> {
        let index = self.summary.platform_index(platform);
        let Some(image) = index.and_then(|index| self.image.images.get(index)) else {
            return Ok(BTreeMap::new());
        };
        let files = self.image.read_files_without(image, is_kept)?;
        let size = |(path, entry): (&ImagePath, &ImageEntry)| match &entry.node {
            ImageEntryKind::File(extent) => Some((path.clone(), extent.size)),
            ImageEntryKind::Directory | ImageEntryKind::Link(_) | ImageEntryKind::Special => None,
        };
        Ok(files.iter().filter_map(size).collect())
    }
}

impl PreviousImage {
    fn from_image(image: &ParsedImage) -> Result<Self, layout::LayoutError> {
        let root = image.source.require_root_manifest()?;
        let sizes: Vec<(Platform, u64)> =
            image.images.iter().map(|image| (image.platform.clone(), image.total_size())).collect();
        let is_index = image.images.iter().all(|image| image.digest() != Some(root.digest));
        let index = if is_index { root.bytes.len() as u64 } else { 0 };
        let layers = image.images.iter().flat_map(|image| &image.layers);
        Ok(Self {
            location: image.source.location.clone(),
            digest: root.digest,
            size: sizes.iter().map(|(_, size)| size).sum::<u64>() + index,
            sizes,
            layers: layers.filter_map(|layer| Some(layer.descriptor.as_ref()?.digest)).collect(),
        })
    }

    /// Returns whether the image has this layer.
    pub(crate) fn has_layer(&self, layer: &Digest) -> bool {
        self.layers.contains(layer)
    }

    /// Returns the size of the image for the platform, or else for a platform that differs only by
    /// a missing variant.
    pub(crate) fn size_for(&self, platform: &Platform) -> Option<u64> {
        self.sizes.get(self.platform_index(platform)?).map(|(_, size)| *size)
    }

    fn platform_index(&self, platform: &Platform) -> Option<usize> {
        let same = self.sizes.iter().position(|(found, _)| found == platform);
        let differs_by_missing_variant = |found: &Platform| {
            found.matches_ignoring_variant(platform)
                && (found.variant.is_none() || platform.variant.is_none())
        };
        same.or_else(|| self.sizes.iter().position(|(found, _)| differs_by_missing_variant(found)))
    }
}

impl ReadPreviousImage {
    /// Reads the image at `location`. Fails if there is none.
    pub(crate) fn read_at(location: &ImageLocation, settings: &Settings) -> Result<Self, Error> {
        let image = match (location, &settings.registry_client) {
            (ImageLocation::OnDisk(destination), _) => layout::read_disk_image(destination)?,
            (ImageLocation::Registry(_) | ImageLocation::Engine(_), Some(client)) => {
                copy::read_image(location, client)?
            }
            (ImageLocation::Registry(_) | ImageLocation::Engine(_), None) => {
                return Err(Error::NoRegistryClient(location.clone()));
            }
        };
        Ok(Self::new(image)?)
    }

    /// Reads the images that a new image replaces, from its first destinations, until there is an
    /// image for each platform.
    pub(crate) fn read_replaced_images(
        request: &BuildRequest<'_>,
        platforms: &[&Platform],
    ) -> Result<Vec<Self>, Error> {
        let BuildRequest { settings, destinations, .. } = request;
        let local = destinations
            .local
            .iter()
            .map(|destination| layout::find_replaced_image(destination, request.image_names()));
        let remote = settings.registry_client.iter().flat_map(|client| {
            destinations.remote.iter().map(move |named| {
                // With push access: registries may hide from anonymous clients that an image does
                // not exist.
                let remote = client.repository_client(&Repository::from(&named.reference), &Access::push());
                let location = ImageLocation::Registry(named.clone()).to_string();
                match ImageSource::open_at_registry(
                    remote,
                    named.manifest_reference(),
                    location,
                    named.to_string(),
                ) {
                    Err(layout::LayoutError::Registry(error)) if error.may_hide_absence() => Ok(None),
                    found => found,
                }
            })
        });
        let mut found: Vec<Self> = Vec::new();
        for source in local.chain(remote) {
            if let Some(source) = source? {
                found.push(Self::new(source.parse()?)?);
            }
            let has = |platform| found.iter().any(|previous| previous.summary.size_for(platform).is_some());
            if platforms.iter().all(|platform| has(platform)) {
                break;
            }
        }
        Ok(found)
    }
}
