//! What an image inherits from its base image.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Descriptor;
use crate::layer::Codec;
use coracle_core::digest::DiffId;

/// The inherited parts of a base image. The default is an image without a base.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InheritedBase {
    /// The layers and their diff IDs, the lowest first.
    pub layers: Vec<(Descriptor, DiffId)>,
    /// The `history` of its config.
    pub history: Vec<Value>,
    /// Members of `config` in its config that are kept unchanged, such as `Volumes`.
    pub config_members: BTreeMap<String, Value>,
}

/// Returns the OCI media type of a layer for Docker's; other media types are returned unchanged.
pub fn oci_layer_media_type(media_type: &str) -> &str {
    match media_type {
        "application/vnd.docker.image.rootfs.diff.tar" => Codec::None.media_type(),
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => Codec::Gzip.media_type(),
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => Codec::Zstd.media_type(),
        other => other,
    }
}
