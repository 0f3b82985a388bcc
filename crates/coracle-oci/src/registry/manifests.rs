//! Pulling and pushing manifests and indexes. Bytes are kept unchanged and checked against their
//! digest. Source: distribution-spec, "Pulling manifests", "Pushing Manifests".

use http::{HeaderMap, Method};
use serde::Deserialize;

use super::client::RepositoryClient;
use super::error::RegistryError;
use super::escape;
use super::request::{OutgoingRequest, RequestSummary, RequestTarget};
use crate::image::{RawManifest, check_document_kind, media_type};
use coracle_core::digest::Digest;
use coracle_core::reference::{ImageReference, is_tag};

/// The manifest size that the specification asks registries to support: 4 MiB.
pub(super) const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// The accepted media types: OCI's and Docker's.
const ACCEPTED_MEDIA_TYPES: [&str; 4] =
    [media_type::MANIFEST, media_type::INDEX, media_type::DOCKER_MANIFEST, media_type::DOCKER_MANIFEST_LIST];

/// Selects a manifest in a repository: the `<reference>` of the distribution API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ManifestReference<'a> {
    /// The manifest that a tag points to.
    Tag(&'a str),
    /// The manifest with this digest.
    Digest(Digest),
}

/// The descriptor of a manifest, from response headers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestHead {
    /// The media type.
    pub media_type: String,
    /// The digest. For a tag it is what the registry reports; it was not checked.
    pub digest: Digest,
    /// The size in bytes.
    pub size: u64,
}

impl<'a> From<&'a ImageReference> for ManifestReference<'a> {
    fn from(reference: &'a ImageReference) -> Self {
        Self::Tag(reference.tag())
    }
}

impl RepositoryClient {
    /// Returns the descriptor of a manifest. `None` if there is no such manifest. A registry without
    /// `HEAD` is asked by `GET`.
    ///
    /// # Errors
    /// Fails if the request fails, or the digest is not the requested one.
    pub fn head_manifest(
        &self,
        target: ManifestReference<'_>,
    ) -> Result<Option<ManifestHead>, RegistryError> {
        let response = self.send(&self.manifest_request(Method::HEAD, target)?)?;
        let found = match response.status {
            // Some registries omit these headers: read the manifest instead.
            _ if response.is_success() => parse_head(&response.headers),
            404 => return Ok(None),
            _ if response.is_method_unsupported() => None,
            _ => return Err(self.response_error(response)),
        };
        let request = response.request.clone();
        response.drain();
        let Some(head) = found else {
            return Ok(self.pull_manifest(target)?.map(|manifest| ManifestHead {
                size: manifest.bytes.len() as u64,
                media_type: manifest.media_type,
                digest: manifest.digest,
            }));
        };
        check_digest(target, head.digest, request)?;
        Ok(Some(head))
    }

    /// Returns the descriptor of a manifest that is about to be pushed, to skip the push if it
    /// exists. `None` also if the registry refuses to say: the push then shows whether it is allowed.
    ///
    /// # Errors
    /// Fails like [`RepositoryClient::head_manifest`].
    pub fn head_existing_manifest(
        &self,
        target: ManifestReference<'_>,
    ) -> Result<Option<ManifestHead>, RegistryError> {
        absent_if_hidden(self.head_manifest(target))
    }

    /// Pulls a manifest. `None` if there is no such manifest.
    ///
    /// # Errors
    /// Fails if the request fails, or the manifest is larger than 4 MiB, is not JSON, or does not
    /// match its digest or media type.
    pub fn pull_manifest(&self, target: ManifestReference<'_>) -> Result<Option<RawManifest>, RegistryError> {
        Ok(self.pull_manifest_with_etag(target)?.map(|(manifest, _)| manifest))
    }

    /// Pulls a manifest, with the strong `ETag` of the response if there is one.
    pub(super) fn pull_manifest_with_etag(
        &self,
        target: ManifestReference<'_>,
    ) -> Result<Option<(RawManifest, Option<String>)>, RegistryError> {
        let Some(received) =
            self.fetch_document(&self.manifest_request(Method::GET, target)?, MAX_MANIFEST_BYTES)?
        else {
            return Ok(None);
        };
        let (digest, request) = (Digest::compute(&received.bytes), received.request);
        check_digest(target, digest, request.clone())?;
        if let Some(expected) = content_digest(&received.headers).filter(|expected| *expected != digest) {
            return Err(RegistryError::DigestMismatch { request, expected, found: digest });
        }
        let media_type = media_type_of(&received.headers, &received.bytes)
            .and_then(|kind| check_document_kind(&kind, &received.bytes).map(|()| kind));
        match media_type {
            Ok(media_type) => {
                let etag = strong_etag(&received.headers);
                Ok(Some((RawManifest { media_type, digest, bytes: received.bytes }, etag)))
            }
            Err(why) => Err(RegistryError::InvalidResponse { request, why: self.redact(&why) }),
        }
    }

    /// Pushes a manifest and returns its digest. Its blobs must have been pushed before.
    ///
    /// # Errors
    /// Fails if the request fails or the registry rejects the manifest.
    pub fn put_manifest(
        &self,
        target: ManifestReference<'_>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Digest, RegistryError> {
        self.put_manifest_with_subject(target, media_type, bytes).map(|(digest, _)| digest)
    }

    /// Pushes a manifest. Returns its digest, and whether the registry added it to the referrers of
    /// its subject (it then sends an `OCI-Subject` header).
    pub(super) fn put_manifest_with_subject(
        &self,
        target: ManifestReference<'_>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(Digest, bool), RegistryError> {
        self.put_manifest_if_match(target, media_type, bytes, None)
    }

    /// Pushes a manifest like [`RepositoryClient::put_manifest_with_subject`]. If `etag` is given,
    /// registries that evaluate conditions reject the push with status 412 unless it is the `ETag` of
    /// the manifest that `target` refers to now.
    pub(super) fn put_manifest_if_match(
        &self,
        target: ManifestReference<'_>,
        media_type: &str,
        bytes: &[u8],
        etag: Option<&str>,
    ) -> Result<(Digest, bool), RegistryError> {
        let mut outgoing = OutgoingRequest::new(Method::PUT, self.manifest_path(target)?)
            .with_header("content-type", media_type)
            .with_bytes(bytes);
        if let Some(etag) = etag {
            outgoing = outgoing.with_header("if-match", etag);
        }
        let response = self.send(&outgoing)?;
        if !response.is_success() {
            return Err(self.response_error(response));
        }
        let (digest, stored) = (Digest::compute(bytes), content_digest(&response.headers));
        let (has_subject, request) = (response.header("oci-subject").is_some(), response.request.clone());
        response.drain();
        match stored.filter(|stored| *stored != digest) {
            Some(found) => Err(RegistryError::DigestMismatch { request, expected: digest, found }),
            None => Ok((digest, has_subject)),
        }
    }

    fn manifest_request<'a>(
        &self,
        method: Method,
        target: ManifestReference<'_>,
    ) -> Result<OutgoingRequest<'a>, RegistryError> {
        Ok(OutgoingRequest::new(method, self.manifest_path(target)?)
            .with_header("accept", ACCEPTED_MEDIA_TYPES.join(", ")))
    }

    fn manifest_path(&self, target: ManifestReference<'_>) -> Result<RequestTarget, RegistryError> {
        match target {
            ManifestReference::Digest(digest) => Ok(self.api_path(&format!("manifests/{digest}"))),
            ManifestReference::Tag(tag) if is_tag(tag) => Ok(self.api_path(&format!("manifests/{tag}"))),
            ManifestReference::Tag(tag) => {
                Err(RegistryError::InvalidTag { tag: escape::escape_untrusted(tag, 200) })
            }
        }
    }
}

/// Converts the error of a denied request to `None` if it may mean that the content does not exist.
pub(super) fn absent_if_hidden<T>(
    found: Result<Option<T>, RegistryError>,
) -> Result<Option<T>, RegistryError> {
    match found {
        Err(error) if error.may_hide_absence() => Ok(None),
        found => found,
    }
}

/// Fails if `target` is another digest than `found`.
fn check_digest(
    target: ManifestReference<'_>,
    found: Digest,
    request: RequestSummary,
) -> Result<(), RegistryError> {
    match target {
        ManifestReference::Digest(expected) if expected != found => {
            Err(RegistryError::DigestMismatch { request, expected, found })
        }
        _ => Ok(()),
    }
}

fn parse_head(headers: &HeaderMap) -> Option<ManifestHead> {
    let size = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
    Some(ManifestHead { media_type: content_type(headers)?, digest: content_digest(headers)?, size })
}

/// The `Docker-Content-Digest` header.
fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

/// The `ETag` header; `None` if it is weak, since `If-Match` needs a strong one. Source: RFC 9110,
/// 13.1.1.
fn strong_etag(headers: &HeaderMap) -> Option<String> {
    let etag = headers.get("etag")?.to_str().ok()?;
    etag.starts_with('"').then(|| etag.to_owned())
}

/// The `Content-Type` header without parameters.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let field = headers.get("content-type")?.to_str().ok()?;
    let kind = field.split(';').next()?.trim();
    (!kind.is_empty()).then(|| kind.to_owned())
}

/// The media type of a document, from its `mediaType` or else the header. If both are given they
/// must be equal, so that every client reads the same document.
fn media_type_of(headers: &HeaderMap, bytes: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct TypedDocument {
        media_type: Option<String>,
    }
    let document: TypedDocument =
        serde_json::from_slice(bytes).map_err(|_| "the body is not a JSON object")?;
    let header = content_type(headers);
    let is_generic = |kind: &String| {
        ["application/json", "text/plain", "application/octet-stream"].contains(&kind.as_str())
    };
    match (document.media_type, header.filter(|kind| !is_generic(kind))) {
        (Some(own), Some(header)) if own != header => {
            Err(format!("its `mediaType` is `{own}`, but its Content-Type is `{header}`"))
        }
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
        (None, None) => Err("it has neither a `mediaType` nor a specific Content-Type".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validates_tags() {
        for tag in ["latest", "1.2", "_x", "sha256-0a", &"a".repeat(128)] {
            assert!(is_tag(tag), "{tag}");
        }
        for tag in ["", ".x", "-x", "a/b", "a?b", "a b", "é", "a\r\nb", "../x", &"a".repeat(129)] {
            assert!(!is_tag(tag), "{tag}");
        }
    }

    #[test]
    fn media_type_and_header_must_agree() {
        let parse = |header: &str, body: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", header.parse().unwrap());
            media_type_of(&headers, body.as_bytes())
        };
        let own = r#"{"mediaType":"a/b"}"#;
        assert_eq!(parse("a/b; charset=utf-8", own).unwrap(), "a/b");
        assert_eq!(parse("application/json", own).unwrap(), "a/b");
        assert_eq!(parse("c/d", "{}").unwrap(), "c/d");
        for (header, body) in
            [("c/d", own), ("text/plain", "{}"), ("a/b", "<html>"), ("a/b", ""), ("a/b", "[1]")]
        {
            assert!(parse(header, body).is_err(), "{header} {body}");
        }
        assert!(parse("a/b", &"[".repeat(1 << 20)).is_err());
    }
}
