//! Media types of the image specification, and Docker's media types that are read.

use crate::layer::Codec;

/// A manifest: config and layers of one platform.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An index: the manifests of several platforms.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The empty config of an artifact.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// A manifest of Docker.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// An index of Docker.
pub const DOCKER_MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Returns the OCI media type of a layer for Docker's; other media types are returned unchanged.
pub fn oci_layer_media_type(media_type: &str) -> &str {
    match media_type {
        "application/vnd.docker.image.rootfs.diff.tar" => Codec::None.media_type(),
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => Codec::Gzip.media_type(),
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => Codec::Zstd.media_type(),
        other => other,
    }
}
