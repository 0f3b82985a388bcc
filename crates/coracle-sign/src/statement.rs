//! in-toto statements: a predicate about an image, which is named by its digest. Source:
//! in-toto/attestation, `spec/v1/statement.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use coracle_core::digest::Digest;
use coracle_core::json;

use crate::error::SignatureError;

/// The type of statements that are written.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The types of statements that are read.
const READ_TYPES: [&str; 2] = [STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"];

/// The predicate type of a plain signature of an image. Source: sigstore/cosign, `pkg/types/predicate.go`.
pub const IMAGE_SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
/// The predicate type of an SPDX document.
pub const SPDX: &str = "https://spdx.dev/Document";
/// The predicate type of a CycloneDX document.
pub const CYCLONE_DX: &str = "https://cyclonedx.org/bom";
/// The predicate type of SLSA provenance.
pub const SLSA_PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// A statement about one or more images.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    /// The type of the predicate, a URI.
    pub predicate_type: String,
    /// What is said about the images.
    #[serde(default)]
    pub predicate: Value,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Subject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// Creates a statement about the image with this digest.
    pub fn new(image: Digest, predicate_type: &str, predicate: Value) -> Self {
        let digest = BTreeMap::from([("sha256".to_owned(), image.hex())]);
        Self {
            statement_type: STATEMENT_TYPE.into(),
            subject: vec![Subject { name: None, digest }],
            predicate_type: predicate_type.into(),
            predicate,
        }
    }

    /// Creates the statement of a plain signature, without a predicate.
    pub fn image_signature(image: Digest) -> Self {
        Self::new(image, IMAGE_SIGNATURE, json!({}))
    }

    /// Returns the statement with a name of its images, such as `ghcr.io/acme/shop`.
    #[must_use]
    pub fn with_subject_name(mut self, name: &str) -> Self {
        self.subject.iter_mut().for_each(|subject| subject.name = Some(name.into()));
        self
    }

    /// Parses a statement.
    ///
    /// # Errors
    /// Fails if `bytes` are not JSON of this type.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let refused = |why: String| SignatureError::NotStatement(why);
        let statement: Self = json::parse(bytes)
            .and_then(serde_json::from_value)
            .map_err(|error| refused(error.to_string()))?;
        if !READ_TYPES.contains(&statement.statement_type.as_str()) {
            return Err(refused(format!("its `_type` is `{}`", statement.statement_type)));
        }
        Ok(statement)
    }

    /// Serializes the statement as canonical JSON.
    ///
    /// # Errors
    /// Fails if the predicate cannot be serialized.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        json::to_bytes(self)
    }

    /// Returns whether the statement is about the image with this digest.
    pub fn is_about(&self, image: &Digest) -> bool {
        let hex = image.hex();
        self.subject.iter().any(|subject| subject.digest.get("sha256") == Some(&hex))
    }
}
