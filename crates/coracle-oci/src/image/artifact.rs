//! Artifacts about an image: a manifest with a `subject`. Source: image-spec, `manifest.md`,
//! "Guidelines for Artifact Usage".

use std::collections::BTreeMap;

use serde::Serialize;

use super::descriptor::{Blob, Descriptor};
use super::error::ImageError;
use super::media_type;

/// The annotations of an artifact, by key.
pub type ArtifactAnnotations = BTreeMap<&'static str, String>;

/// An artifact with a single blob as its content, whose subject is an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Artifact {
    annotations: ArtifactAnnotations,
    artifact_type: &'static str,
    config: Blob,
    content: Blob,
    manifest: Blob,
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
        Ok(Self { annotations, artifact_type: kind, config, content, manifest, subject })
    }

    /// Returns the blobs; the manifest, which refers to the others, is last.
    pub fn blobs(&self) -> [&Blob; 3] {
        [&self.config, &self.content, &self.manifest]
    }

    /// Returns the descriptor of the image that the artifact is about.
    pub fn subject(&self) -> &Descriptor {
        &self.subject
    }

    /// Returns the descriptor of the manifest for an index, with artifact type and annotations.
    pub fn descriptor(&self) -> Descriptor {
        let annotations = self.annotations.iter().map(|(key, value)| ((*key).into(), value.clone()));
        let artifact_type = Some(self.artifact_type);
        Descriptor { artifact_type, annotations: annotations.collect(), ..self.manifest.descriptor().clone() }
    }
}
