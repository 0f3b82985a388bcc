//! Keys and signatures of other programs, and what is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_core::digest::Digest;
use coracle_core::hint::Hint as _;
use serde_json::{Value, json};

use crate::bundle::{Bundle, SignedBundle};
use crate::dsse::{self, Envelope};
use crate::error::{KeyError, SignatureError};
use crate::public_key::PublicKey;
use crate::signing_key::SigningKey;
use crate::simple_signing::SimpleSignature;
use crate::statement::{SLSA_PROVENANCE, Statement};

/// Made with `cosign generate-key-pair` of cosign 3.1.3 and the passphrase `pw`.
const COSIGN_KEY: &str = include_str!("../tests/keys/cosign.key");
const COSIGN_PUB: &str = include_str!("../tests/keys/cosign.pub");

/// A key of RFC 6979, A.2.5, in SEC 1.
fn rfc_6979_key() -> SigningKey {
    let hex = "30310201010420c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721a00a06082a8648ce3d030107";
    let der: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let pem = crate::pem::encode("EC PRIVATE KEY", &der);
    SigningKey::from_pem(pem.as_bytes(), None).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn signatures_are_those_of_rfc_6979() {
    let signature = hex(&rfc_6979_key().sign(b"sample"));
    assert!(
        signature.contains("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"),
        "{signature}"
    );
    assert!(
        signature.contains("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"),
        "{signature}"
    );
}

#[test]
fn reads_keys_of_cosign() {
    let key = SigningKey::from_pem(COSIGN_KEY.as_bytes(), Some(b"pw")).unwrap();
    assert_eq!(key.public_key(), PublicKey::from_pem(COSIGN_PUB.as_bytes()).unwrap());
    assert_eq!(key.public_key().to_pem(), COSIGN_PUB);
    let wrong = SigningKey::from_pem(COSIGN_KEY.as_bytes(), Some(b"px")).unwrap_err();
    assert!(matches!(wrong, KeyError::WrongPassphrase), "{wrong}");
    let none = SigningKey::from_pem(COSIGN_KEY.as_bytes(), None).unwrap_err();
    assert!(none.hint().unwrap().contains("COSIGN_PASSWORD"), "{none}");
}

#[test]
fn written_keys_are_read_again() {
    let key = SigningKey::generate().unwrap();
    let plain = key.to_pkcs8_pem().unwrap();
    let encrypted = key.to_encrypted_pem(b"").unwrap();
    for (pem, passphrase) in [(&plain, None), (&encrypted, Some(&b""[..]))] {
        let read = SigningKey::from_pem(pem.as_bytes(), passphrase).unwrap();
        assert_eq!(read.public_key(), key.public_key());
    }
    assert_eq!(PublicKey::from_pem(key.public_key().to_pem().as_bytes()).unwrap(), key.public_key());
}

#[test]
fn reads_pkcs8_that_openssl_has_encrypted() {
    for pem in [include_str!("../tests/keys/pbkdf2.key"), include_str!("../tests/keys/scrypt.key")] {
        let key = SigningKey::from_pem(pem.as_bytes(), Some(b"pw")).unwrap();
        let public = PublicKey::from_pem(include_bytes!("../tests/keys/openssl.pub")).unwrap();
        assert_eq!(key.public_key(), public);
        let wrong = SigningKey::from_pem(pem.as_bytes(), Some(b"other")).unwrap_err();
        assert!(matches!(wrong, KeyError::WrongPassphrase), "{wrong}");
        assert!(matches!(SigningKey::from_pem(pem.as_bytes(), None), Err(KeyError::NoPassphrase)));
    }
}

#[test]
fn verifies_with_other_types_of_keys() {
    for (pem, signature) in [
        (include_str!("../tests/keys/p384.pub"), include_str!("../tests/keys/p384.sha384.sig")),
        (include_str!("../tests/keys/p384.pub"), include_str!("../tests/keys/p384.sha256.sig")),
        (include_str!("../tests/keys/ed25519.pub"), include_str!("../tests/keys/ed25519.sig")),
        (include_str!("../tests/keys/rsa.pub"), include_str!("../tests/keys/rsa.sig")),
    ] {
        let key = PublicKey::from_pem(pem.as_bytes()).unwrap();
        let mut signature = STANDARD.decode(signature.trim()).unwrap();
        assert!(key.verifies(b"hello", &signature), "{pem}");
        assert!(!key.verifies(b"hellO", &signature), "{pem}");
        signature[9] ^= 1;
        assert!(!key.verifies(b"hello", &signature), "{pem}");
    }
}

#[test]
fn refuses_other_files_as_keys() {
    let ed25519 = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n";
    for (text, why, hint) in [
        ("", "it is not in PEM format", "coracle key generate"),
        ("\u{1}\u{2}", "it is not in PEM format", "coracle key generate"),
        (COSIGN_PUB, "it contains `PUBLIC KEY`, which is not a private key", "pass the private key"),
        (ed25519, "its type is Ed25519, and only P-256 keys", "--signer PROGRAM"),
        (
            "-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----",
            "it is damaged: it is not base64",
            "coracle key",
        ),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "it is damaged", "coracle key"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "it contains `CERTIFICATE`",
            "coracle key",
        ),
        (
            "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----",
            "it is damaged",
            "coracle key",
        ),
    ] {
        let error = SigningKey::from_pem(text.as_bytes(), Some(b"pw")).unwrap_err();
        assert!(error.to_string().starts_with(why), "{text}: {error}");
        assert!(error.hint().unwrap().contains(hint), "{text}: {:?}", error.hint());
    }
    let error = PublicKey::from_pem(COSIGN_KEY.as_bytes()).unwrap_err();
    assert!(error.hint().unwrap().starts_with("pass the public key"), "{error}");
}

#[test]
fn a_bundle_has_the_form_that_cosign_writes() {
    let (key, image) = (rfc_6979_key(), Digest::compute(b"image"));
    let signed = SignedBundle::new(&Statement::image_signature(image), &key).unwrap();
    assert_eq!(signed, SignedBundle::new(&Statement::image_signature(image), &key).unwrap());
    let document: Value = serde_json::from_slice(signed.json()).unwrap();
    assert_eq!(document["verificationMaterial"]["publicKey"]["hint"], key.public_key().key_id());
    let payload = STANDARD.decode(document["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let expected = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","predicate":{{}},"predicateType":"https://sigstore.dev/cosign/sign/v1","subject":[{{"digest":{{"sha256":"{}"}}}}]}}"#,
        image.hex()
    );
    assert_eq!(String::from_utf8(payload).unwrap(), expected);
    assert_eq!(document["dsseEnvelope"]["payloadType"], "application/vnd.in-toto+json");
}

#[test]
fn pre_authentication_encoding_is_that_of_the_specification() {
    let encoded = dsse::pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

/// Returns the error of a bundle whose JSON `change` has changed.
fn refused(change: impl FnOnce(&mut Value)) -> SignatureError {
    let (key, image) = (rfc_6979_key(), Digest::compute(b"image"));
    let signed = SignedBundle::new(&Statement::new(image, SLSA_PROVENANCE, json!({"a": 1})), &key).unwrap();
    let mut document: Value = serde_json::from_slice(signed.json()).unwrap();
    change(&mut document);
    let bundle = Bundle::parse(document.to_string().as_bytes());
    bundle.and_then(|bundle| bundle.verify(&key.public_key(), &image)).unwrap_err()
}

#[test]
fn refuses_changed_bundles() {
    let payload = |statement: &Value| STANDARD.encode(statement.to_string());
    let changed = refused(|bundle| {
        let old = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
        let mut statement: Value = serde_json::from_slice(&old).unwrap();
        statement["predicate"]["a"] = 2.into();
        bundle["dsseEnvelope"]["payload"] = payload(&statement).into();
    });
    assert_eq!(changed, SignatureError::WrongKey);
    let kind = refused(|bundle| bundle["dsseEnvelope"]["payloadType"] = "text/plain".into());
    assert_eq!(kind, SignatureError::WrongKey, "the payload type is signed too");
    for empty in [json!(null), json!("")] {
        let error = refused(|bundle| bundle["dsseEnvelope"]["payload"] = empty.clone());
        assert!(matches!(error, SignatureError::NoPayload | SignatureError::NotBundle(_)), "{error}");
    }
    assert_eq!(
        refused(|bundle| drop(bundle.as_object_mut().unwrap().remove("dsseEnvelope"))),
        SignatureError::NoPayload
    );
    for signatures in [json!([]), json!([{"sig": ""}]), json!([{"sig": "AA=="}, {"sig": "AA=="}])] {
        let error = refused(|bundle| bundle["dsseEnvelope"]["signatures"] = signatures.clone());
        assert_eq!(error, SignatureError::WrongKey, "{signatures}");
    }
    let doubled = refused(|bundle| {
        let signatures = bundle["dsseEnvelope"]["signatures"].as_array_mut().unwrap();
        signatures.push(signatures[0].clone());
    });
    assert_eq!(doubled, SignatureError::WrongKey, "a bundle has one signature");
    let old =
        refused(|bundle| bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1".into());
    assert!(matches!(old, SignatureError::NotBundle(_)), "{old}");
    let keyless =
        refused(|bundle| bundle["verificationMaterial"] = json!({"certificate": {"rawBytes": "AA=="}}));
    assert_eq!(keyless, SignatureError::Certificate);
}

#[test]
fn refuses_payloads_that_are_no_statements_although_they_are_signed() {
    let (key, image) = (rfc_6979_key(), Digest::compute(b"image"));
    let verify = |kind: &str, payload: &[u8]| {
        let envelope = Envelope::sign(kind, payload, &key);
        let bundle = json!({
            "mediaType": crate::bundle::MEDIA_TYPE, "dsseEnvelope": envelope,
            "verificationMaterial": {"publicKey": {"hint": "x"}},
        });
        Bundle::parse(bundle.to_string().as_bytes()).unwrap().verify(&key.public_key(), &image).unwrap_err()
    };
    let statement = Statement::image_signature(image).to_json().unwrap();
    assert!(verify("text/plain", &statement).to_string().contains("`text/plain`"));
    assert!(verify(dsse::IN_TOTO, b"[]").to_string().contains("not an in-toto statement"));
    let other = String::from_utf8(statement.clone()).unwrap().replace("Statement/v1", "Statement/v9");
    assert!(verify(dsse::IN_TOTO, other.as_bytes()).to_string().contains("Statement/v9"));
    let elsewhere = Statement::image_signature(Digest::compute(b"other")).to_json().unwrap();
    assert_eq!(verify(dsse::IN_TOTO, &elsewhere), SignatureError::OtherSubject { wanted: image });
}

#[test]
fn simple_signatures_are_about_one_digest() {
    let (key, image) = (rfc_6979_key(), Digest::compute(b"image"));
    let signed = SimpleSignature::new(image, "ghcr.io/acme/shop", &key).unwrap();
    assert_eq!(signed.verify(&key.public_key(), &image).unwrap(), "ghcr.io/acme/shop");
    let other = Digest::compute(b"other");
    assert_eq!(
        signed.verify(&key.public_key(), &other).unwrap_err(),
        SignatureError::OtherSubject { wanted: other }
    );
    let text = String::from_utf8(signed.payload.clone()).unwrap().replace("acme", "evil");
    let forged = SimpleSignature { payload: text.into_bytes(), ..signed.clone() };
    assert_eq!(forged.verify(&key.public_key(), &image).unwrap_err(), SignatureError::WrongKey);
    let another = SigningKey::generate().unwrap().public_key();
    assert_eq!(signed.verify(&another, &image).unwrap_err(), SignatureError::WrongKey);
}

proptest::proptest! {
    /// Keys and bundles are files of others: whatever is in them, there is an error and no panic.
    #[test]
    fn changed_keys_and_bundles_do_not_panic(at in 0_usize..600, byte: u8, cut in 0_usize..600) {
        let signed = SignedBundle::new(&Statement::image_signature(Digest::compute(b"")), &rfc_6979_key()).unwrap();
        for file in [COSIGN_KEY.as_bytes(), COSIGN_PUB.as_bytes(), signed.json(), include_bytes!("../tests/keys/rsa.pub")] {
            let mut file = file.to_vec();
            let length = file.len();
            file[at % length] = byte;
            file.truncate(length - cut % length);
            let _ = PublicKey::from_pem(&file);
            let _ = SigningKey::from_pem(&file, None);
            if let Ok(bundle) = Bundle::parse(&file) {
                let _ = bundle.verify(&rfc_6979_key().public_key(), &Digest::compute(b""));
            }
        }
    }
}
