//! Layers that other machines have packed, in a repository of a registry: found by their shape and their diff ID, and
//! mounted or fetched in place of being compressed again.
//!
//! What is fetched is unpacked and held to its diff ID, unless who fills the repository is trusted. Whatever goes wrong
//! here costs time and never an image; [`SharedCache::note`] says so. It does not know what a build is.

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

/// Bytes that a layer can have more than its tar, besides a part of it.
const OVERHEAD: u64 = 64 << 10;

/// Which repositories are used, and how. Tags of the references do not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shared {
    /// Where layers are looked for, in this order.
    pub from: Vec<Reference>,
    /// Where layers are kept that had to be packed here.
    pub to: Option<Reference>,
    /// Whether layers are taken without being unpacked to see what is in them.
    pub is_trusted: bool,
}

/// The repositories while images are built.
#[derive(Debug)]
pub struct SharedCache {
    from: Vec<Remote>,
    to: Option<Remote>,
    is_trusted: bool,
    trouble: Mutex<Option<String>>,
}

/// A layer in a repository.
#[derive(Debug)]
pub struct Found<'a> {
    remote: &'a Remote,
    entry: Entry,
}

impl SharedCache {
    /// Nobody is asked yet. Layers may be mounted from the repositories of `images`.
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

    /// The layers of a shape that were packed somewhere.
    pub fn find(&self, shape: Digest) -> Vec<Found<'_>> {
        // Who did not answer would be waited for with every layer.
        if self.trouble.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Vec::new();
        }
        let of = |remote| self.entries(remote, shape).into_iter().map(move |entry| Found { remote, entry });
        self.from.iter().flat_map(of).collect()
    }

    fn entries(&self, remote: &Remote, shape: Digest) -> Vec<Entry> {
        match remote.manifest(Target::Tag(&entry::tag(shape))) {
            Ok(manifest) => manifest.map(|manifest| entry::read(&manifest.bytes)).unwrap_or_default(),
            Err(error) => {
                self.failed(remote, &error);
                Vec::new()
            }
        }
    }

    /// Whether what is found is what it says, without looking.
    pub fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// Fetches a layer into `staging`; nothing where it can't be had, or is not what it should be.
    ///
    /// # Errors
    /// When it can't be written.
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
                &io::Error::other(format!("`{}` is not the layer that it is said to be", layer.digest)),
            );
            return Ok(None);
        }
        Ok(Some(layer))
    }

    /// Keeps a layer that was packed here, whose blob waits in `staging`.
    pub fn keep(&self, shape: Digest, layer: &Layer, staging: &Staging, images: &[Repository]) {
        let Some(remote) = &self.to else { return };
        let entry = Entry::of(layer);
        let here = remote.repository();
        let from = images.iter().find(|image| image.registry() == here.registry() && *image != here);
        let open = staging.opener(layer.digest);
        if let Err(error) = put(remote, shape, &entry, &open, from) {
            self.failed(remote, &*error);
        }
    }

    /// Remembers the first thing that went wrong.
    fn failed(&self, remote: &Remote, error: &dyn std::error::Error) {
        let mut text = format!("the shared cache `{}` could not help: {error}", remote.repository());
        let mut source = error.source();
        while let Some(error) = source {
            text.push_str(&format!(": {error}"));
            source = error.source();
        }
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }

    /// What went wrong; the image is right all the same.
    pub fn note(&self) -> Option<Note> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take().map(Note::Warning)
    }
}

/// Sends a blob, and names it in front of the others of its shape.
fn put(
    remote: &Remote,
    shape: Digest,
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
    let tag = entry::tag(shape);
    let earlier = remote.manifest(Target::Tag(&tag))?;
    let earlier = earlier.map(|manifest| entry::read(&manifest.bytes)).unwrap_or_default();
    remote.put_manifest(Target::Tag(&tag), media_type::MANIFEST, &entry::write(entry, &earlier)?)?;
    Ok(())
}

impl Found<'_> {
    /// Whether it is the layer of these contents, a tar of `unpacked` bytes; what is much larger than that is none.
    pub fn is(&self, diff_id: DiffId, unpacked: u64) -> bool {
        let most = unpacked.saturating_add(unpacked >> 8).saturating_add(OVERHEAD);
        self.entry.diff_id == diff_id && self.entry.size <= most
    }

    /// Where it is.
    pub fn repository(&self) -> &Repository {
        self.remote.repository()
    }

    /// The layer, as it is said to be.
    pub fn layer(&self, unpacked: u64, stratum: Stratum) -> Layer {
        let Entry { diff_id, digest, size, media_type } = self.entry;
        Layer { digest, diff_id, size, unpacked, media_type, stratum }
    }

    /// Opens its blob.
    pub fn opener(&self) -> impl Fn() -> io::Result<Box<dyn Read>> + Send + Sync + 'static + use<> {
        let (remote, digest, size) = (self.remote.clone(), self.entry.digest, self.entry.size);
        move || {
            let reader: Result<_, registry::Error> = remote.pull_blob(&digest, size);
            Ok(Box::new(reader.map_err(io::Error::other)?))
        }
    }

    /// Names its blob.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::from(&self.layer(0, Stratum::Program))
    }
}
