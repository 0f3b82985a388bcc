//! Local container engines: loads images into Docker, Podman (which shares its storage with Buildah
//! and CRI-O) and containerd, and saves images from them.
//!
//! The image of the engine's platform is streamed as an archive, without content that the engine
//! has already. The module does not depend on how images are built. Docker is used through its API,
//! the others through their command-line clients `podman` and `ctr`.

mod client_program;
mod containerd;
mod docker;
mod error;
mod http;
mod image_name;
mod podman;
mod select_image;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::Error;
pub use image_name::{EngineImageName, EngineKind, ParseEngineImageNameError, has_engine_transport};

use crate::image::ImageGraph;
use crate::layout::{BlobOpener, ImageArchive};
use coracle_core::digest::Digest;
use coracle_core::platform::Platform;
use coracle_core::reference::ImageReference;
use select_image::PlatformImage;

/// Called with the number of bytes transferred since the last call. `Break` cancels the operation;
/// all later calls must return it too.
pub type EngineProgress<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// The configuration of engines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineSettings {
    /// Docker endpoints in the form of `DOCKER_HOST`: `unix:///var/run/docker.sock`,
    /// `tcp://127.0.0.1:2375`. The first that accepts connections is used.
    pub docker_endpoints: Vec<String>,
    /// The socket of containerd.
    pub containerd_socket: PathBuf,
    /// The containerd namespace of image names without one.
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

/// The result of loading an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadedImage {
    /// The digest of the loaded manifest.
    pub digest: Digest,
    /// The selected platform. `None` if the image has one platform only.
    pub selected_platform: Option<Platform>,
    /// What was done.
    pub outcome: LoadOutcome,
}

/// What loading an image did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadOutcome {
    /// Nothing: the engine had the image with this name.
    Unchanged,
    /// The engine had the image; it was tagged.
    Named,
    /// The image was sent.
    Sent {
        /// The number of layers sent.
        layers: usize,
        /// The number of layers that the engine had.
        present: usize,
        /// The size of the archive in bytes.
        bytes: u64,
    },
}

/// How much of an image an engine has.
#[derive(Debug)]
enum Presence {
    /// The whole image, with the name.
    Named,
    /// The whole image, without the name. The value is its name or ID in the engine.
    Untagged(String),
    /// This number of its lowest layers.
    Layers(usize),
}

/// The operations of an engine.
trait Engine {
    /// The platform that the engine runs.
    fn platform(&self) -> Result<Platform, Error>;
    /// Looks up how much of `image` the engine has, and whether it has the name.
    fn find_image(&self, name: &ImageReference, image: &PlatformImage) -> Result<Presence, Error>;
    /// Tags the image with the name or ID `known` as `name`.
    fn tag(&self, known: &str, name: &ImageReference) -> Result<(), Error>;
    /// Loads an archive.
    fn load(&self, archive: &ImageArchive, open: &BlobOpener<'_>) -> Result<(), Error>;
    /// Saves the image to an archive at `path`.
    fn save(&self, name: &ImageReference, path: &Path) -> Result<(), Error>;
}

/// Loads the image of `graph` into an engine. An image of several platforms is reduced to the
/// engine's. `open` opens a blob, and must report its bytes to the observer.
///
/// # Errors
/// Fails if the engine can't be reached or refuses, no image is for its platform, or a blob does
/// not match its digest. The name is unchanged then.
pub fn load_image(
    graph: &ImageGraph,
    open: &BlobOpener<'_>,
    to: &EngineImageName,
    settings: &EngineSettings,
    observer: &EngineProgress<'_>,
) -> Result<LoadedImage, Error> {
    let engine = connect_for_image(to, settings, observer)?;
    let image = select_image::select_image(graph, open, &engine.platform()?, to)?;
    let how = match engine.find_image(&to.name, &image)? {
        Presence::Named => LoadOutcome::Unchanged,
        Presence::Untagged(known) => {
            engine.tag(&known, &to.name)?;
            LoadOutcome::Named
        }
        Presence::Layers(present) => match send_missing(&*engine, &image, open, to, present) {
            // The layers may be gone, or the storage may need all of them: send everything.
            Err(Error::Refused { .. }) if present > 0 => send_missing(&*engine, &image, open, to, 0)?,
            sent => sent?,
        },
    };
    if how != LoadOutcome::Unchanged && !matches!(engine.find_image(&to.name, &image)?, Presence::Named) {
        return Err(Error::NotLoaded(to.clone()));
    }
    Ok(LoadedImage {
        digest: image.digest,
        selected_platform: image.is_one_of_several.then_some(image.platform),
        outcome: how,
    })
}

/// Sends the image without its lowest `present` layers.
fn send_missing(
    engine: &dyn Engine,
    image: &PlatformImage,
    open: &BlobOpener<'_>,
    to: &EngineImageName,
    present: usize,
) -> Result<LoadOutcome, Error> {
    let (present_layers, missing_layers) = image.layers.split_at(present.min(image.layers.len()));
    let skipped: BTreeSet<Digest> =
        present_layers.iter().filter(|layer| !missing_layers.contains(layer)).copied().collect();
    let archive =
        ImageArchive::from_graph(&image.graph, std::slice::from_ref(&to.name))?.without_blobs(&skipped);
    engine.load(&archive, open)?;
    Ok(LoadOutcome::Sent { layers: missing_layers.len(), present, bytes: archive.size() })
}

/// Saves an image of an engine to an archive at `path`.
///
/// # Errors
/// Fails if the engine can't be reached or has no such image, or the file can't be written.
pub fn save_image(
    from: &EngineImageName,
    path: &Path,
    settings: &EngineSettings,
    observer: &EngineProgress<'_>,
) -> Result<(), Error> {
    connect_for_image(from, settings, observer)?.save(&from.name, path)
}

/// Detects the local engine: the first of Docker, Podman and containerd that responds.
///
/// # Errors
/// Fails with the error of each if none responds.
pub fn detect_engine(settings: &EngineSettings, observer: &EngineProgress<'_>) -> Result<EngineKind, Error> {
    let kinds = [EngineKind::Docker, EngineKind::Podman, EngineKind::Containerd { namespace: None }];
    let mut tried = Vec::new();
    for kind in kinds {
        match connect_engine(&kind, settings, observer).and_then(|engine| engine.platform()) {
            Ok(_) => return Ok(kind),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => tried.push((kind, error)),
        }
    }
    Err(Error::NoEngine(tried))
}

fn connect_for_image<'a>(
    to: &'a EngineImageName,
    settings: &'a EngineSettings,
    observer: &'a EngineProgress<'a>,
) -> Result<Box<dyn Engine + 'a>, Error> {
    connect_engine(&to.engine, settings, observer)
}

fn connect_engine<'a>(
    kind: &'a EngineKind,
    settings: &'a EngineSettings,
    observer: &'a EngineProgress<'a>,
) -> Result<Box<dyn Engine + 'a>, Error> {
    Ok(match kind {
        EngineKind::Docker => Box::new(docker::Docker::find(settings, observer)?),
        EngineKind::Podman => Box::new(podman::Podman::find(settings, observer)?),
        EngineKind::Containerd { namespace } => {
            let namespace = namespace.as_ref().unwrap_or(&settings.containerd_namespace);
            Box::new(containerd::Containerd::find(settings, namespace, observer)?)
        }
    })
}
