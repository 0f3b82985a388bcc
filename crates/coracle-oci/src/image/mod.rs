//! Creates the JSON documents of an image from its layers: config, manifest, and an index if there
//! are several platforms.
//!
//! A document is kept as its raw bytes, identified by a [`Descriptor`]; it is never serialized
//! again. Does not depend on where the image is written to. Source: image-spec, `config.md`,
//! `manifest.md`, `image-index.md`.

mod artifact;
mod config;
mod descriptor;
mod image_graph;
mod image_set;
mod index;
mod inherited_base;
mod manifest;
mod rfc3339;

pub use artifact::Artifact;
pub use config::ImageConfig;
pub use descriptor::{Blob, Descriptor};
pub use image_graph::{GraphError, ImageGraph, RawManifest, RunnableManifest};
pub use image_set::ImageSet;
pub use index::{IndexEntry, create_index};
pub use inherited_base::{InheritedBase, oci_layer_media_type};
pub use manifest::Image;

use coracle_core::platform::Platform;

/// Media types of the image specification.
pub mod media_type {
    /// A manifest: config and layers of one platform.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An index: the manifests of several platforms.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An image config.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// The empty config of an artifact.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
}

/// Why the documents of an image cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A time that RFC 3339 cannot represent.
    #[error("`{0}` seconds after 1970 is later than the year 9999")]
    EpochOutOfRange(u64),
    /// There is no image for any platform.
    #[error("an image needs at least one platform")]
    NoPlatform,
    /// Two images have the same platform.
    #[error("two images are for `{0}`")]
    DuplicatePlatform(Platform),
    /// A value cannot be serialized.
    #[error("cannot write `{what}` as JSON")]
    Serialize {
        /// The document, such as `config`.
        what: &'static str,
        /// The cause.
        source: serde_json::Error,
    },
}

impl ImageError {
    /// A suggested next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::EpochOutOfRange(_) => Some("pass the epoch in seconds, not in milliseconds".into()),
            Self::DuplicatePlatform(_) => {
                Some("build all programs of a platform into one image, or remove one of them".into())
            }
            Self::NoPlatform | Self::Serialize { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
