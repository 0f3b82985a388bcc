//! Reads manifests and blobs of an image on disk or at a registry.
//!
//! Documents are verified by their digest. The digest of a layer must be verified by the caller
//! that reads it to its end.

use std::io::{self, Read};

use serde_json::Value;

use super::disk_blobs::{self, DiskBlobs, SizedReader};
use super::read_failure::{ReadFailure, parse_json};
use super::select_entry;
use crate::image::{Descriptor, MAX_DOCUMENT_SIZE, RawManifest, check_document_kind};
use crate::registry::{self, MAX_REFERRERS, ManifestReference, Referrer, RepositoryClient};
use coracle_core::digest::Digest;
use coracle_core::json;

/// The storage that an image is read from.
#[derive(Debug)]
pub(super) enum BlobSource {
    Disk(DiskBlobs),
    Registry(RepositoryClient),
}

impl BlobSource {
    /// Reads a manifest or an index. `declared` is the media type in the descriptor, which is used
    /// if the document has none.
    pub(super) fn read_manifest(&self, digest: &Digest, declared: &str) -> Result<RawManifest, ReadFailure> {
        match self {
            Self::Disk(blobs) => {
                let bytes = blobs.read_document(digest, MAX_DOCUMENT_SIZE)?;
                check_document_kind(declared, &bytes).map_err(|why| format!("`{digest}`: {why}"))?;
                Ok(RawManifest { media_type: effective_media_type(declared, &bytes), digest: *digest, bytes })
            }
            Self::Registry(remote) => {
                let manifest = remote.pull_manifest(ManifestReference::Digest(*digest))?;
                manifest.ok_or_else(|| missing_manifest(remote, digest))
            }
        }
    }

    /// Reads a small blob, such as a config, of at most `limit` bytes.
    pub(super) fn read_small_blob(&self, named: &Descriptor, limit: u64) -> Result<Vec<u8>, ReadFailure> {
        match self {
            Self::Disk(blobs) => Ok(blobs.read_document(&named.digest, limit)?),
            Self::Registry(_) if named.size > limit => {
                let (digest, size) = (named.digest, named.size);
                Err(ReadFailure::Message(format!(
                    "`{digest}` has {size} bytes, more than the limit of {limit}"
                )))
            }
            Self::Registry(remote) => {
                let mut bytes = Vec::new();
                let mut reader = remote.pull_blob(&named.digest, named.size)?;
                match reader.read_to_end(&mut bytes) {
                    Ok(_) => Ok(bytes),
                    Err(error) => Err(match error.downcast::<registry::RegistryError>() {
                        Ok(error) => error.into(),
                        Err(error) => {
                            ReadFailure::Message(format!("`{}` cannot be read: {error}", named.digest))
                        }
                    }),
                }
            }
        }
    }

    /// Opens a blob of any size.
    pub(super) fn open_blob(&self, named: &Descriptor) -> io::Result<SizedReader> {
        match self {
            Self::Disk(blobs) => {
                let source =
                    blobs.open_file(&disk_blobs::blob_file_name(&named.digest)).map_err(io::Error::other)?;
                source.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
            }
            Self::Registry(remote) => {
                let reader = remote.pull_blob(&named.digest, named.size).map_err(io::Error::other)?;
                Ok(SizedReader::new(named.size, reader))
            }
        }
    }

    /// Returns the manifests whose subject is `subject`; the newest is last.
    pub(super) fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, ReadFailure> {
        let blobs = match self {
            Self::Registry(remote) => return Ok(remote.referrers(subject)?),
            Self::Disk(blobs) => blobs,
        };
        let index = blobs.read_file("index.json", MAX_DOCUMENT_SIZE)?.unwrap_or_default();
        let mut found = Vec::new();
        for referrer in Referrer::parse_index(&index).unwrap_or_default() {
            let manifest = match blobs.read_document(&referrer.digest, MAX_DOCUMENT_SIZE) {
                // Without an artifact type, it is probably another image.
                Err(_) if referrer.artifact_type.is_none() => continue,
                manifest => parse_json(&referrer.digest.to_string(), &manifest?)?,
            };
            let named = manifest.get("subject").map(select_entry::parse_digest).transpose()?;
            found.extend((named == Some(*subject)).then_some(referrer));
        }
        if found.len() > MAX_REFERRERS {
            let why = format!("`{subject}` has more than {MAX_REFERRERS} referrers");
            return Err(ReadFailure::Message(why));
        }
        Ok(found)
    }

    /// Reads the manifest of a referrer of `subject`. `None` if it is about another image: registries are
    /// not trusted.
    pub(super) fn read_referrer(
        &self,
        referrer: &Referrer,
        subject: &Digest,
    ) -> Result<Option<Value>, ReadFailure> {
        let Referrer { digest, media_type, .. } = referrer;
        let manifest = parse_json(&digest.to_string(), &self.read_manifest(digest, media_type)?.bytes)?;
        let named = manifest.get("subject").map(select_entry::parse_digest).transpose()?;
        Ok((named == Some(*subject)).then_some(manifest))
    }
}

fn missing_manifest(remote: &RepositoryClient, digest: &Digest) -> ReadFailure {
    registry::RegistryError::MissingManifest { repository: remote.repository().clone(), digest: *digest }
        .into()
}

/// Returns the media type in the document, or else in its descriptor. Registries require that they
/// are equal.
fn effective_media_type(declared: &str, bytes: &[u8]) -> String {
    let own = json::parse(bytes).ok();
    let own = own.as_ref().and_then(|document| document.get("mediaType")?.as_str());
    own.unwrap_or(declared).to_owned()
}
