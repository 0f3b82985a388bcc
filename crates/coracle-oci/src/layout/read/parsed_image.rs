//! An image whose manifests and configs have been read: platforms, labels, and paths in layers.

use std::collections::BTreeSet;

use super::image_files::ImageFiles;
use super::image_source::ImageSource;
use super::parsed_platform::ParsedPlatform;
use super::read_artifact;
use super::read_failure::{ReadFailure, unreadable_image};
use crate::layout::disk_location::DiskLocation;
use crate::layout::error::LayoutError;
use coracle_core::digest::Digest;
use coracle_core::json;
use coracle_core::platform::Platform;

/// An image, or an index of images of several platforms, with parsed configs.
#[derive(Debug)]
pub struct ParsedImage {
    /// The source, which gives access to blobs.
    pub source: ImageSource,
    /// The images, at least one.
    pub images: Vec<ParsedPlatform>,
}

impl ImageSource {
    /// Reads the manifests and configs of all images of the source, not their layers.
    ///
    /// # Errors
    /// Fails if a document is missing, is invalid or does not match its digest.
    pub fn parse(self) -> Result<ParsedImage, LayoutError> {
        let images = self.read_images().map_err(|why| why.into_layout_error(&self.location))?;
        if images.is_empty() {
            return Err(unreadable_image(&self.location, "its index contains no image".into()));
        }
        Ok(ParsedImage { source: self, images })
    }
}

impl ParsedImage {
    /// Returns the number of entries of the image's index, including entries that are not images; 1
    /// if there is no index.
    pub fn index_entry_count(&self) -> usize {
        let root = self.source.root_manifest().and_then(|root| json::parse(&root.bytes).ok());
        let entries = root.as_ref().and_then(|root| root.get("manifests")?.as_array());
        entries.map_or(1, Vec::len)
    }

    /// Returns the image for `platform`, or the first image if `platform` is `None`.
    ///
    /// # Errors
    /// Fails if there is no image for this platform.
    pub fn image_for_platform(&self, platform: Option<&Platform>) -> Result<&ParsedPlatform, LayoutError> {
        let found = match platform {
            None => self.images.first(),
            Some(wanted) => self.images.iter().find(|image| image.platform == *wanted).or_else(|| {
                self.images
                    .iter()
                    .find(|image| wanted.variant.is_none() && image.platform.matches_ignoring_variant(wanted))
            }),
        };
        found.ok_or_else(|| {
            let known: BTreeSet<String> =
                self.images.iter().map(|image| image.platform.to_string()).collect();
            LayoutError::UnreadableImage {
                image: self.source.location.clone(),
                why: platform.map_or_else(String::new, |platform| format!("it has no image for {platform}")),
                hint: Some(format!("it has {}", known.into_iter().collect::<Vec<_>>().join(", "))),
            }
        })
    }

    /// Returns the digests that artifacts about the image can have as their subject: of the
    /// manifest or index, then of the images in the index.
    pub fn subject_digests(&self) -> Vec<Digest> {
        let images = self.images.iter().filter_map(ParsedPlatform::digest);
        let mut digests: Vec<Digest> = self.source.digest().into_iter().collect();
        digests.extend(images.filter(|digest| self.source.digest() != Some(*digest)));
        digests
    }

    /// Returns the content of the artifact of type `kind` about the image or one of the images in
    /// its index; `None` if there is none.
    ///
    /// # Errors
    /// Fails if a document cannot be read or does not match its digest.
    pub fn read_artifact(&self, kind: &str) -> Result<Option<Vec<u8>>, LayoutError> {
        let content =
            read_artifact::read_artifact_content_for_any(&self.source.bytes, kind, &self.subject_digests());
        content.map_err(|why| why.into_layout_error(&self.source.location))
    }

    /// Returns the value of a label of the image for `platform`, or of all images if `platform` is
    /// `None`.
    ///
    /// # Errors
    /// Fails if there is no image for the platform, or if the images have different values.
    pub fn label(&self, name: &str, platform: Option<&Platform>) -> Result<Option<&str>, LayoutError> {
        let image = self.image_for_platform(platform)?;
        let label = image.label(name);
        let other = self.images.iter().find(|other| platform.is_none() && other.label(name) != label);
        match other {
            None => Ok(label),
            Some(other) => Err(LayoutError::UnreadableImage {
                image: self.source.location.clone(),
                why: format!(
                    "the label `{name}` of its image for {} differs from that for {}",
                    image.platform, other.platform
                ),
                hint: Some(format!("choose one with `--platform {}`", image.platform)),
            }),
        }
    }

    /// Returns all paths of `image`, with its layers merged.
    ///
    /// # Errors
    /// Fails if a layer is missing, does not match its digest, or has an unsupported compression.
    pub fn read_files(&self, image: &ParsedPlatform) -> Result<ImageFiles, LayoutError> {
        self.read_files_without(image, |_| false)
    }

    /// Returns the paths of `image` like [`ParsedImage::read_files`], without the layers for which
    /// `is_skipped` returns true.
    ///
    /// # Errors
    /// Fails like [`ParsedImage::read_files`], and if a layer has a hard link into one that is skipped.
    pub fn read_files_without(
        &self,
        image: &ParsedPlatform,
        is_skipped: impl Fn(&Digest) -> bool,
    ) -> Result<ImageFiles, LayoutError> {
        let mut files = ImageFiles::default();
        for (number, layer) in image.layers.iter().enumerate() {
            let digest = layer.descriptor.as_ref().map(|descriptor| descriptor.digest);
            if digest.as_ref().is_some_and(&is_skipped) {
                continue;
            }
            let name = digest.map_or_else(|| layer.archive_member.clone(), |digest| digest.to_string());
            let refused = |why: ReadFailure| {
                why.with_part(&format!("layer {number}, `{name}`")).into_layout_error(&self.source.location)
            };
            let codec = self.source.layer_codec(layer).map_err(refused)?;
            let source = self.source.open_layer(layer).map_err(refused)?;
            files.apply_blob(source, digest.as_ref(), codec).map_err(refused)?;
        }
        Ok(files)
    }
}

/// Reads the documents of the image at `location`, not its layers.
///
/// # Errors
/// Fails if there is no image, if there are several and `location` has no tag, or if a document
/// does not match its digest.
pub fn read_disk_image(location: &DiskLocation) -> Result<ParsedImage, LayoutError> {
    ImageSource::open_on_disk(location)?.parse()
}
