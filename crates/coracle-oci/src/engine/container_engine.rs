//! The operations that every engine supports.

use std::path::Path;

use super::error::EngineError;
use super::select_image::PlatformImage;
use crate::layout::{BlobOpener, ImageArchive};
use coracle_core::platform::Platform;
use coracle_core::reference::ImageReference;

/// How much of an image an engine has.
#[derive(Debug)]
pub(super) enum ImagePresence {
    /// The whole image, with the name.
    Named,
    /// The whole image, without the name. The value is its name or ID in the engine.
    Untagged(String),
    /// This number of its lowest layers.
    Layers(usize),
}

/// The operations of an engine that was found.
pub(super) trait ContainerEngine {
    /// The platform that the engine runs.
    fn platform(&self) -> Result<Platform, EngineError>;
    /// Looks up how much of `image` the engine has, and whether it has the name.
    fn find_image(&self, name: &ImageReference, image: &PlatformImage) -> Result<ImagePresence, EngineError>;
    /// Tags the image with the name or ID `known` as `name`.
    fn tag_image(&self, known: &str, name: &ImageReference) -> Result<(), EngineError>;
    /// Loads an archive.
    fn load_archive(&self, archive: &ImageArchive, open: &BlobOpener<'_>) -> Result<(), EngineError>;
    /// Saves the image to an archive at `path`.
    fn save_image(&self, name: &ImageReference, path: &Path) -> Result<(), EngineError>;
}
