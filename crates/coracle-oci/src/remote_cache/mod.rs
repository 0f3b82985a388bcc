//! Remote cache: layers packed by other machines, in a registry repository. They are found by cache
//! key and diff ID, and mounted or fetched instead of compressed again.
//!
//! Fetched layers are decompressed and verified against their diff ID and the frames of the encoder,
//! unless the repository is trusted. Errors here do not fail a build; [`RemoteCache::take_warning`] returns them as a
//! warning. This module does not depend on builds.

mod remote_cache_entry;

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use crate::image::{Descriptor, media_type};
use crate::layer::{Codec, Layer, PackRequest};
use crate::layout::{self, Staging};
use crate::registry::{
    self, Access, BlobContent, BlobUpload, ManifestReference, RegistryClient, Repository, RepositoryClient,
};
use coracle_core::digest::{DiffId, Digest};
use coracle_core::entry::LayerKind;
use coracle_core::note::Note;
use coracle_core::reference::ImageReference;
use remote_cache_entry::RemoteCacheEntry;

/// Constant part of the allowed compression overhead of a layer, in bytes.
const MAX_COMPRESSION_OVERHEAD: u64 = 64 << 10;

/// Configuration of the remote cache. Tags of the references are ignored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RemoteCacheConfig {
    /// Repositories to search for layers, in order.
    pub sources: Vec<ImageReference>,
    /// Repository to upload layers to that were packed here.
    pub target: Option<ImageReference>,
    /// `true` if layers are used without verifying their contents.
    pub is_trusted: bool,
}

/// A client of the remote cache.
#[derive(Debug)]
pub struct RemoteCache {
    sources: Vec<RepositoryClient>,
    target: Option<RepositoryClient>,
    is_trusted: bool,
    first_error: Mutex<Option<String>>,
}

/// A layer found in the remote cache.
#[derive(Debug)]
pub struct RemoteLayer<'a> {
    remote: &'a RepositoryClient,
    entry: RemoteCacheEntry,
}

impl RemoteCache {
    /// Creates a client without making requests. Uploads may mount layers from the repositories of
    /// `images`.
    pub fn new(config: &RemoteCacheConfig, client: &RegistryClient, images: &[Repository]) -> Self {
        let open = |reference: &ImageReference| client.repository_client(&reference.into(), &Access::Pull);
        let mounts = |to: &Repository| {
            let others = images.iter().filter(|image| image.registry() == to.registry() && *image != to);
            others.map(|image| image.name().to_owned()).collect()
        };
        let to = config.target.as_ref().map(Repository::from);
        Self {
            sources: config.sources.iter().map(open).collect(),
            target: to.map(|to| client.repository_client(&to, &Access::Push { mounts: mounts(&to) })),
            is_trusted: config.is_trusted,
            first_error: Mutex::default(),
        }
    }

    /// Returns the layers with this cache key from all repositories. Empty after an error.
    pub fn find_layers(&self, cache_key: Digest) -> Vec<RemoteLayer<'_>> {
        // Do not wait for a failing registry again with every layer.
        if self.first_error.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Vec::new();
        }
        let of = |remote| {
            self.read_entries(remote, cache_key).into_iter().map(move |entry| RemoteLayer { remote, entry })
        };
        self.sources.iter().flat_map(of).collect()
    }

    fn read_entries(&self, remote: &RepositoryClient, cache_key: Digest) -> Vec<RemoteCacheEntry> {
        // The first build fills a repository that may be hidden until then.
        let is_filled_here =
            self.target.as_ref().is_some_and(|target| target.repository() == remote.repository());
        match remote.pull_manifest(ManifestReference::Tag(&remote_cache_entry::artifact_tag(cache_key))) {
            Ok(manifest) => manifest
                .map(|manifest| remote_cache_entry::parse_artifact(&manifest.bytes))
                .unwrap_or_default(),
            Err(error) if is_filled_here && error.may_hide_absence() => Vec::new(),
            Err(error) => {
                self.record_error(remote, &error);
                Vec::new()
            }
        }
    }

    /// Returns whether layers are used without verifying their contents.
    pub fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// Fetches a layer into `staging`. Returns `None` if it cannot be fetched, does not match its
    /// digests, or was not packed as `request` says. `unpacked` is the size of its tar in bytes.
    ///
    /// # Errors
    /// Fails if `staging` cannot be written, or the progress of `request` cancels.
    pub fn fetch_layer(
        &self,
        found: &RemoteLayer<'_>,
        unpacked: u64,
        request: &PackRequest<'_>,
        staging: &Staging,
    ) -> Result<Option<Layer>, layout::LayoutError> {
        let descriptor = found.entry.descriptor();
        let mut reader = match found.remote.pull_blob(&descriptor.digest, descriptor.size) {
            Ok(reader) => reader,
            Err(error) => {
                self.record_error(found.remote, &error);
                return Ok(None);
            }
        };
        if let Err(error) = staging.put_blob(&descriptor, &mut reader)? {
            self.record_error(found.remote, &error);
            return Ok(None);
        }
        let layer = found.layer(unpacked, request.kind);
        if !self.is_trusted && !staging.is_packed_here(&layer, request.compression, request.progress)? {
            staging.remove_blob(layer.digest)?;
            self.record_error(
                found.remote,
                &io::Error::other(format!(
                    "the layer `{}` does not have the expected contents, packed as this version does",
                    layer.digest
                )),
            );
            return Ok(None);
        }
        Ok(Some(layer))
    }

    /// Uploads a layer that was packed here, from `staging`. It is mounted from one of `images` if
    /// possible.
    pub fn upload_layer(&self, cache_key: Digest, layer: &Layer, staging: &Staging, images: &[Repository]) {
        let Some(remote) = &self.target else { return };
        let entry = RemoteCacheEntry::from_layer(layer);
        let here = remote.repository();
        let from = images.iter().find(|image| image.registry() == here.registry() && *image != here);
        let open = staging.blob_opener(layer.digest);
        if let Err(error) = push_layer(remote, cache_key, &entry, &open, from) {
            self.record_error(remote, &*error);
        }
    }

    /// Records the first error.
    fn record_error(&self, remote: &RepositoryClient, error: &dyn std::error::Error) {
        let mut text = format!("the remote cache `{}` was not used: {error}", remote.repository());
        let mut source = error.source();
        while let Some(error) = source {
            text.push_str(&format!(": {error}"));
            source = error.source();
        }
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }

    /// Takes the first error as a warning. Images are correct despite it.
    pub fn take_warning(&self) -> Option<Note> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).take().map(Note::Warning)
    }
}

/// Uploads a blob and adds it to the artifact of its cache key.
fn push_layer(
    remote: &RepositoryClient,
    cache_key: Digest,
    entry: &RemoteCacheEntry,
    open: &(dyn Fn() -> io::Result<Box<dyn Read>> + Sync),
    from: Option<&Repository>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (content, from) = (BlobContent::Stream(open), from.map(Repository::name));
    let RemoteCacheEntry { digest, size, .. } = *entry;
    remote.push_blob(&BlobUpload { digest, size, content, mount_from: from, progress: &() })?;
    let (digest, size) =
        (Digest::compute(remote_cache_entry::EMPTY_CONFIG), remote_cache_entry::EMPTY_CONFIG.len() as u64);
    let content = BlobContent::Bytes(remote_cache_entry::EMPTY_CONFIG);
    remote.push_blob(&BlobUpload { digest, size, content, mount_from: None, progress: &() })?;
    let tag = remote_cache_entry::artifact_tag(cache_key);
    let earlier = match remote.pull_manifest(ManifestReference::Tag(&tag)) {
        Err(error) if error.may_hide_absence() => None,
        earlier => earlier?,
    };
    let earlier =
        earlier.map(|manifest| remote_cache_entry::parse_artifact(&manifest.bytes)).unwrap_or_default();
    remote.put_manifest(
        ManifestReference::Tag(&tag),
        media_type::MANIFEST,
        &remote_cache_entry::serialize_artifact(entry, &earlier)?,
    )?;
    Ok(())
}

impl RemoteLayer<'_> {
    /// Returns whether this layer has the diff ID `diff_id`, a tar of `unpacked` bytes, and this codec.
    /// False if the blob is much larger than the tar.
    pub fn matches(&self, diff_id: DiffId, unpacked: u64, codec: Codec) -> bool {
        let most = unpacked.saturating_add(unpacked >> 8).saturating_add(MAX_COMPRESSION_OVERHEAD);
        self.entry.diff_id == diff_id
            && self.entry.media_type == codec.media_type()
            && self.entry.size <= most
    }

    /// The repository that has the layer.
    pub fn repository(&self) -> &Repository {
        self.remote.repository()
    }

    /// Returns the layer as the remote cache describes it.
    pub fn layer(&self, unpacked: u64, kind: LayerKind) -> Layer {
        let RemoteCacheEntry { diff_id, digest, size, media_type } = self.entry;
        Layer { digest, diff_id, size, unpacked_size: unpacked, media_type, kind }
    }

    /// Returns a function that opens the blob.
    pub fn blob_opener(&self) -> impl Fn() -> io::Result<Box<dyn Read>> + Send + Sync + 'static + use<> {
        let (remote, digest, size) = (self.remote.clone(), self.entry.digest, self.entry.size);
        move || {
            let reader: Result<_, registry::RegistryError> = remote.pull_blob(&digest, size);
            Ok(Box::new(reader.map_err(io::Error::other)?))
        }
    }

    /// The descriptor of the blob.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::from(&self.layer(0, LayerKind::Program))
    }
}
