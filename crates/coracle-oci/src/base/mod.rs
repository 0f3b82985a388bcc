//! The image that another one stands on: which one it is, what its config says, and what its layers hold.
//!
//! Documents are read when they are needed, layers only when something in the image could meet them. What was fetched is
//! kept by its digest and held to it. It does not know what is built upon it.

mod config;
mod error;
mod tree;

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub use config::Inherited;
pub use error::Error;
pub use tree::BaseTree;

use crate::cache::{Blobs, Cache};
use coracle_core::digest::{DiffId, Digest};
use crate::image::{self, Descriptor, oci_layer};
use coracle_core::platform::Platform;
use coracle_core::reference::Reference;
use crate::registry::{Access, Client};
use crate::layout::{Origin, StoredImage, StoredLayer};
use crate::copy::{self, Place};
use error::unreadable;

/// The most bytes that the tar of a layer has.
const MAX_TAR: u64 = 16 << 30;

/// A base image, or an index of base images.
#[derive(Debug)]
pub struct Base {
    place: Place,
    origin: Origin,
    blobs: Blobs,
}

/// The base image of one platform.
#[derive(Debug)]
pub struct Image {
    /// What it is called, in full: `docker.io/library/debian:12`; nothing where it has no name.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its config as text, in the one form of JSON.
    pub config: String,
    /// What its config hands on to the image above.
    pub inherited: Inherited,
    /// Its layers, history, and members of its config, in the words of the specification.
    pub image: image::Base,
    layers: Vec<StoredLayer>,
}

/// Says whether to go on.
pub type GoOn<'a> = dyn Fn() -> ControlFlow<()> + 'a;

/// Reads until somebody asks to end.
struct Watched<'a> {
    reader: Box<dyn Read>,
    go_on: &'a GoOn<'a>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.go_on)() {
            ControlFlow::Continue(()) => self.reader.read(buffer),
            ControlFlow::Break(()) => Err(stopped()),
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("interrupted")
}

/// The digest of the image that `place` stands for now; one that the place itself names is not asked for. A registry is
/// asked for no more than the digest.
///
/// # Errors
/// When there is no such image, or it can't be asked for.
pub fn pin(place: &Place, client: &Client) -> Result<Digest, Error> {
    let base = place.to_string();
    let refused = |error: copy::Error| unreadable(&base, error);
    let Place::Remote(named) = place else {
        let origin = copy::find(place, client).map_err(refused)?;
        return origin.digest().ok_or_else(|| no_manifest(&base));
    };
    if let Some(digest) = named.digest {
        return Ok(digest);
    }
    let head = client.open(&(&named.reference).into(), &Access::Pull).head(named.target());
    let head = head.map_err(|error| refused(error.into()))?;
    head.map(|head| head.digest).ok_or_else(|| refused(copy::Error::Nothing(place.clone())))
}

impl Base {
    /// Finds the image at `place`. What is fetched of it is kept in `cache`, else below `scratch` for as long as this lives.
    ///
    /// # Errors
    /// When there is none, or it can't be asked for.
    pub fn open(
        place: &Place,
        client: &Client,
        cache: Option<&Cache>,
        scratch: Option<&Path>,
    ) -> Result<Self, Error> {
        let origin = copy::find(place, client).map_err(|error| unreadable(&place.to_string(), error))?;
        Ok(Self { place: place.clone(), origin, blobs: Blobs::open(cache, scratch)? })
    }

    /// The digest of its manifest or index.
    ///
    /// # Errors
    /// When it has neither.
    pub fn digest(&self) -> Result<Digest, Error> {
        self.origin.digest().ok_or_else(|| no_manifest(&self.text()))
    }

    /// The repository that its blobs are in; nothing where they are on disk.
    pub fn repository(&self) -> Option<&Reference> {
        match &self.place {
            Place::Remote(named) => Some(&named.reference),
            Place::Local(_) | Place::Engine(_) => None,
        }
    }

    /// The image for `platform`.
    ///
    /// # Errors
    /// When there is none, or its documents say what no image can be built upon.
    pub fn image(&self, platform: &Platform) -> Result<Image, Error> {
        let base = self.text();
        let stored = self.origin.image_for(platform);
        let stored =
            stored.map_err(|error| unreadable(&base, copy::Error::reading(&self.place, error)))?;
        let known = || self.origin.platforms().iter().map(ToString::to_string).collect();
        let wanted = platform.clone();
        let Some(stored) = stored else { return Err(Error::Platform { base, wanted, known: known() }) };
        if !stored.platform.is_kin_of(platform) {
            return Err(Error::Platform { base, wanted, known: vec![stored.platform.to_string()] });
        }
        let unfit = |why: String, hint: &str| Error::Unfit { base: base.clone(), why, hint: hint.to_owned() };
        let digest = stored.digest().ok_or_else(|| no_manifest(&base))?;
        let unknown = stored.layers.iter().find_map(|layer| self.origin.tar_of(layer, io::empty()).err());
        if let Some(error) = unknown {
            return Err(unfit(error.to_string(), "take another base, or let skopeo convert it"));
        }
        let layers = layers(&stored)
            .map_err(|why| unfit(why, "take another base: engines could not run this one either"))?;
        let inherited = Inherited::of(&stored.config)
            .map_err(|why| unfit(why, "take another base: engines could not run this one either"))?;
        let image = image::Base {
            history: config::history(&stored.config, layers.len()),
            members: config::members(&stored.config),
            layers,
        };
        Ok(Image {
            name: self.name(),
            digest,
            config: stored.config.to_string(),
            inherited,
            image,
            layers: stored.layers,
        })
    }

    /// The tree of `image`, whose layers are fetched and unpacked where they were not before. `go_on` is asked meanwhile.
    ///
    /// # Errors
    /// When a layer can't be had, or is not what its digests say; and when it should not go on.
    pub fn tree(&self, image: &Image, go_on: &GoOn<'_>) -> Result<BaseTree, Error> {
        let mut tree = BaseTree::default();
        for (layer, (descriptor, diff_id)) in image.layers.iter().zip(&image.image.layers) {
            let failed =
                |source: io::Error| Error::Layer { base: self.text(), digest: descriptor.digest, source };
            if let Some(path) = self.blobs.find(diff_id.digest()) {
                if tree.add(&path, diff_id)?.map_err(failed)? {
                    continue;
                }
                // Damaged since it was kept.
                self.blobs.forget(diff_id.digest())?;
            }
            let path = self.unpack(layer, descriptor, diff_id, go_on)?.map_err(failed)?;
            if !tree.add(&path, diff_id)?.map_err(failed)? {
                return Err(failed(io::Error::other("its tar changes while it is read")));
            }
        }
        Ok(tree)
    }

    /// Keeps the tar of a layer.
    fn unpack(
        &self,
        layer: &StoredLayer,
        descriptor: &Descriptor,
        diff_id: &DiffId,
        go_on: &GoOn<'_>,
    ) -> Result<io::Result<PathBuf>, Error> {
        let blob = match self.repository().map(|_| self.fetch(descriptor, go_on)).transpose()? {
            Some(Err(error)) => return Ok(Err(error)),
            Some(Ok(path)) => Some(path),
            None => None,
        };
        let Some(_turn) = self.blobs.turn(diff_id.digest(), go_on)? else { return Ok(Err(stopped())) };
        if let Some(path) = self.blobs.find(diff_id.digest()) {
            return Ok(Ok(path));
        }
        let tar = match blob {
            Some(path) => std::fs::File::open(&path).and_then(|file| self.origin.tar_of(layer, file)),
            None => self.origin.tar(layer),
        };
        Ok(match tar {
            Ok(reader) => self.blobs.keep(diff_id.digest(), &mut Watched { reader, go_on }, MAX_TAR)?,
            Err(error) => Err(error),
        })
    }

    /// Keeps a blob as it is at its registry.
    fn fetch(&self, descriptor: &Descriptor, go_on: &GoOn<'_>) -> Result<io::Result<PathBuf>, Error> {
        let Some(_turn) = self.blobs.turn(descriptor.digest, go_on)? else { return Ok(Err(stopped())) };
        if let Some(path) = self.blobs.find(descriptor.digest) {
            if self.blobs.holds(descriptor.digest)? {
                return Ok(Ok(path));
            }
            // Damaged since it was kept.
            self.blobs.forget(descriptor.digest)?;
        }
        Ok(match self.origin.blob(descriptor) {
            Ok(reader) => {
                self.blobs.keep(descriptor.digest, &mut Watched { reader, go_on }, descriptor.size)?
            }
            Err(error) => Err(error),
        })
    }

    /// Opens a blob, to be copied; whoever takes its bytes checks them. One at a registry is kept here, too, and `go_on`
    /// is asked meanwhile.
    ///
    /// # Errors
    /// When it can't be had; the error inside may be one of a registry.
    pub fn blob(&self, descriptor: &Descriptor, go_on: &GoOn<'_>) -> io::Result<Box<dyn Read>> {
        match self.repository() {
            None => self.origin.blob(descriptor),
            Some(_) => {
                let path = self.fetch(descriptor, go_on).map_err(io::Error::other)??;
                Ok(Box::new(std::fs::File::open(path)?))
            }
        }
    }

    fn name(&self) -> Option<String> {
        match &self.place {
            Place::Remote(named) => Some(named.full_name()),
            Place::Local(_) | Place::Engine(_) => self.origin.names.first().cloned(),
        }
    }

    /// Where it is, as it was written.
    pub fn text(&self) -> String {
        self.place.to_string()
    }
}

/// Its layers in the specification's words, each with the digest of its tar.
fn layers(stored: &StoredImage) -> Result<Vec<(Descriptor, DiffId)>, String> {
    let diff_ids = config::diff_ids(&stored.config)?;
    if diff_ids.len() != stored.layers.len() {
        let (layers, named) = (stored.layers.len(), diff_ids.len());
        return Err(format!("it has {layers} layers, and its config names {named}"));
    }
    let layer = |(layer, diff_id): (&StoredLayer, DiffId)| {
        let found = layer.descriptor.as_ref().ok_or("a layer has no digest")?;
        let media_type = oci_layer(&found.media_type).to_owned();
        if media_type.contains("nondistributable") || media_type.contains("foreign") {
            return Err(format!("its layer `{}` may not be handed on", found.digest));
        }
        let mut descriptor = found.clone();
        descriptor.media_type = media_type.into();
        Ok((descriptor, diff_id))
    };
    stored.layers.iter().zip(diff_ids).map(layer).collect()
}

fn no_manifest(base: &str) -> Error {
    Error::Unfit {
        base: base.to_owned(),
        why: "it has Docker's description alone, and no manifest".into(),
        hint: "let skopeo convert it to a layout: `skopeo copy docker-archive:FILE oci:DIR`".into(),
    }
}
