//! Remote cache: layers packed by other machines, in a registry repository. They are found by cache
//! key and diff ID, and mounted or fetched instead of compressed again.
//!
//! Fetched layers are decompressed and verified against their diff ID, unless the repository is
//! trusted. Errors here do not fail a build; [`SharedCache::note`] returns them as a warning. This
//! module does not depend on builds.

mod entry;

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use coracle_core::digest::{DiffId, Digest};
use crate::image::{Descriptor, media_type};
use crate::layer::Layer;
use coracle_core::note::Note;
use coracle_core::reference::Reference;
use crate::registry::{self, Access, Client, Content, Remote, Repository, Target, Upload};
use coracle_core::entry::Stratum;
use crate::layout::{self, Staging};
use entry::Entry;

/// Constant part of the allowed compression overhead of a layer, in bytes.
const OVERHEAD: u64 = 64 << 10;

/// Configuration of the remote cache. Tags of the references are ignored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shared {
    /// Repositories to search for layers, in order.
    pub from: Vec<Reference>,
    /// Repository to upload layers to that were packed here.
    pub to: Option<Reference>,
    /// Whether layers are used without verifying their diff ID.
    pub is_trusted: bool,
}

/// A client of the remote cache.
#[derive(Debug)]
pub struct SharedCache {
    from: Vec<Remote>,
    to: Option<Remote>,
    is_trusted: bool,
    trouble: Mutex<Option<String>>,
}

/// A layer found in the remote cache.
#[derive(Debug)]
pub struct Found<'a> {
    remote: &'a Remote,
    entry: Entry,
}

impl SharedCache {
    /// Creates a client without making requests. Uploads may mount layers from the repositories of
    /// `images`.
    pub fn new(shared: &Shared, client: &Client, images: &[Repository]) -> Self {
        let open = |reference: &Reference| client.open(&reference.into(), &Access::Pull);
        let mounts = |to: &Repository| {
            let others = images.iter().filter(|image| image.registry() == to.registry() && *image != to);
            others.map(|image| image.name().to_owned()).collect()
        };
        let to = shared.to.as_ref().map(Repository::from);
        Self {
            from: shared.from.iter().map(open).collect(),
            to: to.map(|to| client.open(&to, &Access::Push { mounts: mounts(&to) })),
            is_trusted: shared.is_trusted,
            trouble: Mutex::default(),
        }
    }

    /// Returns the layers with this cache key from all repositories. Empty after an error.
    pub fn find(&self, cache_key: Digest) -> Vec<Found<'_>> {
        // Do not wait for a failing registry again with every layer.
        if self.trouble.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Vec::new();
        }
        let of =
            |remote| self.entries(remote, cache_key).into_iter().map(move |entry| Found { remote, entry });
        self.from.iter().flat_map(of).collect()
    }

    fn entries(&self, remote: &Remote, cache_key: Digest) -> Vec<Entry> {
        match remote.manifest(Target::Tag(&entry::tag(cache_key))) {
            Ok(manifest) => manifest.map(|manifest| entry::read(&manifest.bytes)).unwrap_or_default(),
            Err(error) => {
                self.failed(remote, &error);
                Vec::new()
            }
        }
    }

    /// Whether layers are used without verifying their diff ID.
    pub fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// Fetches a layer into `staging`. Returns `None` if it cannot be fetched or does not match its
    /// digests. `unpacked` is the size of its tar in bytes.
    ///
    /// # Errors
    /// Fails if `staging` cannot be written.
    pub fn fetch(
        &self,
        found: &Found<'_>,
        unpacked: u64,
        stratum: Stratum,
        staging: &Staging,
    ) -> Result<Option<Layer>, layout::Error> {
        let descriptor = found.entry.descriptor();
        let mut reader = match found.remote.pull_blob(&descriptor.digest, descriptor.size) {
            Ok(reader) => reader,
            Err(error) => {
                self.failed(found.remote, &error);
                return Ok(None);
            }
        };
        if let Err(error) = staging.take(&descriptor, &mut reader)? {
            self.failed(found.remote, &error);
            return Ok(None);
        }
        let layer = found.layer(unpacked, stratum);
        if !self.is_trusted && !staging.holds(&layer)? {
            staging.remove(layer.digest)?;
            self.failed(
                found.remote,
                &io::Error::other(format!(
                    "the contents of the layer `{}` do not match its diff ID",
                    layer.digest
                )),
            );
            return Ok(None);
        }
        Ok(Some(layer))
    }

    /// Uploads a layer that was packed here, from `staging`. It is mounted from one of `images` if
    /// possible.
    pub fn keep(&self, cache_key: Digest, layer: &Layer, staging: &Staging, images: &[Repository]) {
        let Some(remote) = &self.to else { return };
        let entry = Entry::of(layer);
        let here = remote.repository();
        let from = images.iter().find(|image| image.registry() == here.registry() && *image != here);
        let open = staging.opener(layer.digest);
        if let Err(error) = put(remote, cache_key, &entry, &open, from) {
            self.failed(remote, &*error);
        }
    }

    /// Records the first error.
    fn failed(&self, remote: &Remote, error: &dyn std::error::Error) {
        let mut text = format!("the remote cache `{}` was not used: {error}", remote.repository());
        let mut source = error.source();
        while let Some(error) = source {
            text.push_str(&format!(": {error}"));
            source = error.source();
        }
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }

    /// Takes the first error as a warning. Images are correct despite it.
    pub fn note(&self) -> Option<Note> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take().map(Note::Warning)
    }
}

/// Uploads a blob and adds it to the artifact of its cache key.
fn put(
    remote: &Remote,
    cache_key: Digest,
    entry: &Entry,
    open: &(dyn Fn() -> io::Result<Box<dyn Read>> + Sync),
    from: Option<&Repository>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (content, from) = (Content::Stream(open), from.map(Repository::name));
    let Entry { digest, size, .. } = *entry;
    remote.push_blob(&Upload { digest, size, content, from, progress: None })?;
    let (digest, size) = (Digest::of(entry::EMPTY), entry::EMPTY.len() as u64);
    let content = Content::Bytes(entry::EMPTY);
    remote.push_blob(&Upload { digest, size, content, from: None, progress: None })?;
    let tag = entry::tag(cache_key);
    let earlier = remote.manifest(Target::Tag(&tag))?;
    let earlier = earlier.map(|manifest| entry::read(&manifest.bytes)).unwrap_or_default();
    remote.put_manifest(Target::Tag(&tag), media_type::MANIFEST, &entry::write(entry, &earlier)?)?;
    Ok(())
}

impl Found<'_> {
    /// Whether this is the layer with `diff_id`, whose tar has `unpacked` bytes. False if the blob
    /// is much larger than the tar.
    pub fn is(&self, diff_id: DiffId, unpacked: u64) -> bool {
        let most = unpacked.saturating_add(unpacked >> 8).saturating_add(OVERHEAD);
        self.entry.diff_id == diff_id && self.entry.size <= most
    }

    /// The repository that has it.
    pub fn repository(&self) -> &Repository {
        self.remote.repository()
    }

    /// The layer, as described by the remote cache.
    pub fn layer(&self, unpacked: u64, stratum: Stratum) -> Layer {
        let Entry { diff_id, digest, size, media_type } = self.entry;
        Layer { digest, diff_id, size, unpacked, media_type, stratum }
    }

    /// Returns a function that opens the blob.
    pub fn opener(&self) -> impl Fn() -> io::Result<Box<dyn Read>> + Send + Sync + 'static + use<> {
        let (remote, digest, size) = (self.remote.clone(), self.entry.digest, self.entry.size);
        move || {
            let reader: Result<_, registry::Error> = remote.pull_blob(&digest, size);
            Ok(Box::new(reader.map_err(io::Error::other)?))
        }
    }

    /// The descriptor of the blob.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::from(&self.layer(0, Stratum::Program))
    }
}
