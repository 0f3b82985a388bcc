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

mod answer;
mod auth;
mod call;
mod challenge;
mod client;
mod credentials;
mod error;
mod manifests;
mod proxy;
mod pull;
mod push;
mod referrers;
mod repository;
mod retry;
mod scope;
mod secret;
mod session;
mod settings;
mod text;
mod token;
mod url;
mod wire;

pub use answer::{Login, Refusal};
pub use call::Content;
pub use challenge::Challenge;
pub use client::{Client, Remote};
pub use error::{Error, Failure, Request};
pub use manifests::{Head, Manifest, Target};
pub use pull::BlobReader;
pub use push::{Pushed, Upload};
pub use referrers::Referrer;
pub use repository::Repository;
pub use scope::Access;
pub use secret::{Credential, Secret};
pub use settings::{Retries, Settings, Timeouts};
