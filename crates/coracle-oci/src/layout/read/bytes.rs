//! Bytes of an image wherever it is: on disk, or at a registry.
//!
//! What has a digest is held to it; a layer is, by whoever reads it to its end.

use std::io::{self, Read};

use super::blobs::{self, Blobs, Source};
use super::{MAX_DOCUMENT, Why, json, select};
use coracle_core::digest::Digest;
use crate::image::{Descriptor, Document};
use crate::registry::{self, Referrer, Remote, Target};

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Bytes {
    Disk(Blobs),
    Registry(Remote),
}

impl Bytes {
    /// A manifest or an index; `said` is what names it says that it is.
    pub(super) fn manifest(&self, digest: &Digest, said: &str) -> Result<Document, Why> {
        match self {
            Self::Disk(blobs) => {
                let bytes = blobs.document(digest, MAX_DOCUMENT)?;
                Ok(Document { media_type: media_type(said, &bytes), digest: *digest, bytes })
            }
            Self::Registry(remote) => match remote.manifest(Target::Digest(*digest))? {
                Some(manifest) => Ok(manifest.into()),
                None => Err(missing(remote, digest)),
            },
        }
    }

    /// A small blob, such as a config.
    pub(super) fn document(&self, named: &Descriptor, limit: u64) -> Result<Vec<u8>, Why> {
        match self {
            Self::Disk(blobs) => Ok(blobs.document(&named.digest, limit)?),
            Self::Registry(_) if named.size > limit => {
                let (digest, size) = (named.digest, named.size);
                Err(Why::Said(format!("`{digest}` has {size} bytes, more than the {limit} that it can have")))
            }
            Self::Registry(remote) => {
                let mut bytes = Vec::new();
                let mut reader = remote.pull_blob(&named.digest, named.size)?;
                match reader.read_to_end(&mut bytes) {
                    Ok(_) => Ok(bytes),
                    Err(error) => Err(match error.downcast::<registry::Error>() {
                        Ok(error) => error.into(),
                        Err(error) => Why::Said(format!("`{}` cannot be read: {error}", named.digest)),
                    }),
                }
            }
        }
    }

    /// Opens a blob, whatever its size.
    pub(super) fn blob(&self, named: &Descriptor) -> io::Result<Source> {
        match self {
            Self::Disk(blobs) => {
                let source = blobs.file(&blobs::blob(&named.digest)).map_err(io::Error::other)?;
                source.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
            }
            Self::Registry(remote) => {
                let reader = remote.pull_blob(&named.digest, named.size).map_err(io::Error::other)?;
                Ok(Source::new(named.size, reader))
            }
        }
    }

    /// Manifests whose subject is `subject`, of this kind where one is meant; the newest last.
    pub(super) fn referrers(&self, subject: &Digest, kind: Option<&str>) -> Result<Vec<Referrer>, Why> {
        let is_meant = |referrer: &Referrer| kind.is_none() || referrer.artifact_type.as_deref() == kind;
        let found = match self {
            Self::Registry(remote) => remote.referrers(subject)?,
            Self::Disk(blobs) => {
                let index = blobs.bytes("index.json", MAX_DOCUMENT)?.unwrap_or_default();
                let mut found = Referrer::list(&index).unwrap_or_default();
                found.retain(|entry| entry.artifact_type.is_some() && is_meant(entry));
                let mut about = Vec::new();
                for referrer in found {
                    let manifest = blobs.document(&referrer.digest, MAX_DOCUMENT)?;
                    let manifest = json(&referrer.digest.to_string(), &manifest)?;
                    let named = manifest.get("subject").map(select::digest).transpose()?;
                    about.extend((named == Some(*subject)).then_some(referrer));
                }
                about
            }
        };
        Ok(found.into_iter().filter(is_meant).collect())
    }
}

fn missing(remote: &Remote, digest: &Digest) -> Why {
    registry::Error::Missing { repository: remote.repository().clone(), digest: *digest }.into()
}

/// What a document says it is counts before what is said of it; registries compare the two.
fn media_type(said: &str, bytes: &[u8]) -> String {
    let own = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let own = own.as_ref().and_then(|document| document.get("mediaType")?.as_str());
    own.unwrap_or(said).to_owned()
}
