//! Lists the referrers of a manifest, through the referrers API or, for registries without it, the
//! referrers tag. Source: distribution-spec, "Listing Referrers", "Referrers Tag Schema".

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::client::{ReceivedDocument, RepositoryClient};
use super::error::RegistryError;
use super::manifests::MAX_MANIFEST_BYTES;
use super::request::{OutgoingRequest, RequestSummary, RequestTarget};
use crate::image::{Descriptor, media_type};
use coracle_core::digest::Digest;
use coracle_core::json;

/// The maximum number of pages of a referrers list that are read.
const MAX_PAGES: usize = 100;

/// The maximum number of referrers of one manifest that are listed.
pub const MAX_REFERRERS: usize = 1024;

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

impl From<&Referrer> for Descriptor {
    fn from(referrer: &Referrer) -> Self {
        Self::new(referrer.media_type.clone(), referrer.digest, referrer.size)
    }
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
    /// Fails if a request fails, the response is not an image index, or there are more than
    /// [`MAX_REFERRERS`].
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, RegistryError> {
        if let Some(found) = self.list_by_api(subject)? {
            return Ok(found);
        }
        let mut found = Vec::new();
        self.add_page(&mut found, &self.read_tagged_index(subject)?.document, subject)?;
        Ok(found)
    }

    /// Lists referrers by the referrers API alone. `None` if the registry does not support it. The
    /// filter `artifactType` is not used: some registries list the media type of the config instead.
    pub(super) fn list_by_api(&self, subject: &Digest) -> Result<Option<Vec<Referrer>>, RegistryError> {
        let mut next = Some(self.api_path(&format!("referrers/{subject}")));
        let mut found = Vec::new();
        for page in 0..MAX_PAGES {
            let Some(to) = next.take() else { return Ok(Some(found)) };
            let outgoing = OutgoingRequest::new(Method::GET, to).with_header("accept", media_type::INDEX);
            let received = match self.fetch_document(&outgoing, MAX_MANIFEST_BYTES) {
                Err(error) if page == 0 && lacks_referrers_api(&error) => None,
                received => received?,
            };
            // A missing later page ends the list.
            let Some(received) = received else { return Ok((page > 0).then_some(found)) };
            next = self.next_page_target(&received);
            let index = parse_response(&received.bytes, &received.request)?;
            self.add_page(&mut found, &index, subject)?;
        }
        match next {
            Some(_) => Err(self.too_many_referrers(subject)),
            None => Ok(Some(found)),
        }
    }

    /// Adds the entries of `index` to `found`.
    fn add_page(
        &self,
        found: &mut Vec<Referrer>,
        index: &Value,
        subject: &Digest,
    ) -> Result<(), RegistryError> {
        found.extend(parse_entries(index));
        if found.len() > MAX_REFERRERS {
            return Err(self.too_many_referrers(subject));
        }
        Ok(())
    }

    fn too_many_referrers(&self, subject: &Digest) -> RegistryError {
        RegistryError::TooManyReferrers { repository: self.repository().clone(), subject: *subject }
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

/// Parses the body of a response as an image index.
pub(super) fn parse_response(bytes: &[u8], request: &RequestSummary) -> Result<Value, RegistryError> {
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
