//! A client of the OCI distribution protocol: manifests, blobs, referrers and authentication.
//!
//! Blobs are streamed, received content is checked against its digest, and every response is read
//! up to a limit. The module does not depend on image layouts and does not read the environment:
//! its only configuration is [`RegistrySettings`]. Without the feature `registry` there is no HTTP
//! transport, so no [`RegistryClient`] can be created.
//! Source: distribution-spec 1.1; for tokens, distribution's `docs/spec/auth`.
//!
//! ```no_run
//! # #[cfg(feature = "registry")] {
//! use coracle_core::reference::ImageReference;
//! use coracle_oci::registry::{Access, RegistryClient, RegistrySettings};
//!
//! let reference: ImageReference = "ghcr.io/acme/shop:1.2".parse()?;
//! let client = RegistryClient::new(RegistrySettings::default())?;
//! let shop = client.repository_client(&(&reference).into(), &Access::Pull);
//! if let Some(manifest) = shop.pull_manifest((&reference).into())? {
//!     println!("{} {}", manifest.digest, manifest.media_type);
//! }
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(
    not(feature = "registry"),
    allow(dead_code, reason = "without a transport no client can be created")
)]

mod add_referrer;
mod authenticator;
mod challenge;
mod client;
mod credentials;
mod error;
mod error_response;
mod escape;
mod http_transport;
mod manifests;
#[cfg(feature = "registry")]
mod minimum_rate;
mod pull_blobs;
mod push_blobs;
mod referrers;
mod repository;
mod request;
mod request_sender;
mod response;
mod retry;
mod secret;
mod settings;
mod token;
mod upload_session;
#[cfg(feature = "registry")]
mod ureq_transport;
mod url;

pub use challenge::Challenge;
pub use client::{RegistryClient, RepositoryClient};
pub use error::RegistryError;
pub use error_response::{ErrorResponse, LoginStatus};
pub use http_transport::TransportFailure;
pub use manifests::{ManifestHead, ManifestReference};
pub use pull_blobs::BlobReader;
pub use push_blobs::PushOutcome;
pub use referrers::{MAX_REFERRERS, Referrer};
pub use repository::Repository;
pub use request::{BlobContent, RequestSummary};
pub use secret::{Credential, Secret};
pub use settings::{RegistrySettings, RetryPolicy, Timeouts};
pub use token::Access;
pub use upload_session::BlobUpload;
