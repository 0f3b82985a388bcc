//! Signatures over OCI images, and over statements about them, with a key.
//!
//! A signature is a Sigstore bundle: a [DSSE envelope](dsse::Envelope) with an
//! [in-toto statement](statement::Statement) about the digest of an image. `cosign verify --key` of
//! cosign 3 accepts it, as do Kyverno and policy-controller. [`simple_signing`] has the older form that
//! container engines verify.
//!
//! | Module | What it has |
//! | --- | --- |
//! | [`signing_key`], [`public_key`] | private keys in all usual files, public keys |
//! | [`bundle`], [`dsse`], [`statement`] | a signed statement, and its parts |
//! | [`simple_signing`] | the payload and annotation that engines verify |
//! | [`signer`] | makes signatures as artifacts: with a key, or with a program |
//! | [`stored`] | checks the signatures that are stored with an image |
//!
//! Signatures are deterministic (RFC 6979): the same key, statement and digest always have the same
//! bytes. The crate reads neither the environment nor the clock. `coracle-oci` pushes artifacts, and reads
//! them again.
//!
//! Sources: [DSSE](https://github.com/secure-systems-lab/dsse), [in-toto
//! attestations](https://github.com/in-toto/attestation), [Sigstore
//! bundles](https://github.com/sigstore/protobuf-specs), cosign's `BUNDLE_SPEC.md` and
//! `SIGNATURE_SPEC.md`.
//!
//! ```
//! use coracle_core::digest::Digest;
//! use coracle_sign::bundle::{Bundle, SignedBundle};
//! use coracle_sign::signing_key::SigningKey;
//! use coracle_sign::statement::Statement;
//!
//! let key = SigningKey::generate()?;
//! let image = Digest::compute(b"a manifest");
//! let signed = SignedBundle::new(&Statement::image_signature(image), &key)?;
//!
//! let bundle = Bundle::parse(signed.json())?;
//! let statement = bundle.verify(&key.public_key(), &image)?;
//! assert_eq!(statement.predicate_type, "https://sigstore.dev/cosign/sign/v1");
//! assert!(bundle.verify(&key.public_key(), &Digest::compute(b"another")).is_err());
//! assert!(bundle.verify(&SigningKey::generate()?.public_key(), &image).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bundle;
mod cosign_key;
pub mod dsse;
pub mod error;
mod pem;
pub mod public_key;
pub mod signer;
pub mod signing_key;
pub mod simple_signing;
pub mod statement;
pub mod stored;

#[cfg(test)]
mod tests;
