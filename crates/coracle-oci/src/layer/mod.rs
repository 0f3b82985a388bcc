//! Packs file entries into one compressed layer: tar, both digests and compression in one
//! streaming pass.
//!
//! The bytes depend only on the entries, never on the number of cores, read sizes or timing.
//! Memory use is bounded. Does not depend on manifests or destinations. Source: image-spec,
//! `layer.md`.

mod compression;
mod encoder;
mod error;
pub(crate) mod hashing_file_writer;
mod pack;
mod parallel_compression;
pub mod tar_header;
mod tar_stream;
pub(crate) mod verify_cached_blob;

pub use compression::{Codec, Compression, ParseCompressionError};
pub use encoder::SMALL_TAR_SIZE;
pub use error::LayerError;
pub use pack::{Layer, PackRequest, compressed_size, compute_diff_id, layer_cache_key, pack_layer};

#[cfg(test)]
mod tests;
