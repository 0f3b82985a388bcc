//! Errors of keys and of signatures.

use coracle_core::digest::Digest;
use coracle_core::hint::Hint;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text has no PEM block.
    #[error("it is not in PEM format")]
    NotPem,
    /// The PEM block has another label.
    #[error("it contains `{label}`, which is not {wanted}")]
    OtherPem {
        /// The label of the first block.
        label: String,
        /// What is wanted.
        wanted: &'static str,
    },
    /// The key is encrypted, and there is no passphrase.
    #[error("it is encrypted, and there is no passphrase")]
    NoPassphrase,
    /// The passphrase is wrong, or the file was changed.
    #[error("the passphrase is wrong, or the file is damaged")]
    WrongPassphrase,
    /// The key is not of a supported type.
    #[error("its type is {found}, and only {wanted} keys are supported here")]
    UnsupportedType {
        /// The type, or an object identifier.
        found: String,
        /// The supported types.
        wanted: &'static str,
    },
    /// The content of the PEM block is invalid.
    #[error("it is damaged: {0}")]
    Invalid(String),
    /// The key was encrypted in a way that is not supported.
    #[error("its encryption is not supported: {0}")]
    UnsupportedEncryption(String),
    /// The system has no random numbers.
    #[error("cannot create a key: the system gives no random numbers: {0}")]
    NoRandomNumbers(String),
}

impl Hint for KeyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotPem | Self::Invalid(_) => {
                Some("`coracle key generate` creates a key, and cosign's keys can be used too".into())
            }
            Self::OtherPem { label, .. } if label == "PUBLIC KEY" => {
                Some("pass the private key: for signing, the public key is not enough".into())
            }
            Self::OtherPem { label, .. } if label.ends_with("PRIVATE KEY") => {
                Some("pass the public key, such as `cosign.pub`".into())
            }
            Self::OtherPem { .. } => Some("`coracle key generate` creates a pair of keys".into()),
            Self::NoPassphrase => Some(
                "set CORACLE_KEY_PASSWORD, or COSIGN_PASSWORD, to the passphrase; it can be empty".into(),
            ),
            Self::WrongPassphrase => Some("check CORACLE_KEY_PASSWORD, or COSIGN_PASSWORD".into()),
            Self::UnsupportedType { .. } => {
                Some("use a P-256 key, or sign with a program of your own: `--signer PROGRAM`".into())
            }
            Self::UnsupportedEncryption(_) => {
                Some("convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW`".into())
            }
            Self::NoRandomNumbers(_) => None,
        }
    }
}

/// Why a signature is not accepted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignatureError {
    /// The document is not a Sigstore bundle of a supported version.
    #[error("it is not a Sigstore bundle: {0}")]
    NotBundle(String),
    /// The bundle has no DSSE envelope with a payload.
    #[error("the bundle has no payload")]
    NoPayload,
    /// The bundle was signed with a certificate.
    #[error("it was signed with a certificate, not with a key")]
    Certificate,
    /// The signature does not match the key and the payload.
    #[error("it was made with another key, or its payload was changed")]
    WrongKey,
    /// The payload is not an in-toto statement.
    #[error("its payload is not an in-toto statement: {0}")]
    NotStatement(String),
    /// The statement is about another image.
    #[error("it is about another image, not about `{wanted}`")]
    OtherSubject {
        /// The digest of the image.
        wanted: Digest,
    },
    /// The simple signing payload is invalid.
    #[error("its payload is not a simple signing document: {0}")]
    NotSimpleSigning(String),
}
