//! A base image at its location, and the layers and settings that new images take from it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::{BaseError, unreadable_error};
use super::inherited_config::{self, InheritedConfig};
use crate::cache::{BlobStore, BuildCache};
use crate::copy::{self, ImageLocation};
use crate::image::media_type::oci_layer_media_type;
use crate::image::{self, Descriptor};
use crate::layout::{ImageFs, ImageSource, ParsedLayer, ParsedPlatform};
use crate::registry::RegistryClient;
use coracle_core::digest::{DiffId, Digest};
use coracle_core::platform::Platform;
use coracle_core::progress::{CancelOnly, Cancelled, Progress, ProgressReader};
use coracle_core::reference::ImageReference;

/// A base image at its location: one image, or an index with one per platform.
#[derive(Debug)]
pub struct BaseSource {
    location: ImageLocation,
    source: ImageSource,
    blobs: BlobStore,
}

/// The base image of one platform.
#[derive(Clone, Debug)]
pub struct BaseImage {
    /// The image's full name, such as `docker.io/library/debian:12`; `None` if it has no name.
    pub name: Option<String>,
    /// The digest of the image's manifest.
    pub digest: Digest,
    /// The image's config as JSON.
    pub config: String,
    /// The run settings that new images inherit.
    pub inherited: InheritedConfig,
    /// The image's layers, history and config members, for the new image's documents.
    pub base_layers: image::InheritedBase,
    layers: Vec<ParsedLayer>,
}

/// Returns the digest that the image at `location` has now. If `location` includes a digest, no
/// request is made. A registry gets a HEAD request only.
///
/// # Errors
/// Fails if there is no such image, or its location cannot be read.
pub fn resolve_base_digest(location: &ImageLocation, client: &RegistryClient) -> Result<Digest, BaseError> {
    let base = location.to_string();
    let refused = |error: copy::CopyError| unreadable_error(&base, error);
    let ImageLocation::Registry(named) = location else {
        let source = copy::open_source(location, client).map_err(refused)?;
        return source.digest().ok_or_else(|| missing_manifest_error(&base));
    };
    match named.digest {
        Some(digest) => Ok(digest),
        None => copy::resolve_digest(named, client).map_err(refused),
    }
}

impl BaseSource {
    /// Opens the image at `location`. Fetched blobs are stored in `cache`, or in a temporary
    /// directory in `scratch` that is deleted on drop.
    ///
    /// # Errors
    /// Fails if there is no image, or its location cannot be read.
    pub fn open(
        location: &ImageLocation,
        client: &RegistryClient,
        cache: Option<&BuildCache>,
        scratch: Option<&Path>,
    ) -> Result<Self, BaseError> {
        let source = copy::open_source(location, client)
            .map_err(|error| unreadable_error(&location.to_string(), error))?;
        Ok(Self { location: location.clone(), source, blobs: BlobStore::open(cache, scratch)? })
    }

    /// Returns the digest of the base image's manifest or index.
    ///
    /// # Errors
    /// Fails if it has neither.
    pub fn digest(&self) -> Result<Digest, BaseError> {
        self.source.digest().ok_or_else(|| missing_manifest_error(&self.location_text()))
    }

    /// The repository that has the base image's blobs; `None` if they are not in a registry.
    pub fn repository(&self) -> Option<&ImageReference> {
        match &self.location {
            ImageLocation::Registry(named) => Some(&named.reference),
            ImageLocation::OnDisk(_) | ImageLocation::Engine(_) => None,
        }
    }

    /// Reads the image for `platform`.
    ///
    /// # Errors
    /// Fails if there is none, or its documents are invalid or unsupported.
    pub fn image(&self, platform: &Platform) -> Result<BaseImage, BaseError> {
        let base = self.location_text();
        let parsed = self.source.read_image_for(platform);
        let parsed = parsed.map_err(|error| {
            unreadable_error(&base, copy::CopyError::from_read_error(&self.location, error))
        })?;
        let known = || self.source.index_platforms().iter().map(ToString::to_string).collect();
        let wanted = platform.clone();
        let Some(parsed) = parsed else {
            return Err(BaseError::PlatformUnavailable { base, requested: wanted, available: known() });
        };
        if !parsed.platform.matches_ignoring_variant(platform) {
            return Err(BaseError::PlatformUnavailable {
                base,
                requested: wanted,
                available: vec![parsed.platform.to_string()],
            });
        }
        let unsupported = |why: String, hint: &str| BaseError::Unsupported {
            base: base.clone(),
            why,
            hint: hint.to_owned(),
        };
        let digest = parsed.digest().ok_or_else(|| missing_manifest_error(&base))?;
        let unknown =
            parsed.layers.iter().find_map(|layer| self.source.decompress_layer(layer, io::empty()).err());
        if let Some(error) = unknown {
            return Err(unsupported(error.to_string(), "use another base image, or convert it with skopeo"));
        }
        let layers = layer_descriptors(&parsed).map_err(|why| {
            unsupported(why, "use another base image: container engines cannot run this one either")
        })?;
        let inherited = InheritedConfig::from_config(&parsed.config).map_err(|why| {
            unsupported(why, "use another base image: container engines cannot run this one either")
        })?;
        let image = image::InheritedBase {
            history: inherited_config::inherited_history(&parsed.config, layers.len()),
            config_members: inherited_config::inherited_members(&parsed.config),
            layers,
        };
        Ok(BaseImage {
            name: self.name(),
            digest,
            config: parsed.config.to_string(),
            inherited,
            base_layers: image,
            layers: parsed.layers,
        })
    }

    /// Returns the file system of `image`. Layers that are not stored yet are fetched and
    /// decompressed. Of `progress`, only cancellation is used.
    ///
    /// # Errors
    /// Fails if a layer cannot be fetched, does not match its digests, or `progress` cancels.
    pub fn fetch_file_system(
        &self,
        image: &BaseImage,
        progress: &dyn Progress,
    ) -> Result<ImageFs, BaseError> {
        let mut file_system = ImageFs::default();
        for (layer, (descriptor, diff_id)) in image.layers.iter().zip(&image.base_layers.layers) {
            let failed = |source: io::Error| match Cancelled::is_cause_of(&source) {
                true => BaseError::Cancelled,
                false => BaseError::Layer { base: self.location_text(), digest: descriptor.digest, source },
            };
            if let Some(path) = self.blobs.stored_blob_path(diff_id.digest()) {
                if file_system.apply_layer(&path, diff_id)?.map_err(failed)? {
                    continue;
                }
                // The stored file is damaged.
                self.blobs.remove_blob(diff_id.digest())?;
            }
            let path = self
                .decompress_layer(layer, descriptor, diff_id, file_system.unpacked_size_left(), progress)?
                .map_err(failed)?;
            if !file_system.apply_layer(&path, diff_id)?.map_err(failed)? {
                return Err(failed(io::Error::other("its tar changed while it was read")));
            }
        }
        Ok(file_system)
    }

    /// Fetches and decompresses a layer, and returns the path of its stored tar, which has at most
    /// `limit` bytes.
    fn decompress_layer(
        &self,
        layer: &ParsedLayer,
        descriptor: &Descriptor,
        diff_id: &DiffId,
        limit: u64,
        progress: &dyn Progress,
    ) -> Result<io::Result<PathBuf>, BaseError> {
        let blob = match self.repository().map(|_| self.fetch_blob(descriptor, progress)).transpose()? {
            Some(Err(error)) => return Ok(Err(error)),
            Some(Ok(path)) => Some(path),
            None => None,
        };
        let Ok(_lock) = self.blobs.wait_for_fetch_lock(diff_id.digest(), progress)? else {
            return Err(BaseError::Cancelled);
        };
        if let Some(path) = self.blobs.stored_blob_path(diff_id.digest()) {
            return Ok(Ok(path));
        }
        let tar = match blob {
            Some(path) => {
                std::fs::File::open(&path).and_then(|file| self.source.decompress_layer(layer, file))
            }
            None => self.source.open_tar(layer),
        };
        Ok(match tar {
            Ok(reader) => self.blobs.store_blob(
                diff_id.digest(),
                &mut ProgressReader::new(reader, &CancelOnly(progress)),
                limit,
            )?,
            Err(error) => Err(error),
        })
    }

    /// Fetches a blob from its registry unless it is stored, and returns its path.
    fn fetch_blob(
        &self,
        descriptor: &Descriptor,
        progress: &dyn Progress,
    ) -> Result<io::Result<PathBuf>, BaseError> {
        let Ok(_lock) = self.blobs.wait_for_fetch_lock(descriptor.digest, progress)? else {
            return Err(BaseError::Cancelled);
        };
        if let Some(path) = self.blobs.stored_blob_path(descriptor.digest) {
            if self.blobs.is_blob_intact(descriptor.digest)? {
                return Ok(Ok(path));
            }
            // The stored file is damaged.
            self.blobs.remove_blob(descriptor.digest)?;
        }
        Ok(match self.source.open_blob(descriptor) {
            Ok(reader) => self.blobs.store_blob(
                descriptor.digest,
                &mut ProgressReader::new(reader, &CancelOnly(progress)),
                descriptor.size,
            )?,
            Err(error) => Err(error),
        })
    }

    /// Opens a blob for copying. The caller must verify its digest. A blob from a registry is
    /// stored here first. Of `progress`, only cancellation is used.
    ///
    /// # Errors
    /// Fails if the blob cannot be fetched or read. The inner error may be a registry error.
    pub fn open_blob(&self, descriptor: &Descriptor, progress: &dyn Progress) -> io::Result<Box<dyn Read>> {
        match self.repository() {
            None => self.source.open_blob(descriptor),
            Some(_) => {
                let path = self.fetch_blob(descriptor, progress).map_err(io::Error::other)??;
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
fn layer_descriptors(parsed: &ParsedPlatform) -> Result<Vec<(Descriptor, DiffId)>, String> {
    let diff_ids = inherited_config::diff_ids(&parsed.config)?;
    if diff_ids.len() != parsed.layers.len() {
        let (layers, named) = (parsed.layers.len(), diff_ids.len());
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
    parsed.layers.iter().zip(diff_ids).map(layer).collect()
}

fn missing_manifest_error(base: &str) -> BaseError {
    BaseError::Unsupported {
        base: base.to_owned(),
        why: "it has no OCI manifest, only Docker's `manifest.json`".into(),
        hint: "convert it to an image layout: `skopeo copy docker-archive:FILE oci:DIR`".into(),
    }
}
