//! What is said of an image and stands beside it: asked by the referrers API, or by a tag that clients keep where a
//! registry has no API. Source: distribution-spec, "Listing Referrers", "Referrers Tag Schema".

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::http::Method;

use super::Remote;
use super::call::{Call, To};
use super::client::Received;
use super::error::{Error, Request};
use super::manifests::{LARGEST, Target};
use coracle_core::digest::Digest;
use crate::image::media_type;
use coracle_core::json;

/// A list of referrers may come in pages; nobody has so many.
const PAGES: usize = 100;

/// A manifest whose subject is another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Referrer {
    /// What the manifest is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What it says of its subject.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: String,
    size: u64,
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// As much of a manifest as its descriptor among the referrers needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    subject: Option<Named>,
    artifact_type: Option<String>,
    config: Option<Config>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Named {
    digest: Digested,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    media_type: String,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Digested(Digest);

impl TryFrom<String> for Digested {
    type Error = coracle_core::digest::ParseDigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl Referrer {
    /// The entries of an index of referrers that are named by SHA-256; nothing where it is no index.
    pub fn list(index: &[u8]) -> Option<Vec<Self>> {
        read(index).map(|index| entries(&index))
    }

    /// Where the next page of a list is, as the header `Link: <TARGET>; rel="next"` says.
    pub fn next_page(link: &str) -> Option<&str> {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.replace(['"', ' '], "").to_ascii_lowercase().contains("rel=next");
        is_next.then_some(target)
    }
}

impl Remote {
    /// The manifests whose subject is `subject`; those that are not named by SHA-256 are left out.
    ///
    /// # Errors
    /// When the registry can't be asked, and when what it sends is no index.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, Error> {
        let mut next = Some(self.path(&format!("referrers/{subject}")));
        let mut found = Vec::new();
        for page in 0..PAGES {
            let Some(to) = next.take() else { return Ok(found) };
            let call = Call::new(Method::GET, to).header("accept", media_type::INDEX);
            let Some(received) = self.receive(&call, LARGEST)? else {
                // No API: the tag tells. A page that is missing is the end.
                return Ok(if page == 0 { entries(&self.tagged(subject)?) } else { found });
            };
            next = self.next_page(&received);
            found.extend(entries(&index(&received.bytes, &received.request)?));
        }
        Ok(found)
    }

    /// Writes `bytes`, a manifest with a subject, and sees to it that it is among the subject's referrers: where the
    /// registry does not do so itself, in the index that clients keep under a tag, beside the entries of others. Its
    /// blobs must be there.
    ///
    /// # Errors
    /// When it has no subject, when the registry can't be asked or refuses it, and when others keep writing the index.
    pub fn add_referrer(&self, media_type: &str, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        let document: Document = serde_json::from_slice(bytes).map_err(|_| Error::NoSubject { digest })?;
        let Some(Named { digest: Digested(subject) }) = document.subject else {
            return Err(Error::NoSubject { digest });
        };
        if self.put(Target::Digest(digest), media_type, bytes)?.1 {
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
        self.keep(&subject, entry, digest)
    }

    /// Adds `entry` to the index under the tag, and looks whether somebody wrote over it.
    fn keep(&self, subject: &Digest, entry: Value, digest: Digest) -> Result<Digest, Error> {
        let mut waits = self.waits();
        loop {
            let mut index = self.tagged(subject)?;
            if lists(&index, &digest) {
                return Ok(digest);
            }
            if let Some(Value::Array(manifests)) = index.get_mut("manifests") {
                manifests.push(entry.clone());
            }
            let bytes = json::to_bytes(&index).map_err(|_| Error::NoSubject { digest })?;
            self.put_manifest(Target::Tag(&tag(subject)), media_type::INDEX, &bytes)?;
            if lists(&self.tagged(subject)?, &digest) {
                return Ok(digest);
            }
            match waits.next(None) {
                Some(pause) => std::thread::sleep(pause),
                None => {
                    return Err(Error::Overwritten {
                        repository: self.repository().clone(),
                        tag: tag(subject),
                    });
                }
            }
        }
    }

    /// The index under the subject's tag; an empty one when there is none.
    fn tagged(&self, subject: &Digest) -> Result<Value, Error> {
        let tag = tag(subject);
        let Some(manifest) = self.manifest(Target::Tag(&tag))? else {
            return Ok(json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": []}));
        };
        let request = Request {
            repository: self.repository().clone(),
            method: "GET".into(),
            path: format!("/v2/{}/manifests/{tag}", self.repository().name()),
            host: None,
        };
        index(&manifest.bytes, &request)
    }

    /// Where the next page is: `Link: <URL>; rel="next"`, at the registry itself.
    fn next_page(&self, received: &Received) -> Option<To> {
        let link = received.headers.get("link")?.to_str().ok()?;
        let target = Referrer::next_page(link)?;
        received.url.join(target).filter(|url| url.same_origin(&received.url)).map(To::Url)
    }
}

/// Source: distribution-spec, "Referrers Tag Schema".
fn tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// `bytes` as an index with a list of manifests.
fn index(bytes: &[u8], request: &Request) -> Result<Value, Error> {
    read(bytes).ok_or_else(|| {
        let why = "it is no index of manifests".into();
        Error::Unexpected { request: request.clone(), why }
    })
}

fn read(bytes: &[u8]) -> Option<Value> {
    let index: Option<Value> = serde_json::from_slice(bytes).ok();
    index.filter(|index| index.get("manifests").is_some_and(Value::is_array))
}

fn entries(index: &Value) -> Vec<Referrer> {
    let manifests = index.get("manifests").and_then(Value::as_array).into_iter().flatten();
    let one = |entry: &Value| {
        let Entry { media_type, digest, size, artifact_type, annotations } =
            Entry::deserialize(entry).ok()?;
        let digest = digest.parse().ok()?;
        Some(Referrer {
            media_type,
            digest,
            size,
            artifact_type,
            annotations: annotations.unwrap_or_default(),
        })
    };
    manifests.filter_map(one).collect()
}

fn lists(index: &Value, digest: &Digest) -> bool {
    let digest = digest.to_string();
    let mut manifests = index.get("manifests").and_then(Value::as_array).into_iter().flatten();
    manifests.any(|entry| entry.get("digest").and_then(Value::as_str) == Some(&digest))
}
