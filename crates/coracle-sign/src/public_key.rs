//! Public keys, and the verification of signatures with them: P-256, P-384, Ed25519 and RSA.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::EncodePublicKey as _;
use pkcs8::spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use sha2::{Digest as _, Sha256};

use crate::error::KeyError;
use crate::pem::{self, PemBlock};

/// Supported types of keys.
const SUPPORTED: &str = "P-256, P-384, Ed25519 and RSA";

/// A public key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    /// `SubjectPublicKeyInfo` in DER.
    spki: Vec<u8>,
    /// The content of the bit string in it.
    content: Vec<u8>,
    kind: KeyKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum KeyKind {
    P256,
    P384,
    Ed25519,
    Rsa,
}

impl PublicKey {
    /// Parses a key in PEM format, as `cosign.pub` has it.
    ///
    /// # Errors
    /// Fails if `text` has no public key of a supported type.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let blocks = pem::parse(text);
        let block = blocks.iter().find(|block| block.label == "PUBLIC KEY");
        let PemBlock { content, .. } = block.ok_or_else(|| match blocks.first() {
            None => KeyError::NotPem,
            Some(other) => KeyError::OtherPem { label: other.label.clone(), wanted: "a public key" },
        })?;
        let content = content.as_ref().ok_or_else(|| KeyError::Invalid("it is not base64".into()))?;
        Self::from_spki(content)
    }

    fn from_spki(spki: &[u8]) -> Result<Self, KeyError> {
        let info =
            SubjectPublicKeyInfoRef::try_from(spki).map_err(|error| KeyError::Invalid(error.to_string()))?;
        let kind = match key_type_name(&info.algorithm) {
            Ok("P-256") => KeyKind::P256,
            Ok("P-384") => KeyKind::P384,
            Ok("Ed25519") => KeyKind::Ed25519,
            Ok("RSA") => KeyKind::Rsa,
            Ok(name) => return Err(unsupported(name)),
            Err(oid) => return Err(unsupported(&oid)),
        };
        let content = info.subject_public_key.raw_bytes().to_vec();
        Ok(Self { spki: spki.to_vec(), content, kind })
    }

    pub(crate) fn from_p256(key: &p256::PublicKey) -> Self {
        let content = key.to_sec1_bytes().to_vec();
        // The encoding of a valid point does not fail.
        let spki = key.to_public_key_der().map(|der| der.as_bytes().to_vec()).unwrap_or_default();
        Self { spki, content, kind: KeyKind::P256 }
    }

    /// Returns the key as a PEM file.
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.spki).to_string()
    }

    /// Returns the identifier that bundles name the key by: the SHA-256 of its DER, in base64. Source:
    /// sigstore/cosign, `pkg/cosign/bundle/sign.go`.
    pub fn key_id(&self) -> String {
        STANDARD.encode(Sha256::digest(&self.spki))
    }

    /// Returns whether `signature` was made with this key over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithms: &[&'static dyn VerificationAlgorithm] = match self.kind {
            KeyKind::P256 => &[&signature::ECDSA_P256_SHA256_ASN1],
            // cosign used SHA-256 for all curves before version 3.
            KeyKind::P384 => &[&signature::ECDSA_P384_SHA384_ASN1, &signature::ECDSA_P384_SHA256_ASN1],
            KeyKind::Ed25519 => &[&signature::ED25519],
            KeyKind::Rsa => &[&signature::RSA_PKCS1_2048_8192_SHA256],
        };
        algorithms.iter().any(|algorithm| {
            UnparsedPublicKey::new(*algorithm, &self.content).verify(message, signature).is_ok()
        })
    }
}

/// Returns the name of a type of keys, or else its object identifiers.
pub(crate) fn key_type_name(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<&'static str, String> {
    const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const CURVES: [(ObjectIdentifier, &str); 4] = [
        (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), "P-256"),
        (ObjectIdentifier::new_unwrap("1.3.132.0.34"), "P-384"),
        (ObjectIdentifier::new_unwrap("1.3.132.0.35"), "P-521"),
        (ObjectIdentifier::new_unwrap("1.3.132.0.10"), "secp256k1"),
    ];
    const OTHERS: [(ObjectIdentifier, &str); 3] = [
        (ObjectIdentifier::new_unwrap("1.3.101.112"), "Ed25519"),
        (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"), "RSA"),
        (ObjectIdentifier::new_unwrap("1.2.840.10040.4.1"), "DSA"),
    ];
    let (oid, names) = match algorithm.oid {
        EC => (algorithm.parameters_oid().map_err(|error| error.to_string())?, &CURVES[..]),
        oid => (oid, &OTHERS[..]),
    };
    let found = names.iter().find(|(known, _)| *known == oid);
    found.map(|(_, name)| *name).ok_or_else(|| oid.to_string())
}

fn unsupported(found: &str) -> KeyError {
    KeyError::UnsupportedType { found: found.to_owned(), wanted: SUPPORTED }
}
