//! The operations that every engine supports, and the settings to find engines: plain values, set by
//! the caller.

use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// The whole image, but not under the wanted name. The value is another name of it, or its ID.
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
    /// Tags `image`, which has the name or ID `known`, as `name`.
    fn tag_image(&self, known: &str, name: &ImageReference, image: &PlatformImage)
    -> Result<(), EngineError>;
    /// The archive of `image` in the form that the engine loads.
    fn archive_to_load(
        &self,
        name: &ImageReference,
        image: &PlatformImage,
    ) -> Result<ImageArchive, EngineError> {
        Ok(ImageArchive::from_graph(&image.graph, name)?)
    }
    /// Loads an archive.
    fn load_archive(&self, archive: &ImageArchive, open: &BlobOpener<'_>) -> Result<(), EngineError>;
    /// Saves the image to an archive at `path`.
    fn save_image(&self, name: &ImageReference, path: &Path) -> Result<(), EngineError>;
}

/// The configuration of engines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineSettings {
    /// Docker endpoints in the form of `DOCKER_HOST`: `unix:///var/run/docker.sock`,
    /// `tcp://127.0.0.1:2375`. The first that accepts connections is used.
    pub docker_endpoints: Vec<String>,
    /// The socket of containerd.
    pub containerd_socket: PathBuf,
    /// The containerd namespace of image names that contain no namespace.
    pub containerd_namespace: String,
    /// The directories to search for `podman` and `ctr`.
    pub program_dirs: Vec<PathBuf>,
    /// The directory for temporary archives, which copying from an engine needs.
    pub temp_dir: PathBuf,
    /// The timeout of each read and write. While an image is loaded it is 20 times as long.
    pub timeout: Duration,
}

impl Default for EngineSettings {
    /// The usual sockets, and no directories to search for programs.
    fn default() -> Self {
        Self {
            docker_endpoints: vec!["unix:///var/run/docker.sock".into()],
            containerd_socket: "/run/containerd/containerd.sock".into(),
            containerd_namespace: "default".into(),
            program_dirs: Vec::new(),
            temp_dir: "/var/tmp".into(),
            timeout: Duration::from_secs(30),
        }
    }
}
