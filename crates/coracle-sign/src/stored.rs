//! The signatures and attestations that are stored with an image.

use coracle_core::digest::Digest;
use coracle_core::json;
use coracle_oci::image::{Artifact, Descriptor};
use coracle_oci::layout::{ImageSource, LayoutError};

use crate::bundle::{self, Bundle};
use crate::error::SignatureError;
use crate::public_key::PublicKey;
use crate::signer::Attestation;
use crate::statement::{CYCLONE_DX, SPDX, Statement};

/// The artifact types of unsigned SBOMs, and the predicate types under which they are signed.
pub const SBOM_TYPES: [(&str, &str); 2] =
    [("application/spdx+json", SPDX), ("application/vnd.cyclonedx+json", CYCLONE_DX)];

/// The artifact type of unsigned in-toto statements.
pub const STATEMENT_TYPE: &str = "application/vnd.in-toto+json";

/// The signatures of an image, checked against a key.
#[derive(Debug, Default)]
pub struct CheckedSignatures {
    /// The statements that the key has signed, with the digests of their artifacts.
    pub verified: Vec<(Digest, Statement)>,
    /// Other signatures, and why they do not count.
    pub rejected: Vec<(Digest, RejectedSignature)>,
}

/// Why a signature does not count.
#[derive(Debug, thiserror::Error)]
pub enum RejectedSignature {
    /// It is invalid, or made with another key.
    #[error(transparent)]
    Invalid(#[from] SignatureError),
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] LayoutError),
}

/// Checks all bundles about `image` against `key`.
///
/// # Errors
/// Fails if they cannot be listed.
pub fn check_signatures(
    source: &ImageSource,
    image: &Digest,
    key: &PublicKey,
) -> Result<CheckedSignatures, LayoutError> {
    let mut checked = CheckedSignatures::default();
    source.read_artifacts(bundle::MEDIA_TYPE, image, &mut |artifact, content| {
        let verify = |content: Vec<u8>| Ok(Bundle::parse(&content)?.verify(key, image)?);
        match content.map_err(RejectedSignature::from).and_then(verify) {
            Ok(statement) => checked.verified.push((artifact, statement)),
            Err(why) => checked.rejected.push((artifact, why)),
        }
    })?;
    Ok(checked)
}

impl Attestation {
    /// Returns the SBOM or statement in `artifact`, to be signed. `None` if it is another document.
    pub fn from_artifact(artifact: &Artifact) -> Option<Self> {
        let descriptor = artifact.descriptor();
        let content = artifact.content_blobs().last()?.bytes();
        let (predicate_type, predicate) = match descriptor.artifact_type.as_deref()? {
            STATEMENT_TYPE => {
                let statement = Statement::parse(content).ok()?;
                (statement.predicate_type, statement.predicate)
            }
            kind => {
                let (_, predicate_type) = SBOM_TYPES.iter().find(|(known, _)| *known == kind)?;
                ((*predicate_type).to_owned(), json::parse(content).ok()?)
            }
        };
        let subject = artifact.subject().clone();
        Some(Self { subject, artifact: descriptor, predicate_type, predicate })
    }
}

/// Returns the unsigned SBOMs and statements about `image` that can be signed. Documents that are not JSON
/// are left out.
///
/// # Errors
/// Fails if they cannot be listed or read.
pub fn unsigned_attestations(
    source: &ImageSource,
    image: &Descriptor,
) -> Result<Vec<Attestation>, LayoutError> {
    let mut found = Vec::new();
    for referrer in source.referrers(&image.digest)? {
        let artifact = Descriptor::from(&referrer);
        for (kind, predicate_type) in SBOM_TYPES.iter().copied().chain([(STATEMENT_TYPE, "")]) {
            let Some(content) = source.read_artifact(&referrer, kind, &image.digest)? else { continue };
            let attestation = match predicate_type {
                "" => Statement::parse(&content)
                    .ok()
                    .filter(|statement| statement.is_about(&image.digest))
                    .map(|statement| (statement.predicate_type, statement.predicate)),
                known => json::parse(&content).ok().map(|document| (known.to_owned(), document)),
            };
            found.extend(attestation.map(|(predicate_type, predicate)| Attestation {
                subject: image.clone(),
                artifact: artifact.clone(),
                predicate_type,
                predicate,
            }));
        }
    }
    Ok(found)
}
