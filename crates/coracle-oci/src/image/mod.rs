//! Layers in, the JSON of an image out: config, manifest, and an index over several platforms.
//!
//! The raw bytes are the truth, a [`Descriptor`] names them, and nothing is written anew once it has a digest. It does
//! not know where the image goes. Source: image-spec, `config.md`, `manifest.md`, `image-index.md`.

mod artifact;
mod base;
mod config;
mod descriptor;
mod graph;
mod index;
mod manifest;
mod root;
mod time;

pub use artifact::Artifact;
pub use base::{Base, oci_layer};
pub use config::Config;
pub use descriptor::{Blob, Descriptor};
pub use graph::{Document, Graph, GraphError, Runnable};
pub use index::{Member, index};
pub use manifest::Image;
pub use root::Root;

use coracle_core::platform::Platform;

/// Media types of the image specification.
pub mod media_type {
    /// A manifest: the config and the layers of one platform.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An index: the manifests of several platforms.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// A config.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A config that says nothing, of an artifact.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
}

/// Why an image can't be described.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A time that RFC 3339 can't write.
    #[error("`{0}` seconds after 1970 lie beyond the year 9999")]
    Epoch(u64),
    /// An image for no platform at all.
    #[error("an image needs at least one platform")]
    NoPlatform,
    /// One platform twice in an index.
    #[error("two images are for `{0}`")]
    SamePlatform(Platform),
    /// Values that JSON does not know.
    #[error("cannot write `{what}` as JSON")]
    Json {
        /// Which document.
        what: &'static str,
        /// Which value.
        source: serde_json::Error,
    },
}

impl Error {
    /// The next step, where there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Epoch(_) => Some("give the epoch in seconds, not in milliseconds".into()),
            Self::SamePlatform(_) => {
                Some("build programs of one platform into one image, or leave one of them out".into())
            }
            Self::NoPlatform | Self::Json { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
