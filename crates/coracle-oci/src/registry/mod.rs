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

mod authenticator;
mod challenge;
mod client;
mod credentials;
mod error;
mod escape;
mod manifests;
mod no_proxy;
mod pull;
mod push;
mod referrers;
mod repository;
mod request;
mod response;
mod retry;
mod secret;
mod settings;
mod token;
mod token_scope;
mod transport;
mod upload_session;
mod url;

pub use challenge::Challenge;
pub use client::{RegistryClient, RepositoryClient};
pub use error::{Error, RequestSummary, TransportFailure};
pub use manifests::{ManifestHead, ManifestReference, PulledManifest};
pub use pull::BlobReader;
pub use push::{BlobUpload, PushOutcome};
pub use referrers::Referrer;
pub use repository::Repository;
pub use request::BlobContent;
pub use response::{LoginStatus, Refusal};
pub use secret::{Credential, Secret};
pub use settings::{RegistrySettings, RetryPolicy, Timeouts};
pub use token_scope::Access;
