//! Base images: location, config, layers, and a file system view of them.
//!
//! Documents and layers are read on demand. Fetched blobs are stored by digest and verified. This
//! module does not depend on builds.

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

/// Maximum size of a layer's uncompressed tar in bytes.
const MAX_TAR: u64 = 16 << 30;

/// A base image at its location: one image, or an index with one per platform.
#[derive(Debug)]
pub struct Base {
    place: Place,
    origin: Origin,
    blobs: Blobs,
}

/// The base image of one platform.
#[derive(Debug)]
pub struct Image {
    /// Its full name, such as `docker.io/library/debian:12`; `None` if it has no name.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its config as JSON.
    pub config: String,
    /// The run settings that new images inherit.
    pub inherited: Inherited,
    /// Its layers, history and config members, for the new image's documents.
    pub image: image::Base,
    layers: Vec<StoredLayer>,
}

/// Cancellation check, called repeatedly. `Break` cancels the operation.
pub type GoOn<'a> = dyn Fn() -> ControlFlow<()> + 'a;

/// A reader that fails when the operation is cancelled.
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

/// Returns the digest that the image at `place` has now. If `place` includes a digest, no request
/// is made. A registry gets a HEAD request only.
///
/// # Errors
/// Fails if there is no such image, or its location cannot be read.
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
    /// Opens the image at `place`. Fetched blobs are stored in `cache`, or in a temporary directory
    /// in `scratch` that is deleted on drop.
    ///
    /// # Errors
    /// Fails if there is no image, or its location cannot be read.
    pub fn open(
        place: &Place,
        client: &Client,
        cache: Option<&Cache>,
        scratch: Option<&Path>,
    ) -> Result<Self, Error> {
        let origin = copy::find(place, client).map_err(|error| unreadable(&place.to_string(), error))?;
        Ok(Self { place: place.clone(), origin, blobs: Blobs::open(cache, scratch)? })
    }

    /// Returns the digest of its manifest or index.
    ///
    /// # Errors
    /// Fails if it has neither.
    pub fn digest(&self) -> Result<Digest, Error> {
        self.origin.digest().ok_or_else(|| no_manifest(&self.text()))
    }

    /// The repository with its blobs; `None` if they are not in a registry.
    pub fn repository(&self) -> Option<&Reference> {
        match &self.place {
            Place::Remote(named) => Some(&named.reference),
            Place::Local(_) | Place::Engine(_) => None,
        }
    }

    /// Returns the image for `platform`.
    ///
    /// # Errors
    /// Fails if there is none, or its documents are invalid or unsupported.
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
            return Err(unfit(error.to_string(), "use another base image, or convert it with skopeo"));
        }
        let layers = layers(&stored).map_err(|why| {
            unfit(why, "use another base image: container engines cannot run this one either")
        })?;
        let inherited = Inherited::of(&stored.config).map_err(|why| {
            unfit(why, "use another base image: container engines cannot run this one either")
        })?;
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

    /// Returns the file system of `image`. Layers that are not stored yet are fetched and
    /// decompressed. `go_on` is called repeatedly meanwhile.
    ///
    /// # Errors
    /// Fails if a layer cannot be fetched, does not match its digests, or `go_on` cancels.
    pub fn tree(&self, image: &Image, go_on: &GoOn<'_>) -> Result<BaseTree, Error> {
        let mut tree = BaseTree::default();
        for (layer, (descriptor, diff_id)) in image.layers.iter().zip(&image.image.layers) {
            let failed =
                |source: io::Error| Error::Layer { base: self.text(), digest: descriptor.digest, source };
            if let Some(path) = self.blobs.find(diff_id.digest()) {
                if tree.add(&path, diff_id)?.map_err(failed)? {
                    continue;
                }
                // The stored file is damaged.
                self.blobs.forget(diff_id.digest())?;
            }
            let path = self.unpack(layer, descriptor, diff_id, go_on)?.map_err(failed)?;
            if !tree.add(&path, diff_id)?.map_err(failed)? {
                return Err(failed(io::Error::other("its tar changed while it was read")));
            }
        }
        Ok(tree)
    }

    /// Fetches and decompresses a layer, and returns the path of its stored tar.
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

    /// Fetches a blob from its registry unless it is stored, and returns its path.
    fn fetch(&self, descriptor: &Descriptor, go_on: &GoOn<'_>) -> Result<io::Result<PathBuf>, Error> {
        let Some(_turn) = self.blobs.turn(descriptor.digest, go_on)? else { return Ok(Err(stopped())) };
        if let Some(path) = self.blobs.find(descriptor.digest) {
            if self.blobs.holds(descriptor.digest)? {
                return Ok(Ok(path));
            }
            // The stored file is damaged.
            self.blobs.forget(descriptor.digest)?;
        }
        Ok(match self.origin.blob(descriptor) {
            Ok(reader) => {
                self.blobs.keep(descriptor.digest, &mut Watched { reader, go_on }, descriptor.size)?
            }
            Err(error) => Err(error),
        })
    }

    /// Opens a blob for copying. The caller must verify its digest. A blob from a registry is
    /// stored here first; `go_on` is called repeatedly meanwhile.
    ///
    /// # Errors
    /// Fails if the blob cannot be fetched or read. The inner error may be a registry error.
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

    /// The location of the image, as written.
    pub fn text(&self) -> String {
        self.place.to_string()
    }
}

/// Returns the layers' descriptors with OCI media types, and their diff IDs.
fn layers(stored: &StoredImage) -> Result<Vec<(Descriptor, DiffId)>, String> {
    let diff_ids = config::diff_ids(&stored.config)?;
    if diff_ids.len() != stored.layers.len() {
        let (layers, named) = (stored.layers.len(), diff_ids.len());
        return Err(format!("it has {layers} layers, but its config has {named} diff IDs"));
    }
    let layer = |(layer, diff_id): (&StoredLayer, DiffId)| {
        let found = layer.descriptor.as_ref().ok_or("a layer has no digest")?;
        let media_type = oci_layer(&found.media_type).to_owned();
        if media_type.contains("nondistributable") || media_type.contains("foreign") {
            return Err(format!("its layer `{}` is marked as not distributable", found.digest));
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
        why: "it has no OCI manifest, only Docker's `manifest.json`".into(),
        hint: "convert it to an image layout: `skopeo copy docker-archive:FILE oci:DIR`".into(),
    }
}
