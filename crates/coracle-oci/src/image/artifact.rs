//! Something that is said of an image and stands beside it: a manifest with a subject. Source: image-spec, `manifest.md`,
//! "Guidelines for Artifact Usage".

use serde::Serialize;

use super::{Blob, Descriptor, Error, media_type};

/// One document about an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Artifact {
    kind: &'static str,
    config: Blob,
    content: Blob,
    manifest: Blob,
    subject: Descriptor,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    artifact_type: &'static str,
    config: &'a Descriptor,
    layers: [&'a Descriptor; 1],
    media_type: &'static str,
    schema_version: u32,
    subject: &'a Descriptor,
}

impl Artifact {
    /// `content`, whose media type is also what the artifact is, about the image of `subject`.
    ///
    /// # Errors
    /// Never with what this module makes.
    pub fn new(kind: &'static str, content: Vec<u8>, subject: &Descriptor) -> Result<Self, Error> {
        let (config, content) = (Blob::new(media_type::EMPTY, b"{}".to_vec()), Blob::new(kind, content));
        // A subject is named by what it is alone.
        let subject = Descriptor { platform: None, annotations: Default::default(), ..subject.clone() };
        let document = Document {
            artifact_type: kind,
            config: config.descriptor(),
            layers: [content.descriptor()],
            media_type: media_type::MANIFEST,
            schema_version: 2,
            subject: &subject,
        };
        let manifest = Blob::json(media_type::MANIFEST, "artifact", &document)?;
        Ok(Self { kind, config, content, manifest, subject })
    }

    /// Its blobs, each before the one that names it.
    pub fn blobs(&self) -> [&Blob; 3] {
        [&self.config, &self.content, &self.manifest]
    }

    /// What it is about.
    pub fn subject(&self) -> &Descriptor {
        &self.subject
    }

    /// Its manifest's descriptor as it stands in an index.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor { artifact_type: Some(self.kind), ..self.manifest.descriptor().clone() }
    }
}
