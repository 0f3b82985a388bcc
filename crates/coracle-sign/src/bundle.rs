//! Sigstore bundles, version 0.3: a signed statement, and which key signed it. Source:
//! sigstore/protobuf-specs, `protos/sigstore_bundle.proto`; sigstore/cosign, `specs/BUNDLE_SPEC.md`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use coracle_core::digest::Digest;
use coracle_core::json;

use crate::dsse::{self, Envelope};
use crate::error::SignatureError;
use crate::public_key::PublicKey;
use crate::signing_key::SigningKey;
use crate::statement::Statement;

/// The media type of a bundle, which is also the artifact type of its referrer.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The annotation of a bundle's manifest with the kind of its content.
pub const CONTENT_ANNOTATION: &str = "dev.sigstore.bundle.content";
/// The value of [`CONTENT_ANNOTATION`] for statements.
pub const DSSE_CONTENT: &str = "dsse-envelope";
/// The annotation of a bundle's manifest with the predicate type of its statement.
pub const PREDICATE_TYPE_ANNOTATION: &str = "dev.sigstore.bundle.predicateType";

/// A bundle that was just signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedBundle {
    predicate_type: String,
    json: Vec<u8>,
}

/// A bundle that was read. Nothing in it can be trusted before [`Bundle::verify`].
#[derive(Clone, PartialEq, Debug)]
pub struct Bundle {
    envelope: Envelope,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BundleJson<'a> {
    media_type: &'a str,
    verification_material: VerificationMaterial,
    dsse_envelope: &'a Envelope,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerificationMaterial {
    public_key: PublicKeyHint,
}

#[derive(Serialize)]
struct PublicKeyHint {
    hint: String,
}

impl SignedBundle {
    /// Signs `statement`.
    ///
    /// # Errors
    /// Fails if the statement cannot be serialized.
    pub fn new(statement: &Statement, key: &SigningKey) -> Result<Self, serde_json::Error> {
        let envelope = Envelope::sign(dsse::IN_TOTO, &statement.to_json()?, key);
        let public_key = PublicKeyHint { hint: key.public_key().key_id() };
        let document = BundleJson {
            media_type: MEDIA_TYPE,
            verification_material: VerificationMaterial { public_key },
            dsse_envelope: &envelope,
        };
        Ok(Self { predicate_type: statement.predicate_type.clone(), json: json::to_bytes(&document)? })
    }

    /// Returns the bundle as canonical JSON.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// Returns the annotations of the manifest that refers to the bundle.
    pub fn annotations(&self) -> [(&'static str, String); 2] {
        [(CONTENT_ANNOTATION, DSSE_CONTENT.into()), (PREDICATE_TYPE_ANNOTATION, self.predicate_type.clone())]
    }
}

impl Bundle {
    /// Parses a bundle of version 0.3.
    ///
    /// # Errors
    /// Fails if it is not such a bundle, has no payload, or was signed with a certificate.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ReadBundle {
            media_type: String,
            verification_material: Option<Value>,
            dsse_envelope: Option<Envelope>,
        }
        let refused = |why: String| SignatureError::NotBundle(why);
        let bundle: ReadBundle = json::parse(bytes)
            .and_then(serde_json::from_value)
            .map_err(|error| refused(error.to_string()))?;
        if bundle.media_type != MEDIA_TYPE {
            return Err(refused(format!("its `mediaType` is `{}`", bundle.media_type)));
        }
        let material = bundle.verification_material.unwrap_or_default();
        if material.get("certificate").or(material.get("x509CertificateChain")).is_some() {
            return Err(SignatureError::Certificate);
        }
        let envelope = bundle.dsse_envelope.ok_or(SignatureError::NoPayload)?;
        envelope.unverified_payload().ok_or(SignatureError::NoPayload)?;
        Ok(Self { envelope })
    }

    /// Returns the statement, if it was signed with `key` and is about the image with this digest.
    ///
    /// # Errors
    /// Fails if the signature was made with another key or over other bytes, the payload is not an in-toto
    /// statement, or it is about another image.
    pub fn verify(&self, key: &PublicKey, image: &Digest) -> Result<Statement, SignatureError> {
        if !self.envelope.verifies(key) {
            return Err(SignatureError::WrongKey);
        }
        if self.envelope.payload_type() != dsse::IN_TOTO {
            let kind = self.envelope.payload_type();
            return Err(SignatureError::NotStatement(format!("the payload type is `{kind}`")));
        }
        self.unverified_statement(image)
    }

    /// Returns the statement without looking at the signature.
    ///
    /// # Errors
    /// Fails if the payload is not an in-toto statement, or it is about another image.
    pub fn unverified_statement(&self, image: &Digest) -> Result<Statement, SignatureError> {
        let payload = self.envelope.unverified_payload().ok_or(SignatureError::NoPayload)?;
        let statement = Statement::parse(&payload)?;
        match statement.is_about(image) {
            true => Ok(statement),
            false => Err(SignatureError::OtherSubject { wanted: *image }),
        }
    }
}
