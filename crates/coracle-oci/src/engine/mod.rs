//! Local container engines: loads images into Docker, Podman (which shares its storage with Buildah
//! and CRI-O) and containerd, and saves images from them.
//!
//! The image of the engine's platform is streamed as an archive, without content that the engine
//! has already. The module does not depend on how images are built. Docker is used through its API,
//! the others through their command-line clients `podman` and `ctr`.

mod choose;
mod containerd;
mod docker;
mod error;
mod http;
mod place;
mod podman;
mod program;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::Error;
pub use place::{Kind, Named, ParseNamedError, is_place};

use coracle_core::digest::Digest;
use crate::image::Graph;
use coracle_core::platform::Platform;
use coracle_core::reference::Reference;
use crate::layout::{Archive, Open};
use choose::Chosen;

/// Called with the number of bytes transferred since the last call. `Break` cancels the operation;
/// all later calls must return it too.
pub type Observer<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// The configuration of engines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Docker endpoints in the form of `DOCKER_HOST`: `unix:///var/run/docker.sock`,
    /// `tcp://127.0.0.1:2375`. The first that accepts connections is used.
    pub docker: Vec<String>,
    /// The socket of containerd.
    pub containerd: PathBuf,
    /// The containerd namespace of image names without one.
    pub namespace: String,
    /// The directories to search for `podman` and `ctr`.
    pub search: Vec<PathBuf>,
    /// The directory for temporary archives, which copying from an engine needs.
    pub temporary: PathBuf,
    /// The timeout of each read and write. While an image is loaded it is 20 times as long.
    pub patience: Duration,
}

impl Default for Settings {
    /// The usual sockets, and no directories to search for programs.
    fn default() -> Self {
        Self {
            docker: vec!["unix:///var/run/docker.sock".into()],
            containerd: "/run/containerd/containerd.sock".into(),
            namespace: "default".into(),
            search: Vec::new(),
            temporary: "/var/tmp".into(),
            patience: Duration::from_secs(30),
        }
    }
}

/// The result of loading an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The digest of the loaded manifest.
    pub digest: Digest,
    /// The selected platform. `None` if the image has one platform only.
    pub chosen: Option<Platform>,
    /// What was done.
    pub how: How,
}

/// What loading an image did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
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
enum Has {
    /// The whole image, with the name.
    Named,
    /// The whole image, without the name. The value is its name or ID in the engine.
    Unnamed(String),
    /// This number of its lowest layers.
    Layers(usize),
}

/// The operations of an engine.
trait Engine {
    /// The platform that the engine runs.
    fn platform(&self) -> Result<Platform, Error>;
    /// Looks up how much of `image` the engine has, and whether it has the name.
    fn ask(&self, name: &Reference, image: &Chosen) -> Result<Has, Error>;
    /// Tags the image with the name or ID `known` as `name`.
    fn name(&self, known: &str, name: &Reference) -> Result<(), Error>;
    /// Loads an archive.
    fn send(&self, archive: &Archive, open: &Open<'_>) -> Result<(), Error>;
    /// Saves the image to an archive at `path`.
    fn save(&self, name: &Reference, path: &Path) -> Result<(), Error>;
}

/// Loads the image of `graph` into an engine. An image of several platforms is reduced to the
/// engine's. `open` opens a blob, and must report its bytes to the observer.
///
/// # Errors
/// Fails if the engine can't be reached or refuses, no image is for its platform, or a blob does
/// not match its digest. The name is unchanged then.
pub fn load(
    graph: &Graph,
    open: &Open<'_>,
    to: &Named,
    settings: &Settings,
    observer: &Observer<'_>,
) -> Result<Loaded, Error> {
    let engine = connect(to, settings, observer)?;
    let image = choose::choose(graph, open, &engine.platform()?, to)?;
    let how = match engine.ask(&to.name, &image)? {
        Has::Named => How::Unchanged,
        Has::Unnamed(known) => {
            engine.name(&known, &to.name)?;
            How::Named
        }
        Has::Layers(present) => match send(&*engine, &image, open, to, present) {
            // The layers may be gone, or the storage may need all of them: send everything.
            Err(Error::Refused { .. }) if present > 0 => send(&*engine, &image, open, to, 0)?,
            sent => sent?,
        },
    };
    if how != How::Unchanged && !matches!(engine.ask(&to.name, &image)?, Has::Named) {
        return Err(Error::Lost(to.clone()));
    }
    Ok(Loaded { digest: image.digest, chosen: image.is_chosen.then_some(image.platform), how })
}

/// Sends the image without its lowest `present` layers.
fn send(
    engine: &dyn Engine,
    image: &Chosen,
    open: &Open<'_>,
    to: &Named,
    present: usize,
) -> Result<How, Error> {
    let (present_layers, missing_layers) = image.layers.split_at(present.min(image.layers.len()));
    let skipped: BTreeSet<Digest> =
        present_layers.iter().filter(|layer| !missing_layers.contains(layer)).copied().collect();
    let archive = Archive::named(&image.graph, std::slice::from_ref(&to.name))?.without(&skipped);
    engine.send(&archive, open)?;
    Ok(How::Sent { layers: missing_layers.len(), present, bytes: archive.size() })
}

/// Saves an image of an engine to an archive at `path`.
///
/// # Errors
/// Fails if the engine can't be reached or has no such image, or the file can't be written.
pub fn save(from: &Named, path: &Path, settings: &Settings, observer: &Observer<'_>) -> Result<(), Error> {
    connect(from, settings, observer)?.save(&from.name, path)
}

/// Detects the local engine: the first of Docker, Podman and containerd that responds.
///
/// # Errors
/// Fails with the error of each if none responds.
pub fn present(settings: &Settings, observer: &Observer<'_>) -> Result<Kind, Error> {
    let kinds = [Kind::Docker, Kind::Podman, Kind::Containerd { namespace: None }];
    let mut tried = Vec::new();
    for kind in kinds {
        match open(&kind, settings, observer).and_then(|engine| engine.platform()) {
            Ok(_) => return Ok(kind),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => tried.push((kind, error)),
        }
    }
    Err(Error::None(tried))
}

fn connect<'a>(
    to: &'a Named,
    settings: &'a Settings,
    observer: &'a Observer<'a>,
) -> Result<Box<dyn Engine + 'a>, Error> {
    open(&to.kind, settings, observer)
}

fn open<'a>(
    kind: &'a Kind,
    settings: &'a Settings,
    observer: &'a Observer<'a>,
) -> Result<Box<dyn Engine + 'a>, Error> {
    Ok(match kind {
        Kind::Docker => Box::new(docker::Docker::find(settings, observer)?),
        Kind::Podman => Box::new(podman::Podman::find(settings, observer)?),
        Kind::Containerd { namespace } => {
            let namespace = namespace.as_ref().unwrap_or(&settings.namespace);
            Box::new(containerd::Containerd::find(settings, namespace, observer)?)
        }
    })
}
