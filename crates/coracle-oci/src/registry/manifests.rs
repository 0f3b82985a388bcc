//! Manifests and indexes: byte for byte as they are, checked against their digest. Source: distribution-spec, "Pulling
//! manifests", "Pushing Manifests".

use serde::Deserialize;
use ureq::http::{HeaderMap, Method};

use super::call::{Call, To};
use super::error::{Error, Request};
use super::{Remote, text};
use coracle_core::digest::Digest;
use crate::image::{Document, media_type};
use coracle_core::reference::{Reference, is_tag};

/// The specification asks registries to take manifests of up to 4 MiB; nobody has to take larger ones.
pub(super) const LARGEST: u64 = 4 << 20;

/// What is asked for: Docker's types beside those of the specification.
const ACCEPTED: [&str; 4] = [
    media_type::MANIFEST,
    media_type::INDEX,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// By what a manifest is found in its repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target<'a> {
    /// Whatever the tag stands for now.
    Tag(&'a str),
    /// These bytes alone.
    Digest(Digest),
}

/// A manifest that is there, without its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// What it is.
    pub media_type: String,
    /// Its digest; for a tag it is the registry's word alone.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// A manifest or an index, as it was received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// What it is.
    pub media_type: String,
    /// The digest of the bytes.
    pub digest: Digest,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl From<Manifest> for Document {
    fn from(Manifest { media_type, digest, bytes }: Manifest) -> Self {
        Self { media_type, digest, bytes }
    }
}

impl<'a> From<&'a Reference> for Target<'a> {
    fn from(reference: &'a Reference) -> Self {
        Self::Tag(reference.tag())
    }
}

impl Remote {
    /// Whether a manifest is there, and what it is.
    ///
    /// # Errors
    /// When the registry can't be asked, or gives an answer that is neither yes nor no.
    pub fn head(&self, target: Target<'_>) -> Result<Option<Head>, Error> {
        let answer = self.send(&self.manifest_call(Method::HEAD, target)?)?;
        match answer.status {
            200 => {}
            404 => return Ok(None),
            _ => return Err(self.refused(answer)),
        }
        let found = head_of(&answer.headers);
        let request = answer.request.clone();
        answer.finish();
        let Some(head) = found else {
            // Headers that not every registry sends: the manifest itself tells the same.
            return Ok(self.manifest(target)?.map(|manifest| Head {
                size: manifest.bytes.len() as u64,
                media_type: manifest.media_type,
                digest: manifest.digest,
            }));
        };
        verified(target, head.digest, request)?;
        Ok(Some(head))
    }

    /// Reads a manifest; nothing when it is not there.
    ///
    /// # Errors
    /// When the registry can't be asked, and when what it sends is larger than 4 MiB, no JSON, or not what its digest
    /// or its media type say.
    pub fn manifest(&self, target: Target<'_>) -> Result<Option<Manifest>, Error> {
        let Some(received) = self.receive(&self.manifest_call(Method::GET, target)?, LARGEST)? else {
            return Ok(None);
        };
        let (digest, request) = (Digest::of(&received.bytes), received.request);
        verified(target, digest, request.clone())?;
        if let Some(expected) = digest_of(&received.headers).filter(|expected| *expected != digest) {
            return Err(Error::Altered { request, expected, found: digest });
        }
        match media_type_of(&received.headers, &received.bytes) {
            Ok(media_type) => Ok(Some(Manifest { media_type, digest, bytes: received.bytes })),
            Err(why) => Err(Error::Unexpected { request, why: self.shown(&why) }),
        }
    }

    /// Writes a manifest, whose blobs must be there, and gives its digest.
    ///
    /// # Errors
    /// When the registry can't be asked or refuses it.
    pub fn put_manifest(&self, target: Target<'_>, media_type: &str, bytes: &[u8]) -> Result<Digest, Error> {
        self.put(target, media_type, bytes).map(|(digest, _)| digest)
    }

    /// The same; and whether the registry saw a subject in it.
    pub(super) fn put(
        &self,
        target: Target<'_>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(Digest, bool), Error> {
        let call = Call::new(Method::PUT, self.manifest_path(target)?);
        let answer = self.send(&call.header("content-type", media_type).bytes(bytes))?;
        if !matches!(answer.status, 200..=204) {
            return Err(self.refused(answer));
        }
        let (digest, stored) = (Digest::of(bytes), digest_of(&answer.headers));
        let (has_subject, request) = (answer.header("oci-subject").is_some(), answer.request.clone());
        answer.finish();
        match stored.filter(|stored| *stored != digest) {
            Some(found) => Err(Error::Altered { request, expected: digest, found }),
            None => Ok((digest, has_subject)),
        }
    }

    fn manifest_call<'a>(&self, method: Method, target: Target<'_>) -> Result<Call<'a>, Error> {
        Ok(Call::new(method, self.manifest_path(target)?).header("accept", ACCEPTED.join(", ")))
    }

    fn manifest_path(&self, target: Target<'_>) -> Result<To, Error> {
        match target {
            Target::Digest(digest) => Ok(self.path(&format!("manifests/{digest}"))),
            Target::Tag(tag) if is_tag(tag) => Ok(self.path(&format!("manifests/{tag}"))),
            Target::Tag(tag) => Err(Error::NoTag { tag: text::shown(tag, 200) }),
        }
    }
}

fn verified(target: Target<'_>, found: Digest, request: Request) -> Result<(), Error> {
    match target {
        Target::Digest(expected) if expected != found => Err(Error::Altered { request, expected, found }),
        _ => Ok(()),
    }
}

fn head_of(headers: &HeaderMap) -> Option<Head> {
    let size = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
    Some(Head { media_type: content_type(headers)?, digest: digest_of(headers)?, size })
}

fn digest_of(headers: &HeaderMap) -> Option<Digest> {
    headers.get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

/// The type without its parameters.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let field = headers.get("content-type")?.to_str().ok()?;
    let kind = field.split(';').next()?.trim();
    (!kind.is_empty()).then(|| kind.to_owned())
}

/// What a document is: it says so itself, and the header must not say otherwise, or two readers could see two things.
fn media_type_of(headers: &HeaderMap, bytes: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Document {
        media_type: Option<String>,
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|_| "it is no JSON document")?;
    let header = content_type(headers);
    let says_nothing = |kind: &String| {
        ["application/json", "text/plain", "application/octet-stream"].contains(&kind.as_str())
    };
    match (document.media_type, header.filter(|kind| !says_nothing(kind))) {
        (Some(own), Some(header)) if own != header => {
            Err(format!("it says that it is `{own}`, its header says `{header}`"))
        }
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
        (None, None) => Err("nothing says what it is".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        for tag in ["latest", "1.2", "_x", "sha256-0a", &"a".repeat(128)] {
            assert!(is_tag(tag), "{tag}");
        }
        for tag in ["", ".x", "-x", "a/b", "a?b", "a b", "é", "a\r\nb", "../x", &"a".repeat(129)] {
            assert!(!is_tag(tag), "{tag}");
        }
    }

    #[test]
    fn media_types() {
        let said = |header: &str, body: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", header.parse().unwrap());
            media_type_of(&headers, body.as_bytes())
        };
        let own = r#"{"mediaType":"a/b"}"#;
        assert_eq!(said("a/b; charset=utf-8", own).unwrap(), "a/b");
        assert_eq!(said("application/json", own).unwrap(), "a/b");
        assert_eq!(said("c/d", "{}").unwrap(), "c/d");
        for (header, body) in
            [("c/d", own), ("text/plain", "{}"), ("a/b", "<html>"), ("a/b", ""), ("a/b", "[1]")]
        {
            assert!(said(header, body).is_err(), "{header} {body}");
        }
        assert!(said("a/b", &"[".repeat(1 << 20)).is_err());
    }
}
