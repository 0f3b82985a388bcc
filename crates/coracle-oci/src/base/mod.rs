//! Base images: location, config, layers, and a file system view of them.
//!
//! Documents and layers are read on demand. Fetched blobs are stored by digest and verified. This
//! module does not depend on builds.

mod base_fs;
mod error;
mod inherited_config;

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub use base_fs::BaseFs;
pub use error::Error;
pub use inherited_config::InheritedConfig;

use crate::cache::{BlobStore, BuildCache};
use crate::copy::{self, ImageLocation};
use crate::image::{self, Descriptor, oci_layer_media_type};
use crate::layout::{ImageSource, ParsedLayer, ParsedPlatform};
use crate::registry::{Access, RegistryClient};
use coracle_core::digest::{DiffId, Digest};
use coracle_core::platform::Platform;
use coracle_core::reference::ImageReference;
use error::unreadable_error;

/// Maximum size of a layer's uncompressed tar in bytes.
const MAX_TAR_SIZE: u64 = 16 << 30;

/// A base image at its location: one image, or an index with one per platform.
#[derive(Debug)]
pub struct BaseSource {
    location: ImageLocation,
    source: ImageSource,
    blobs: BlobStore,
}

/// The base image of one platform.
#[derive(Debug)]
pub struct BaseImage {
    /// Its full name, such as `docker.io/library/debian:12`; `None` if it has no name.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its config as JSON.
    pub config: String,
    /// The run settings that new images inherit.
    pub inherited: InheritedConfig,
    /// Its layers, history and config members, for the new image's documents.
    pub base_layers: image::InheritedBase,
    layers: Vec<ParsedLayer>,
}

/// Cancellation check, called repeatedly. `Break` cancels the operation.
pub type CancelCheck<'a> = dyn Fn() -> ControlFlow<()> + 'a;

/// A reader that fails when the operation is cancelled.
struct CancellableReader<'a> {
    reader: Box<dyn Read>,
    go_on: &'a CancelCheck<'a>,
}

impl Read for CancellableReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.go_on)() {
            ControlFlow::Continue(()) => self.reader.read(buffer),
            ControlFlow::Break(()) => Err(cancelled_error()),
        }
    }
}

fn cancelled_error() -> io::Error {
    io::Error::other("interrupted")
}

/// Returns the digest that the image at `place` has now. If `place` includes a digest, no request
/// is made. A registry gets a HEAD request only.
///
/// # Errors
/// Fails if there is no such image, or its location cannot be read.
pub fn resolve_digest(place: &ImageLocation, client: &RegistryClient) -> Result<Digest, Error> {
    let base = place.to_string();
    let refused = |error: copy::Error| unreadable_error(&base, error);
    let ImageLocation::Registry(named) = place else {
        let origin = copy::open_source(place, client).map_err(refused)?;
        return origin.digest().ok_or_else(|| missing_manifest_error(&base));
    };
    if let Some(digest) = named.digest {
        return Ok(digest);
    }
    let head = client
        .repository_client(&(&named.reference).into(), &Access::Pull)
        .head_manifest(named.manifest_reference());
    let head = head.map_err(|error| refused(error.into()))?;
    head.map(|head| head.digest).ok_or_else(|| refused(copy::Error::NoSuchImage(place.clone())))
}

impl BaseSource {
    /// Opens the image at `place`. Fetched blobs are stored in `cache`, or in a temporary directory
    /// in `scratch` that is deleted on drop.
    ///
    /// # Errors
    /// Fails if there is no image, or its location cannot be read.
    pub fn open(
        place: &ImageLocation,
        client: &RegistryClient,
        cache: Option<&BuildCache>,
        scratch: Option<&Path>,
    ) -> Result<Self, Error> {
        let origin =
            copy::open_source(place, client).map_err(|error| unreadable_error(&place.to_string(), error))?;
        Ok(Self { location: place.clone(), source: origin, blobs: BlobStore::open(cache, scratch)? })
    }

    /// Returns the digest of its manifest or index.
    ///
    /// # Errors
    /// Fails if it has neither.
    pub fn digest(&self) -> Result<Digest, Error> {
        self.source.digest().ok_or_else(|| missing_manifest_error(&self.location_text()))
    }

    /// The repository with its blobs; `None` if they are not in a registry.
    pub fn repository(&self) -> Option<&ImageReference> {
        match &self.location {
            ImageLocation::Registry(named) => Some(&named.reference),
            ImageLocation::OnDisk(_) | ImageLocation::Engine(_) => None,
        }
    }

    /// Returns the image for `platform`.
    ///
    /// # Errors
    /// Fails if there is none, or its documents are invalid or unsupported.
    pub fn image(&self, platform: &Platform) -> Result<BaseImage, Error> {
        let base = self.location_text();
        let stored = self.source.read_image_for(platform);
        let stored = stored
            .map_err(|error| unreadable_error(&base, copy::Error::from_read_error(&self.location, error)))?;
        let known = || self.source.index_platforms().iter().map(ToString::to_string).collect();
        let wanted = platform.clone();
        let Some(stored) = stored else {
            return Err(Error::PlatformUnavailable { base, requested: wanted, available: known() });
        };
        if !stored.platform.matches_ignoring_variant(platform) {
            return Err(Error::PlatformUnavailable {
                base,
                requested: wanted,
                available: vec![stored.platform.to_string()],
            });
        }
        let unfit =
            |why: String, hint: &str| Error::Unsupported { base: base.clone(), why, hint: hint.to_owned() };
        let digest = stored.digest().ok_or_else(|| missing_manifest_error(&base))?;
        let unknown =
            stored.layers.iter().find_map(|layer| self.source.decompress_layer(layer, io::empty()).err());
        if let Some(error) = unknown {
            return Err(unfit(error.to_string(), "use another base image, or convert it with skopeo"));
        }
        let layers = layer_descriptors(&stored).map_err(|why| {
            unfit(why, "use another base image: container engines cannot run this one either")
        })?;
        let inherited = InheritedConfig::from_config(&stored.config).map_err(|why| {
            unfit(why, "use another base image: container engines cannot run this one either")
        })?;
        let image = image::InheritedBase {
            history: inherited_config::history(&stored.config, layers.len()),
            config_members: inherited_config::inherited_members(&stored.config),
            layers,
        };
        Ok(BaseImage {
            name: self.name(),
            digest,
            config: stored.config.to_string(),
            inherited,
            base_layers: image,
            layers: stored.layers,
        })
    }

    /// Returns the file system of `image`. Layers that are not stored yet are fetched and
    /// decompressed. `go_on` is called repeatedly meanwhile.
    ///
    /// # Errors
    /// Fails if a layer cannot be fetched, does not match its digests, or `go_on` cancels.
    pub fn file_system(&self, image: &BaseImage, go_on: &CancelCheck<'_>) -> Result<BaseFs, Error> {
        let mut tree = BaseFs::default();
        for (layer, (descriptor, diff_id)) in image.layers.iter().zip(&image.base_layers.layers) {
            let failed = |source: io::Error| Error::Layer {
                base: self.location_text(),
                digest: descriptor.digest,
                source,
            };
            if let Some(path) = self.blobs.find(diff_id.digest()) {
                if tree.apply_layer(&path, diff_id)?.map_err(failed)? {
                    continue;
                }
                // The stored file is damaged.
                self.blobs.remove(diff_id.digest())?;
            }
            let path = self.decompress_layer(layer, descriptor, diff_id, go_on)?.map_err(failed)?;
            if !tree.apply_layer(&path, diff_id)?.map_err(failed)? {
                return Err(failed(io::Error::other("its tar changed while it was read")));
            }
        }
        Ok(tree)
    }

    /// Fetches and decompresses a layer, and returns the path of its stored tar.
    fn decompress_layer(
        &self,
        layer: &ParsedLayer,
        descriptor: &Descriptor,
        diff_id: &DiffId,
        go_on: &CancelCheck<'_>,
    ) -> Result<io::Result<PathBuf>, Error> {
        let blob = match self.repository().map(|_| self.fetch_blob(descriptor, go_on)).transpose()? {
            Some(Err(error)) => return Ok(Err(error)),
            Some(Ok(path)) => Some(path),
            None => None,
        };
        let Some(_turn) = self.blobs.lock_fetch(diff_id.digest(), go_on)? else {
            return Ok(Err(cancelled_error()));
        };
        if let Some(path) = self.blobs.find(diff_id.digest()) {
            return Ok(Ok(path));
        }
        let tar = match blob {
            Some(path) => {
                std::fs::File::open(&path).and_then(|file| self.source.decompress_layer(layer, file))
            }
            None => self.source.open_tar(layer),
        };
        Ok(match tar {
            Ok(reader) => {
                self.blobs.store(diff_id.digest(), &mut CancellableReader { reader, go_on }, MAX_TAR_SIZE)?
            }
            Err(error) => Err(error),
        })
    }

    /// Fetches a blob from its registry unless it is stored, and returns its path.
    fn fetch_blob(
        &self,
        descriptor: &Descriptor,
        go_on: &CancelCheck<'_>,
    ) -> Result<io::Result<PathBuf>, Error> {
        let Some(_turn) = self.blobs.lock_fetch(descriptor.digest, go_on)? else {
            return Ok(Err(cancelled_error()));
        };
        if let Some(path) = self.blobs.find(descriptor.digest) {
            if self.blobs.is_intact(descriptor.digest)? {
                return Ok(Ok(path));
            }
            // The stored file is damaged.
            self.blobs.remove(descriptor.digest)?;
        }
        Ok(match self.source.open_blob(descriptor) {
            Ok(reader) => self.blobs.store(
                descriptor.digest,
                &mut CancellableReader { reader, go_on },
                descriptor.size,
            )?,
            Err(error) => Err(error),
        })
    }

    /// Opens a blob for copying. The caller must verify its digest. A blob from a registry is
    /// stored here first; `go_on` is called repeatedly meanwhile.
    ///
    /// # Errors
    /// Fails if the blob cannot be fetched or read. The inner error may be a registry error.
    pub fn open_blob(&self, descriptor: &Descriptor, go_on: &CancelCheck<'_>) -> io::Result<Box<dyn Read>> {
        match self.repository() {
            None => self.source.open_blob(descriptor),
            Some(_) => {
                let path = self.fetch_blob(descriptor, go_on).map_err(io::Error::other)??;
                Ok(Box::new(std::fs::File::open(path)?))
            }
        }
    }

    fn name(&self) -> Option<String> {
        match &self.location {
            ImageLocation::Registry(named) => Some(named.full_name()),
            ImageLocation::OnDisk(_) | ImageLocation::Engine(_) => self.source.names.first().cloned(),
        }
    }

    /// The location of the image, as written.
    pub fn location_text(&self) -> String {
        self.location.to_string()
    }
}

/// Returns the layers' descriptors with OCI media types, and their diff IDs.
fn layer_descriptors(stored: &ParsedPlatform) -> Result<Vec<(Descriptor, DiffId)>, String> {
    let diff_ids = inherited_config::diff_ids(&stored.config)?;
    if diff_ids.len() != stored.layers.len() {
        let (layers, named) = (stored.layers.len(), diff_ids.len());
        return Err(format!("it has {layers} layers, but its config has {named} diff IDs"));
    }
    let layer = |(layer, diff_id): (&ParsedLayer, DiffId)| {
        let found = layer.descriptor.as_ref().ok_or("a layer has no digest")?;
        let media_type = oci_layer_media_type(&found.media_type).to_owned();
        if media_type.contains("nondistributable") || media_type.contains("foreign") {
            return Err(format!("its layer `{}` is marked as not distributable", found.digest));
        }
        let mut descriptor = found.clone();
        descriptor.media_type = media_type.into();
        Ok((descriptor, diff_id))
    };
    stored.layers.iter().zip(diff_ids).map(layer).collect()
}

fn missing_manifest_error(base: &str) -> Error {
    Error::Unsupported {
        base: base.to_owned(),
        why: "it has no OCI manifest, only Docker's `manifest.json`".into(),
        hint: "convert it to an image layout: `skopeo copy docker-archive:FILE oci:DIR`".into(),
    }
}
