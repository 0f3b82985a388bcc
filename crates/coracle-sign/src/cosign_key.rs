//! cosign's format of an encrypted private key: JSON in a PEM block, with scrypt and NaCl's secretbox.
//! Source: secure-systems-lab/go-securesystemslib, `encrypted/encrypted.go`; NaCl, "Secret-key
//! authenticated encryption".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_core::json;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::KeyError;

/// The parameters that cosign writes. Others are read up to this cost, so that a key file cannot take
/// all memory.
const SCRYPT_N: u64 = 65536;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;

/// The size of Poly1305's key at the start of the key stream, and of its tag before the ciphertext.
const MAC_KEY_SIZE: usize = 32;
const TAG_SIZE: usize = 16;
const NONCE_SIZE: usize = 24;

#[derive(Serialize, Deserialize)]
struct EncryptedKey {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: ScryptParams,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct ScryptParams {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// Decrypts the JSON document `json`.
pub(crate) fn decrypt(json: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let document: EncryptedKey =
        serde_json::from_slice(json).map_err(|error| KeyError::Invalid(error.to_string()))?;
    let EncryptedKey { kdf, cipher, ciphertext } = document;
    if (kdf.name.as_str(), cipher.name.as_str()) != ("scrypt", "nacl/secretbox") {
        let shown = format!("`{}` with `{}`", kdf.name, cipher.name);
        return Err(KeyError::UnsupportedEncryption(shown));
    }
    let ScryptParams { n, r, p } = kdf.params;
    if n > SCRYPT_N || r > SCRYPT_R || p > SCRYPT_P || !n.is_power_of_two() || n < 2 {
        return Err(KeyError::UnsupportedEncryption(format!("scrypt with N={n}, r={r}, p={p}")));
    }
    let (salt, nonce) = (decode("salt", &kdf.salt)?, decode("nonce", &cipher.nonce)?);
    let nonce: [u8; NONCE_SIZE] =
        nonce.try_into().map_err(|_| KeyError::Invalid("its `nonce` has another length".into()))?;
    let key = derive_key(passphrase, &salt, &kdf.params)?;
    open_secretbox(&key, &nonce, &decode("ciphertext", &ciphertext)?).ok_or(KeyError::WrongPassphrase)
}

/// Encrypts `plaintext` as a JSON document, with random salt and nonce.
pub(crate) fn encrypt(plaintext: &[u8], passphrase: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (mut salt, mut nonce) = ([0; 32], [0; NONCE_SIZE]);
    for random in [&mut salt[..], &mut nonce[..]] {
        getrandom::fill(random).map_err(|error| KeyError::NoRandomNumbers(error.to_string()))?;
    }
    let params = ScryptParams { n: SCRYPT_N, r: SCRYPT_R, p: SCRYPT_P };
    let ciphertext = seal_secretbox(&*derive_key(passphrase, &salt, &params)?, &nonce, plaintext);
    let document = EncryptedKey {
        kdf: Kdf { name: "scrypt".into(), params, salt: STANDARD.encode(salt) },
        cipher: Cipher { name: "nacl/secretbox".into(), nonce: STANDARD.encode(nonce) },
        ciphertext: STANDARD.encode(ciphertext),
    };
    json::to_bytes(&document).map_err(|error| KeyError::Invalid(error.to_string()))
}

fn decode(what: &str, text: &str) -> Result<Vec<u8>, KeyError> {
    STANDARD.decode(text).map_err(|_| KeyError::Invalid(format!("its `{what}` is not base64")))
}

fn derive_key(
    passphrase: &[u8],
    salt: &[u8],
    &ScryptParams { n, r, p }: &ScryptParams,
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let invalid = |error: &dyn std::fmt::Display| KeyError::UnsupportedEncryption(error.to_string());
    let log_n = u8::try_from(n.ilog2()).map_err(|error| invalid(&error))?;
    let params = scrypt::Params::new(log_n, r, p).map_err(|error| invalid(&error))?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(passphrase, salt, &params, &mut *key).map_err(|error| invalid(&error))?;
    Ok(key)
}

/// Returns the tag and the ciphertext.
fn seal_secretbox(key: &[u8; 32], nonce: &[u8; NONCE_SIZE], plaintext: &[u8]) -> Vec<u8> {
    let (mac_key, mut sealed) = apply_key_stream(key, nonce, plaintext);
    let tag = Poly1305::new(&mac_key.into()).compute_unpadded(&sealed);
    let mut out = tag.to_vec();
    out.append(&mut sealed);
    out
}

/// Decrypts the tag and the ciphertext in `sealed`; `None` if the tag is wrong.
fn open_secretbox(key: &[u8; 32], nonce: &[u8; NONCE_SIZE], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (tag, ciphertext) = sealed.split_at_checked(TAG_SIZE)?;
    let (mac_key, plaintext) = apply_key_stream(key, nonce, ciphertext);
    let computed = Poly1305::new(&mac_key.into()).compute_unpadded(ciphertext);
    let plaintext = Zeroizing::new(plaintext);
    // A comparison that takes longer for a right prefix reveals nothing here: the file is local.
    (computed.as_slice() == tag).then_some(plaintext)
}

/// Returns the first bytes of the key stream, which are Poly1305's key, and `text` combined with the
/// rest of it.
fn apply_key_stream(key: &[u8; 32], nonce: &[u8; NONCE_SIZE], text: &[u8]) -> ([u8; MAC_KEY_SIZE], Vec<u8>) {
    let mut stream = XSalsa20::new(key.into(), nonce.into());
    let (mut mac_key, mut text) = ([0; MAC_KEY_SIZE], text.to_vec());
    stream.apply_keystream(&mut mac_key);
    stream.apply_keystream(&mut text);
    (mac_key, text)
}
