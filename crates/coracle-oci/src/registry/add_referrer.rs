//! Adds referrers to a manifest: registries with the referrers API list them by themselves, for others
//! the client updates the index at the referrers tag. Source: distribution-spec, "Pushing Manifests
//! with Subject", "Referrers Tag Schema".

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::RepositoryClient;
use super::error::RegistryError;
use super::manifests::{ManifestReference, absent_if_hidden};
use super::referrers::parse_response;
use super::request::RequestSummary;
use crate::image::{RawManifest, media_type};
use coracle_core::digest::Digest;
use coracle_core::json;

/// The maximum number of times that the index at a referrers tag is written. Each of several clients
/// that write at the same time succeeds after at most as many attempts as there are clients.
const MAX_TAG_WRITES: u32 = 16;

/// The fields of a manifest that its descriptor in a referrers list is made from.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReferrerManifest {
    subject: Option<Subject>,
    artifact_type: Option<String>,
    config: Option<ConfigDescriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Subject {
    digest: SubjectDigest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigDescriptor {
    media_type: String,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct SubjectDigest(Digest);

impl TryFrom<String> for SubjectDigest {
    type Error = coracle_core::digest::ParseDigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// The index at a referrers tag.
pub(super) struct TaggedIndex {
    pub(super) document: Value,
    /// The strong `ETag` of the response, for a conditional update.
    etag: Option<String>,
}

/// A manifest with the entry that describes it in a list of referrers.
struct NewReferrer {
    subject: Digest,
    digest: Digest,
    entry: Value,
}

impl NewReferrer {
    fn parse(manifest: &RawManifest) -> Result<Self, RegistryError> {
        let RawManifest { media_type, digest, bytes } = manifest;
        let no_subject = || RegistryError::NoSubject { digest: *digest };
        let document: ReferrerManifest = serde_json::from_slice(bytes).map_err(|_| no_subject())?;
        let subject = document.subject.ok_or_else(no_subject)?.digest.0;
        let kind = document.artifact_type.or(document.config.map(|config| config.media_type));
        let mut entry = json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()});
        if let Value::Object(entry) = &mut entry {
            entry.extend(kind.map(|kind| ("artifactType".to_owned(), kind.into())));
            entry.extend(document.annotations.map(|all| ("annotations".to_owned(), json!(all))));
        }
        Ok(Self { subject, digest: *digest, entry })
    }
}

impl RepositoryClient {
    /// Pushes a manifest that has a `subject`, as [`RepositoryClient::add_referrers`] does.
    ///
    /// # Errors
    /// Fails like [`RepositoryClient::add_referrers`].
    pub fn add_referrer(&self, media_type: &str, bytes: &[u8]) -> Result<Digest, RegistryError> {
        let digest = Digest::compute(bytes);
        self.add_referrers(&[RawManifest { media_type: media_type.into(), digest, bytes: bytes.into() }])?;
        Ok(digest)
    }

    /// Pushes manifests that have a `subject`. If the registry does not list them among the referrers
    /// of their subjects, they are added to the indexes at the referrers tags. Their blobs must have
    /// been pushed before.
    ///
    /// # Errors
    /// Fails if a manifest has no subject, a request fails, or other clients keep overwriting an
    /// index.
    pub fn add_referrers(&self, manifests: &[RawManifest]) -> Result<(), RegistryError> {
        let mut unlisted: BTreeMap<Digest, Vec<NewReferrer>> = BTreeMap::new();
        let parsed: Vec<NewReferrer> = manifests.iter().map(NewReferrer::parse).collect::<Result<_, _>>()?;
        for (referrer, manifest) in parsed.into_iter().zip(manifests) {
            let RawManifest { media_type, digest, bytes } = manifest;
            if !self.put_manifest_with_subject(ManifestReference::Digest(*digest), media_type, bytes)?.1 {
                unlisted.entry(referrer.subject).or_default().push(referrer);
            }
        }
        for (subject, mut referrers) in unlisted {
            // Some registries have the API, but do not send `OCI-Subject`.
            if let Some(listed) = self.list_by_api(&subject)? {
                referrers.retain(|referrer| !listed.iter().any(|entry| entry.digest == referrer.digest));
            }
            if !referrers.is_empty() {
                self.add_to_tagged_index(&subject, &referrers)?;
            }
        }
        Ok(())
    }

    /// Adds entries to the index at the referrers tag.
    ///
    /// Most registries ignore conditions of a `PUT`, so another client that has read the index before
    /// this one wrote it may still overwrite it. It does so right after its read. The index is
    /// therefore read again after a pause that is longer than a read and a write, and entries that are
    /// gone are added again.
    fn add_to_tagged_index(&self, subject: &Digest, added: &[NewReferrer]) -> Result<(), RegistryError> {
        for _ in 0..MAX_TAG_WRITES {
            let start = Instant::now();
            let TaggedIndex { document: mut index, etag } = self.read_tagged_index(subject)?;
            let missing: Vec<Value> = added
                .iter()
                .filter(|referrer| !has_entry(&index, &referrer.digest))
                .map(|referrer| referrer.entry.clone())
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            if let Some(Value::Array(manifests)) = index.get_mut("manifests") {
                manifests.extend(missing);
            }
            self.write_tagged_index(subject, &index, etag.as_deref())?;
            std::thread::sleep(self.pause_after_write(start.elapsed()));
        }
        let TaggedIndex { document: index, .. } = self.read_tagged_index(subject)?;
        if added.iter().all(|referrer| has_entry(&index, &referrer.digest)) {
            return Ok(());
        }
        let (repository, tag) = (self.repository().clone(), referrers_tag(subject));
        Err(RegistryError::TagConflict { repository, tag })
    }

    /// The pause after a write of an index: longer than `elapsed`, the time of its read and its write.
    fn pause_after_write(&self, elapsed: Duration) -> Duration {
        let policy = self.client().settings().retry_policy;
        elapsed.max(policy.initial_delay).saturating_mul(2).min(policy.max_delay)
    }

    /// Writes the index at the referrers tag. A registry that evaluates `If-Match` rejects the write if
    /// the index has changed since it was read; the caller reads it again in any case.
    fn write_tagged_index(
        &self,
        subject: &Digest,
        index: &Value,
        etag: Option<&str>,
    ) -> Result<(), RegistryError> {
        let bytes = json::to_bytes(index)
            .map_err(|_| RegistryError::Internal("an index of referrers cannot be serialized"))?;
        let tag = referrers_tag(subject);
        match self.put_manifest_if_match(ManifestReference::Tag(&tag), media_type::INDEX, &bytes, etag) {
            Err(RegistryError::Refused { refusal, .. }) if refusal.status == 412 => Ok(()),
            result => result.map(drop),
        }
    }

    /// The index at the referrers tag, or an empty index.
    pub(super) fn read_tagged_index(&self, subject: &Digest) -> Result<TaggedIndex, RegistryError> {
        let tag = referrers_tag(subject);
        let found = absent_if_hidden(self.pull_manifest_with_etag(ManifestReference::Tag(&tag)))?;
        let Some((manifest, etag)) = found else {
            let document = json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": []});
            return Ok(TaggedIndex { document, etag: None });
        };
        let request = RequestSummary {
            repository: self.repository().clone(),
            method: "GET".into(),
            path: format!("/v2/{}/manifests/{tag}", self.repository().name()),
            host: None,
        };
        Ok(TaggedIndex { document: parse_response(&manifest.bytes, &request)?, etag })
    }
}

/// The referrers tag of `subject`. Source: distribution-spec, "Referrers Tag Schema".
fn referrers_tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

fn has_entry(index: &Value, digest: &Digest) -> bool {
    let digest = digest.to_string();
    let mut manifests = index.get("manifests").and_then(Value::as_array).into_iter().flatten();
    manifests.any(|entry| entry.get("digest").and_then(Value::as_str) == Some(&digest))
}
