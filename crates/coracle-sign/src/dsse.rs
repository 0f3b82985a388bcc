//! DSSE envelopes: a payload with its type, and signatures over both. Source:
//! secure-systems-lab/dsse, `envelope.md` and `protocol.md`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::public_key::PublicKey;
use crate::signing_key::SigningKey;

/// The payload type of in-toto statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// A signed payload.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The payload, in base64.
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct EnvelopeSignature {
    /// The signature, in base64. There is no `keyid`: cosign skips signatures with one that it has not
    /// chosen itself.
    sig: String,
}

impl Envelope {
    /// Signs `payload`.
    pub fn sign(payload_type: &str, payload: &[u8], key: &SigningKey) -> Self {
        let signature = key.sign(&pre_authentication_encoding(payload_type, payload));
        Self {
            payload: STANDARD.encode(payload),
            payload_type: payload_type.into(),
            signatures: vec![EnvelopeSignature { sig: STANDARD.encode(signature) }],
        }
    }

    /// Returns the type of the payload.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// Returns the payload without any verification; `None` if it is empty or not base64.
    pub fn unverified_payload(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.payload).ok().filter(|payload| !payload.is_empty())
    }

    /// Returns whether there is exactly one signature, and it was made with `key`.
    pub fn verifies(&self, key: &PublicKey) -> bool {
        let (Some(payload), [signature]) = (self.unverified_payload(), self.signatures.as_slice()) else {
            return false;
        };
        let message = pre_authentication_encoding(&self.payload_type, &payload);
        STANDARD.decode(&signature.sig).is_ok_and(|signature| key.verifies(&message, &signature))
    }
}

/// Returns the bytes that are signed: `DSSEv1`, the payload type and the payload, each with its length.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}
