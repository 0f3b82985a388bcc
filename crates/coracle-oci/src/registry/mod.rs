//! A client of the OCI distribution protocol: manifests, blobs, referrers and authentication.
//!
//! Blobs are streamed, received content is checked against its digest, and every response is read
//! up to a limit. The module does not depend on image layouts and does not read the environment:
//! its only configuration is [`Settings`].
//! Source: distribution-spec 1.1; for tokens, distribution's `docs/spec/auth`.
//!
//! ```no_run
//! use coracle::reference::Reference;
//! use coracle::registry::{Access, Client, Settings};
//!
//! let reference: Reference = "ghcr.io/acme/shop:1.2".parse()?;
//! let client = Client::new(Settings::default())?;
//! let shop = client.open(&(&reference).into(), &Access::Pull);
//! if let Some(manifest) = shop.manifest((&reference).into())? {
//!     println!("{} {}", manifest.digest, manifest.media_type);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod response;
mod authenticator;
mod request;
mod challenge;
mod client;
mod credentials;
mod error;
mod manifests;
mod no_proxy;
mod pull;
mod push;
mod referrers;
mod repository;
mod retry;
mod token_scope;
mod secret;
mod upload_session;
mod settings;
mod escape;
mod token;
mod url;
mod transport;

pub use response::{LoginStatus, Refusal};
pub use request::BlobContent;
pub use challenge::Challenge;
pub use client::{RegistryClient, RepositoryClient};
pub use error::{Error, TransportFailure, RequestSummary};
pub use manifests::{ManifestHead, PulledManifest, ManifestReference};
pub use pull::BlobReader;
pub use push::{PushOutcome, BlobUpload};
pub use referrers::Referrer;
pub use repository::Repository;
pub use token_scope::Access;
pub use secret::{Credential, Secret};
pub use settings::{RetryPolicy, RegistrySettings, Timeouts};
