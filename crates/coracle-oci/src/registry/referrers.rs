//! Referrers of a manifest, through the referrers API or, for registries without it, the referrers
//! tag. Source: distribution-spec, "Listing Referrers", "Referrers Tag Schema".

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::client::{ReceivedDocument, RepositoryClient};
use super::error::RegistryError;
use super::manifests::{MAX_MANIFEST_BYTES, ManifestReference, absent_if_hidden};
use super::request::{OutgoingRequest, RequestSummary, RequestTarget};
use crate::image::media_type;
use coracle_core::digest::Digest;
use coracle_core::json;

/// The maximum number of pages of a referrers list that are read.
const MAX_PAGES: usize = 100;

/// The descriptor of a manifest that has a `subject`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Referrer {
    /// The media type of the manifest.
    pub media_type: String,
    /// The digest of the manifest.
    pub digest: Digest,
    /// The size of the manifest in bytes.
    pub size: u64,
    /// The artifact type, such as the type of a signature.
    pub artifact_type: Option<String>,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReferrerDescriptor {
    media_type: String,
    digest: String,
    #[serde(deserialize_with = "size_from_number_or_text")]
    size: u64,
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

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

/// Deserializes a size: a number, or a string that contains a number.
fn size_from_number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = match Value::deserialize(deserializer)? {
        Value::String(text) => text.parse().ok(),
        size => size.as_u64(),
    };
    size.ok_or_else(|| serde::de::Error::custom("not a size"))
}

impl Referrer {
    /// Parses the entries of a referrers index. Entries without a SHA-256 digest are left out.
    /// `None` if `index` is not an image index.
    pub fn parse_index(index: &[u8]) -> Option<Vec<Self>> {
        parse_index_json(index).map(|index| parse_entries(&index))
    }

    /// Parses the location of the next page from a `Link: <TARGET>; rel="next"` header.
    pub fn parse_next_link(link: &str) -> Option<&str> {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.replace(['"', ' '], "").to_ascii_lowercase().contains("rel=next");
        is_next.then_some(target)
    }
}

impl RepositoryClient {
    /// Lists the manifests whose subject is `subject`. Entries without a SHA-256 digest are left
    /// out.
    ///
    /// # Errors
    /// Fails if a request fails, or the response is not an image index.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, RegistryError> {
        let mut next = Some(self.api_path(&format!("referrers/{subject}")));
        let mut found = Vec::new();
        for page in 0..MAX_PAGES {
            let Some(to) = next.take() else { return Ok(found) };
            let outgoing = OutgoingRequest::new(Method::GET, to).with_header("accept", media_type::INDEX);
            let received = match self.fetch_document(&outgoing, MAX_MANIFEST_BYTES) {
                Err(error) if page == 0 && lacks_referrers_api(&error) => None,
                received => received?,
            };
            let Some(received) = received else {
                // Without the API, the referrers tag is used. A missing later page ends the list.
                return Ok(if page == 0 { parse_entries(&self.read_tagged_index(subject)?) } else { found });
            };
            next = self.next_page_target(&received);
            found.extend(parse_entries(&parse_response(&received.bytes, &received.request)?));
        }
        Ok(found)
    }

    /// Pushes a manifest that has a `subject`. If the registry does not support the referrers API,
    /// it is also added to the index at the subject's referrers tag. Its blobs must have been
    /// pushed before.
    ///
    /// # Errors
    /// Fails if the manifest has no subject, a request fails, or other clients keep overwriting the
    /// index.
    pub fn add_referrer(&self, media_type: &str, bytes: &[u8]) -> Result<Digest, RegistryError> {
        let digest = Digest::compute(bytes);
        let document: ReferrerManifest =
            serde_json::from_slice(bytes).map_err(|_| RegistryError::NoSubject { digest })?;
        let Some(Subject { digest: SubjectDigest(subject) }) = document.subject else {
            return Err(RegistryError::NoSubject { digest });
        };
        if self.put_manifest_with_subject(ManifestReference::Digest(digest), media_type, bytes)?.1 {
            return Ok(digest);
        }
        let kind = document.artifact_type.or(document.config.map(|config| config.media_type));
        let mut entry = json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()});
        if let (Some(kind), Value::Object(entry)) = (kind, &mut entry) {
            entry.insert("artifactType".into(), kind.into());
        }
        if let (Some(annotations), Value::Object(entry)) = (document.annotations, &mut entry) {
            entry.insert("annotations".into(), json!(annotations));
        }
        self.add_to_tagged_index(&subject, entry, digest)
    }

    /// Adds `entry` to the index at the referrers tag, and retries if another client overwrote it.
    fn add_to_tagged_index(
        &self,
        subject: &Digest,
        entry: Value,
        digest: Digest,
    ) -> Result<Digest, RegistryError> {
        let mut backoff = self.new_backoff();
        loop {
            let mut index = self.read_tagged_index(subject)?;
            if has_entry(&index, &digest) {
                return Ok(digest);
            }
            if let Some(Value::Array(manifests)) = index.get_mut("manifests") {
                manifests.push(entry.clone());
            }
            let bytes = json::to_bytes(&index)
                .map_err(|_| RegistryError::Internal("an index of referrers cannot be serialized"))?;
            self.put_manifest(ManifestReference::Tag(&referrers_tag(subject)), media_type::INDEX, &bytes)?;
            if has_entry(&self.read_tagged_index(subject)?, &digest) {
                return Ok(digest);
            }
            match backoff.next_delay(None) {
                Some(pause) => std::thread::sleep(pause),
                None => {
                    return Err(RegistryError::TagConflict {
                        repository: self.repository().clone(),
                        tag: referrers_tag(subject),
                    });
                }
            }
        }
    }

    /// The index at the referrers tag, or an empty index.
    fn read_tagged_index(&self, subject: &Digest) -> Result<Value, RegistryError> {
        let tag = referrers_tag(subject);
        let Some(manifest) = absent_if_hidden(self.pull_manifest(ManifestReference::Tag(&tag)))? else {
            return Ok(json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": []}));
        };
        let request = RequestSummary {
            repository: self.repository().clone(),
            method: "GET".into(),
            path: format!("/v2/{}/manifests/{tag}", self.repository().name()),
            host: None,
        };
        parse_response(&manifest.bytes, &request)
    }

    /// The next page, if it is at the same origin.
    fn next_page_target(&self, received: &ReceivedDocument) -> Option<RequestTarget> {
        let link = received.headers.get("link")?.to_str().ok()?;
        let target = Referrer::parse_next_link(link)?;
        received
            .url
            .resolve_location(target)
            .filter(|url| url.is_same_origin(&received.url))
            .map(RequestTarget::Url)
    }
}

/// Returns whether the error means that the registry has no referrers API. Not all such registries answer
/// 404.
fn lacks_referrers_api(error: &RegistryError) -> bool {
    let is_refused = matches!(error, RegistryError::Refused { refusal, .. }
        if matches!(refusal.status, 400 | 405 | 406 | 501));
    is_refused || error.may_hide_absence()
}

/// The referrers tag of `subject`. Source: distribution-spec, "Referrers Tag Schema".
fn referrers_tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// Parses the body of a response as an image index.
fn parse_response(bytes: &[u8], request: &RequestSummary) -> Result<Value, RegistryError> {
    parse_index_json(bytes).ok_or_else(|| {
        let why = "the body is not an image index".into();
        RegistryError::InvalidResponse { request: request.clone(), why }
    })
}

/// Parses JSON with a `manifests` array.
fn parse_index_json(bytes: &[u8]) -> Option<Value> {
    let index = json::parse(bytes).ok();
    index.filter(|index| index.get("manifests").is_some_and(Value::is_array))
}

fn parse_entries(index: &Value) -> Vec<Referrer> {
    let manifests = index.get("manifests").and_then(Value::as_array).into_iter().flatten();
    let parse = |entry: &Value| {
        let ReferrerDescriptor { media_type, digest, size, artifact_type, annotations } =
            ReferrerDescriptor::deserialize(entry).ok()?;
        let digest = digest.parse().ok()?;
        Some(Referrer {
            media_type,
            digest,
            size,
            artifact_type,
            annotations: annotations.unwrap_or_default(),
        })
    };
    manifests.filter_map(parse).collect()
}

fn has_entry(index: &Value, digest: &Digest) -> bool {
    let digest = digest.to_string();
    let mut manifests = index.get("manifests").and_then(Value::as_array).into_iter().flatten();
    manifests.any(|entry| entry.get("digest").and_then(Value::as_str) == Some(&digest))
}
