//! Reads manifests and blobs of an image on disk or at a registry.
//!
//! Documents are verified by their digest. The digest of a layer must be verified by the caller
//! that reads it to its end.

use std::io::{self, Read};

use super::blobs::{self, Blobs, Source};
use super::{MAX_DOCUMENT, Why, json, select};
use coracle_core::digest::Digest;
use crate::image::{Descriptor, Document};
use crate::registry::{self, Referrer, Remote, Target};

/// The storage that an image is read from.
#[derive(Debug)]
pub(super) enum Bytes {
    Disk(Blobs),
    Registry(Remote),
}

impl Bytes {
    /// Reads a manifest or an index. `declared` is the media type in the descriptor, which is used
    /// if the document has none.
    pub(super) fn manifest(&self, digest: &Digest, declared: &str) -> Result<Document, Why> {
        match self {
            Self::Disk(blobs) => {
                let bytes = blobs.document(digest, MAX_DOCUMENT)?;
                Ok(Document { media_type: media_type(declared, &bytes), digest: *digest, bytes })
            }
            Self::Registry(remote) => match remote.manifest(Target::Digest(*digest))? {
                Some(manifest) => Ok(manifest.into()),
                None => Err(missing(remote, digest)),
            },
        }
    }

    /// Reads a small blob, such as a config, of at most `limit` bytes.
    pub(super) fn document(&self, named: &Descriptor, limit: u64) -> Result<Vec<u8>, Why> {
        match self {
            Self::Disk(blobs) => Ok(blobs.document(&named.digest, limit)?),
            Self::Registry(_) if named.size > limit => {
                let (digest, size) = (named.digest, named.size);
                Err(Why::Said(format!("`{digest}` has {size} bytes, more than the limit of {limit}")))
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

    /// Opens a blob of any size.
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

    /// Returns the manifests whose subject is `subject`, optionally of one artifact type; the
    /// newest is last.
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

/// Returns the media type in the document, or else that of its descriptor. Registries require that
/// they are equal.
fn media_type(declared: &str, bytes: &[u8]) -> String {
    let own = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let own = own.as_ref().and_then(|document| document.get("mediaType")?.as_str());
    own.unwrap_or(declared).to_owned()
}
