//! Bytes of an image wherever it is: on disk, or at a registry.
//!
//! What has a digest is held to it; a layer is, by whoever reads it to its end.

use std::io::{self, Read};

use super::blobs::{self, Blobs, Source};
use super::{MAX_DOCUMENT, Why, json, select};
use crate::digest::Digest;
use crate::image::{Descriptor, Document};
use crate::registry::{self, Remote, Target};

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

    /// Manifests of this kind whose subject is `subject`, the newest last.
    pub(super) fn referrers(&self, kind: &str, subject: &Digest) -> Result<Vec<Digest>, Why> {
        match self {
            Self::Disk(blobs) => {
                let Some(index) = blobs.bytes("index.json", MAX_DOCUMENT)? else { return Ok(Vec::new()) };
                let index = json("index.json", &index)?;
                select::artifacts(&index, kind).map(|entry| Ok(select::digest(entry)?)).collect()
            }
            Self::Registry(remote) => {
                let all = remote.referrers(subject)?.into_iter();
                let of_kind = all.filter(|referrer| referrer.artifact_type.as_deref() == Some(kind));
                Ok(of_kind.map(|referrer| referrer.digest).collect())
            }
        }
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
