//! What an image takes over from the one that it stands on.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Descriptor;
use coracle_core::digest::DiffId;
use crate::layer::Codec;

/// A base image, as the image above it needs to know it; the default is none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Base {
    /// Its layers with the digests of their tars, the lowest first.
    pub layers: Vec<(Descriptor, DiffId)>,
    /// How they came to be, as its config has it.
    pub history: Vec<Value>,
    /// Members of its config's `config` that are kept as they are, such as `Volumes`.
    pub members: BTreeMap<String, Value>,
}

/// The specification's own name for the media type of a layer, where Docker has another.
pub fn oci_layer(media_type: &str) -> &str {
    match media_type {
        "application/vnd.docker.image.rootfs.diff.tar" => Codec::None.media_type(),
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => Codec::Gzip.media_type(),
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => Codec::Zstd.media_type(),
        other => other,
    }
}
