//! Local engines: images into Docker, Podman (and so Buildah, CRI-O) and containerd, and out of them.
//!
//! An engine is asked what it has before anything is sent; what is sent is an archive, streamed. One image is sent: that of
//! the platform which the engine runs. It does not know how an image was made. Docker is talked to over its socket, the
//! others through their own programs, `podman` and `ctr`, since that is the way they are open to.

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

/// Hears of bytes that have gone out or come in, and says whether to go on. When it has once said no, it goes on to.
pub type Observer<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// What the environment decides about engines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where Docker may listen, as `DOCKER_HOST` has it: `unix:///var/run/docker.sock`, `tcp://127.0.0.1:2375`. The first
    /// that there is counts.
    pub docker: Vec<String>,
    /// containerd's socket.
    pub containerd: PathBuf,
    /// containerd's namespace where a place names none.
    pub namespace: String,
    /// The directories where `podman` and `ctr` are looked for.
    pub search: Vec<PathBuf>,
    /// Where an archive stands for a moment that an engine gives; `copy` from an engine needs one.
    pub temporary: PathBuf,
    /// How long an engine may be silent: when it is asked something, and twenty times as long while it takes an image in.
    pub patience: Duration,
}

impl Default for Settings {
    /// What holds where the environment says nothing; no directory is searched for programs.
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

/// What has become of an image at an engine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The digest of the manifest that was loaded.
    pub digest: Digest,
    /// The platform that was chosen, where there were several.
    pub chosen: Option<Platform>,
    /// How it got there.
    pub how: How,
}

/// How an image got to an engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// It was there under its name.
    Unchanged,
    /// It was there, and got one more name.
    Named,
    /// It was sent.
    Sent {
        /// The layers that went out.
        layers: usize,
        /// The layers that the engine had.
        present: usize,
        /// All bytes that went out.
        bytes: u64,
    },
}

/// What an engine has of an image.
#[derive(Debug)]
enum Has {
    /// All of it, under its name.
    Named,
    /// All of it, under another name or none; what the engine calls it.
    Unnamed(String),
    /// So many of its layers, from the lowest.
    Layers(usize),
}

/// What every engine can do, each in its own way.
trait Engine {
    /// What it runs.
    fn platform(&self) -> Result<Platform, Error>;
    /// What it has of `image`, and under `name`.
    fn ask(&self, name: &Reference, image: &Chosen) -> Result<Has, Error>;
    /// Gives the image that it calls `known` one more name.
    fn name(&self, known: &str, name: &Reference) -> Result<(), Error>;
    /// Takes an archive in.
    fn send(&self, archive: &Archive, open: &Open<'_>) -> Result<(), Error>;
    /// Writes the image to an archive at `path`.
    fn save(&self, name: &Reference, path: &Path) -> Result<(), Error>;
}

/// Brings the image of `graph` to the engine, under its name there; of several platforms, that of the engine. `open` reads
/// a blob, and tells the observer of its bytes.
///
/// # Errors
/// When the engine can't be reached or refuses, has another platform, or a blob is not what its digest says. Then the name
/// stands for what it stood for before.
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
            // What it had a moment ago may have gone, or its kind of storage wants all of it.
            Err(Error::Refused { .. }) if present > 0 => send(&*engine, &image, open, to, 0)?,
            sent => sent?,
        },
    };
    if how != How::Unchanged && !matches!(engine.ask(&to.name, &image)?, Has::Named) {
        return Err(Error::Lost(to.clone()));
    }
    Ok(Loaded { digest: image.digest, chosen: image.is_chosen.then_some(image.platform), how })
}

/// Sends what the engine lacks, when it has the lowest layers.
fn send(
    engine: &dyn Engine,
    image: &Chosen,
    open: &Open<'_>,
    to: &Named,
    present: usize,
) -> Result<How, Error> {
    let (there, lacking) = image.layers.split_at(present.min(image.layers.len()));
    let there: BTreeSet<Digest> = there.iter().filter(|layer| !lacking.contains(layer)).copied().collect();
    let archive = Archive::named(&image.graph, std::slice::from_ref(&to.name))?.without(&there);
    engine.send(&archive, open)?;
    Ok(How::Sent { layers: lacking.len(), present, bytes: archive.size() })
}

/// Writes the image at the engine to an archive at `path`.
///
/// # Errors
/// When the engine can't be reached, has no such image, or the file can't be written.
pub fn save(from: &Named, path: &Path, settings: &Settings, observer: &Observer<'_>) -> Result<(), Error> {
    connect(from, settings, observer)?.save(&from.name, path)
}

/// The engine that is there: Docker, else Podman, else containerd.
///
/// # Errors
/// When there is none that answers; with what was tried.
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
