//! Artifacts about an image: a manifest with a `subject`. Source: image-spec, `manifest.md`,
//! "Guidelines for Artifact Usage".

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::descriptor::{Blob, Descriptor};
use super::error::ImageError;
use super::media_type;
use coracle_core::json;

/// The annotations of an artifact, by key.
pub type ArtifactAnnotations = BTreeMap<&'static str, String>;

/// An artifact whose subject is an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Artifact {
    /// The config and the layers, each once.
    blobs: Vec<Blob>,
    manifest: Blob,
    /// The descriptor of the manifest, with artifact type and annotations.
    descriptor: Descriptor,
    subject: Descriptor,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactManifest<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a ArtifactAnnotations,
    artifact_type: &'static str,
    config: &'a Descriptor,
    layers: [&'a Descriptor; 1],
    media_type: &'static str,
    schema_version: u32,
    subject: &'a Descriptor,
}

impl Artifact {
    /// Creates an artifact of type `kind` about `subject`. `kind` is also the media type of
    /// `content`.
    ///
    /// # Errors
    /// Fails if the manifest cannot be serialized.
    pub fn new(kind: &'static str, content: Vec<u8>, subject: &Descriptor) -> Result<Self, ImageError> {
        Self::with_annotations(kind, content, subject, ArtifactAnnotations::new())
    }

    /// Creates an artifact like [`Artifact::new`] whose manifest has annotations. Lists of referrers
    /// show them.
    ///
    /// # Errors
    /// Fails if the manifest cannot be serialized.
    pub fn with_annotations(
        kind: &'static str,
        content: Vec<u8>,
        subject: &Descriptor,
        annotations: ArtifactAnnotations,
    ) -> Result<Self, ImageError> {
        let (config, content) = (Blob::new(media_type::EMPTY, b"{}".to_vec()), Blob::new(kind, content));
        // A `subject` has neither platform nor annotations.
        let subject = Descriptor { platform: None, annotations: Default::default(), ..subject.clone() };
        let document = ArtifactManifest {
            annotations: &annotations,
            artifact_type: kind,
            config: config.descriptor(),
            layers: [content.descriptor()],
            media_type: media_type::MANIFEST,
            schema_version: 2,
            subject: &subject,
        };
        let manifest = Blob::from_serializable(media_type::MANIFEST, "artifact", &document)?;
        let annotations = annotations.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let descriptor =
            Descriptor { artifact_type: Some(kind.into()), annotations, ..manifest.descriptor().clone() };
        Ok(Self { blobs: vec![config, content], manifest, descriptor, subject })
    }

    /// Creates an artifact from the manifest and the blobs that another program has made.
    ///
    /// # Errors
    /// Fails if the manifest is invalid or has no subject, or if a blob is missing.
    pub fn from_parts(
        manifest: Vec<u8>,
        mut open: impl FnMut(&Descriptor) -> Result<Vec<u8>, String>,
    ) -> Result<Self, ImageError> {
        let refused = |why: String| ImageError::InvalidArtifact(why);
        let document = json::parse(&manifest).map_err(|error| refused(error.to_string()))?;
        let parse = |value: &Value| Descriptor::parse(value).map_err(refused);
        let subject = document.get("subject").ok_or_else(|| refused("it has no `subject`".into()))?;
        let layers = document.get("layers").and_then(Value::as_array).into_iter().flatten();
        let mut blobs = Vec::new();
        for named in document.get("config").into_iter().chain(layers) {
            let named = parse(named)?;
            if blobs.iter().all(|blob: &Blob| blob.descriptor().digest != named.digest) {
                blobs.push(Blob::new(named.media_type.clone(), open(&named).map_err(refused)?));
            }
        }
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let kind = text(document.get("artifactType")).or_else(|| text(document.pointer("/config/mediaType")));
        let annotations = document.get("annotations").and_then(Value::as_object).into_iter().flatten();
        let manifest = Blob::new(media_type::MANIFEST, manifest);
        let descriptor = Descriptor {
            artifact_type: kind.map(Cow::Owned),
            annotations: annotations
                .filter_map(|(key, value)| Some((key.clone(), text(Some(value))?)))
                .collect(),
            ..manifest.descriptor().clone()
        };
        Ok(Self { blobs, manifest, descriptor, subject: parse(subject)? })
    }

    /// Returns the config and the layers.
    pub fn content_blobs(&self) -> &[Blob] {
        &self.blobs
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &Blob {
        &self.manifest
    }

    /// Returns all blobs; the manifest, which refers to the others, is last.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.blobs.iter().chain([&self.manifest])
    }

    /// Returns the descriptor of the image that the artifact is about.
    pub fn subject(&self) -> &Descriptor {
        &self.subject
    }

    /// Returns the descriptor of the manifest for an index, with artifact type and annotations.
    pub fn descriptor(&self) -> Descriptor {
        self.descriptor.clone()
    }
}
