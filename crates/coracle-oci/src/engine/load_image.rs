//! Loads an image into an engine, saves an image from one, and detects the local engine.

use std::collections::BTreeSet;
use std::path::Path;

use super::container_engine::{ContainerEngine, EngineSettings, ImagePresence};
use super::containerd::Containerd;
use super::docker::Docker;
use super::engine_image_name::{EngineImageName, EngineKind};
use super::error::EngineError;
use super::podman::Podman;
use super::select_image::{PlatformImage, select_image};
use crate::image::ImageGraph;
use crate::layout::BlobOpener;
use coracle_core::digest::Digest;
use coracle_core::platform::Platform;
use coracle_core::progress::Progress;

/// The result of loading an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadedImage {
    /// The digest of the loaded manifest.
    pub digest: Digest,
    /// The selected platform. `None` if the image has one platform only.
    pub selected_platform: Option<Platform>,
    /// The outcome.
    pub outcome: LoadOutcome,
}

/// The outcome of loading an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadOutcome {
    /// Nothing was sent: the engine had the image with this name.
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

/// Loads the image of `graph` into an engine. Of an image for several platforms, only the image for
/// the engine's platform is loaded. `open` opens a blob, and must report its bytes to `progress`.
///
/// # Errors
/// Fails if the engine can't be reached or refuses, no image is for its platform, or a blob does
/// not match its digest. The name is unchanged then.
pub fn load_image(
    graph: &ImageGraph,
    open: &BlobOpener<'_>,
    to: &EngineImageName,
    settings: &EngineSettings,
    progress: &dyn Progress,
) -> Result<LoadedImage, EngineError> {
    let engine = connect_for_image(to, settings, progress)?;
    let image = select_image(graph, open, &engine.platform()?, to)?;
    let outcome = match engine.find_image(&to.name, &image)? {
        ImagePresence::Named => LoadOutcome::Unchanged,
        ImagePresence::Untagged(image_in_engine) => {
            engine.tag_image(&image_in_engine, &to.name, &image)?;
            LoadOutcome::Named
        }
        ImagePresence::Layers(present) => match send_missing_layers(&*engine, &image, open, to, present) {
            // The layers may be gone, or the storage may need all of them: send everything.
            Err(EngineError::Failed { .. }) if present > 0 => {
                send_missing_layers(&*engine, &image, open, to, 0)?
            }
            sent => sent?,
        },
    };
    if outcome != LoadOutcome::Unchanged
        && !matches!(engine.find_image(&to.name, &image)?, ImagePresence::Named)
    {
        return Err(EngineError::NotLoaded(to.clone()));
    }
    Ok(LoadedImage {
        digest: image.digest,
        selected_platform: image.is_one_of_several.then_some(image.platform),
        outcome,
    })
}

/// Sends the image without its lowest `present` layers.
fn send_missing_layers(
    engine: &dyn ContainerEngine,
    image: &PlatformImage,
    open: &BlobOpener<'_>,
    to: &EngineImageName,
    present: usize,
) -> Result<LoadOutcome, EngineError> {
    let (present_layers, missing_layers) = image.layers.split_at(present.min(image.layers.len()));
    let skipped: BTreeSet<Digest> =
        present_layers.iter().filter(|layer| !missing_layers.contains(layer)).copied().collect();
    let archive = engine.archive_to_load(&to.name, image)?.without_blobs(&skipped);
    engine.load_archive(&archive, open)?;
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
    progress: &dyn Progress,
) -> Result<(), EngineError> {
    connect_for_image(from, settings, progress)?.save_image(&from.name, path)
}

/// Detects the local engine: the first of Docker, Podman and containerd that responds.
///
/// # Errors
/// Fails with the error of each if none responds.
pub fn detect_engine(settings: &EngineSettings, progress: &dyn Progress) -> Result<EngineKind, EngineError> {
    let kinds = [EngineKind::Docker, EngineKind::Podman, EngineKind::Containerd { namespace: None }];
    let mut tried = Vec::new();
    for kind in kinds {
        match connect_engine(&kind, settings, progress).and_then(|engine| engine.platform()) {
            Ok(_) => return Ok(kind),
            Err(EngineError::Cancelled) => return Err(EngineError::Cancelled),
            Err(error) => tried.push((kind, error)),
        }
    }
    Err(EngineError::NoEngine(tried))
}

fn connect_for_image<'a>(
    to: &'a EngineImageName,
    settings: &'a EngineSettings,
    progress: &'a dyn Progress,
) -> Result<Box<dyn ContainerEngine + 'a>, EngineError> {
    connect_engine(&to.engine, settings, progress)
}

fn connect_engine<'a>(
    kind: &'a EngineKind,
    settings: &'a EngineSettings,
    progress: &'a dyn Progress,
) -> Result<Box<dyn ContainerEngine + 'a>, EngineError> {
    Ok(match kind {
        EngineKind::Docker => Box::new(Docker::connect(settings, progress)?),
        EngineKind::Podman => Box::new(Podman::connect(settings, progress)?),
        EngineKind::Containerd { namespace } => {
            let namespace = namespace.as_ref().unwrap_or(&settings.containerd_namespace);
            Box::new(Containerd::connect(settings, namespace, progress)?)
        }
    })
}
