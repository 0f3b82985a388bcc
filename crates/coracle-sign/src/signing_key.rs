//! Private keys: P-256, in the files that cosign and OpenSSL write.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey as EcdsaKey};
use pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use crate::cosign_key;
use crate::error::KeyError;
use crate::pem::{self, PemBlock};
use crate::public_key::{PublicKey, key_type_name};

/// The label of a PEM block that cosign writes, and that of cosign 1.
const COSIGN_LABELS: [&str; 2] = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];

/// A P-256 private key. Signatures are deterministic.
#[derive(Clone)]
pub struct SigningKey {
    key: p256::SecretKey,
}

impl SigningKey {
    /// Creates a random key.
    ///
    /// # Errors
    /// Fails if the system gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(&mut *bytes).map_err(|error| KeyError::NoRandomNumbers(error.to_string()))?;
            // A number above the order of the group is no key; that is as good as impossible.
            if let Ok(key) = p256::SecretKey::from_slice(&*bytes) {
                return Ok(Self { key });
            }
        }
    }

    /// Parses a key in PEM format: PKCS#8, plain or encrypted; SEC 1, as `openssl ecparam` writes it; or
    /// cosign's encrypted format. A passphrase is used only if the key is encrypted.
    ///
    /// # Errors
    /// Fails if `text` has no such key, it is not for P-256, or the passphrase is missing or wrong.
    pub fn from_pem(text: &[u8], passphrase: Option<&[u8]>) -> Result<Self, KeyError> {
        let blocks = pem::parse(text);
        let block = blocks.iter().find(|block| is_private_key(&block.label));
        let PemBlock { label, content } = block.ok_or_else(|| match blocks.first() {
            None => KeyError::NotPem,
            Some(other) => KeyError::OtherPem { label: other.label.clone(), wanted: "a private key" },
        })?;
        let content = content.as_ref().ok_or_else(|| KeyError::Invalid("it is not base64".into()))?;
        let passphrase = || passphrase.ok_or(KeyError::NoPassphrase);
        match label.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(content),
            "EC PRIVATE KEY" => match is_openssl_encrypted(text) {
                true => Err(KeyError::UnsupportedEncryption("OpenSSL's own form (`DEK-Info`)".into())),
                false => p256::SecretKey::from_sec1_der(content)
                    .map(|key| Self { key })
                    .map_err(|_| unsupported("an elliptic curve other than P-256")),
            },
            "ENCRYPTED PRIVATE KEY" => Self::from_pkcs8(&decrypt_pkcs8(content, passphrase()?)?),
            _ => Self::from_pkcs8(&cosign_key::decrypt(content, passphrase()?)?),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|error| KeyError::Invalid(error.to_string()))?;
        match key_type_name(&info.algorithm) {
            Ok("P-256") => p256::SecretKey::from_pkcs8_der(der)
                .map(|key| Self { key })
                .map_err(|error| KeyError::Invalid(error.to_string())),
            Ok(name) => Err(unsupported(name)),
            Err(oid) => Err(unsupported(&oid)),
        }
    }

    /// Returns the key as a PEM file in PKCS#8, without encryption.
    ///
    /// # Errors
    /// Fails if the key cannot be encoded.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(pem::encode("PRIVATE KEY", &self.to_pkcs8()?))
    }

    /// Returns the key as a PEM file in cosign's format, encrypted with `passphrase`.
    ///
    /// # Errors
    /// Fails if the key cannot be encoded, or the system gives no random numbers.
    pub fn to_encrypted_pem(&self, passphrase: &[u8]) -> Result<Zeroizing<String>, KeyError> {
        let [label, _] = COSIGN_LABELS;
        Ok(pem::encode(label, &cosign_key::encrypt(&self.to_pkcs8()?, passphrase)?))
    }

    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let der = self.key.to_pkcs8_der().map_err(|error| KeyError::Invalid(error.to_string()))?;
        Ok(Zeroizing::new(der.as_bytes().to_vec()))
    }

    /// Returns the public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_p256(&self.key.public_key())
    }

    /// Signs `message` with ECDSA and SHA-256. The signature is in DER, and always the same for the same
    /// message. Source: RFC 6979.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = EcdsaKey::from(&self.key).sign(message);
        signature.as_bytes().to_vec()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

/// Returns whether a PEM block with this label holds a private key that can be read.
fn is_private_key(label: &str) -> bool {
    COSIGN_LABELS.contains(&label)
        || ["PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"].contains(&label)
}

/// Returns whether a SEC 1 block is encrypted in OpenSSL's traditional form.
fn is_openssl_encrypted(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).contains("DEK-Info:")
}

fn decrypt_pkcs8(der: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let info = EncryptedPrivateKeyInfoRef::try_from(der)
        .map_err(|error| KeyError::UnsupportedEncryption(error.to_string()))?;
    // A wrong passphrase shows in the padding, or in what was decrypted.
    let plain = info.decrypt(passphrase).map_err(|_| KeyError::WrongPassphrase)?;
    let plain = Zeroizing::new(plain.as_bytes().to_vec());
    PrivateKeyInfoRef::try_from(plain.as_slice()).map_err(|_| KeyError::WrongPassphrase)?;
    Ok(plain)
}

fn unsupported(found: &str) -> KeyError {
    KeyError::UnsupportedType { found: found.to_owned(), wanted: "P-256" }
}
