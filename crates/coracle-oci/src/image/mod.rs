//! Creates the JSON documents of an image from its layers: config, manifest, and an index if there
//! are several platforms.
//!
//! A document is kept as its raw bytes, identified by a [`Descriptor`]; it is never serialized
//! again. Does not depend on where the image is written to. Source: image-spec, `config.md`,
//! `manifest.md`, `image-index.md`.

mod artifact;
mod config;
mod descriptor;
mod document_kind;
mod error;
mod image_graph;
mod image_set;
mod index;
pub mod media_type;

pub use artifact::{Artifact, ArtifactAnnotations};
pub use config::{ImageConfig, InheritedBase};
pub use descriptor::{Blob, Descriptor};
pub(crate) use document_kind::check_document_kind;
pub use error::ImageError;
pub(crate) use image_graph::MAX_DOCUMENT_SIZE;
pub use image_graph::{GraphError, ImageGraph, RawManifest, RunnableManifest};
pub use image_set::{Image, ImageSet};
pub use index::{IndexEntry, serialize_index};

#[cfg(test)]
mod tests;
