//! Packs file entries into one compressed layer: tar, both digests and compression in one
//! streaming pass.
//!
//! The bytes depend only on the entries, never on the number of cores, read sizes or timing.
//! Memory use is bounded. Does not depend on manifests or destinations. Source: image-spec,
//! `layer.md`.

mod compression;
mod encoder;
pub(crate) mod hashed_file;
mod parallel_compression;
pub mod tar_header;
mod tar_stream;

pub use encoder::SMALL_TAR;
pub use compression::{Codec, Compression, ParseCompressionError};

use std::ops::ControlFlow;
use std::path::Path;

use coracle_core::content::Content;
use coracle_core::content_scanner::ContentScanner;
use coracle_core::digest::{DiffId, Digest, DigestHasher};
use coracle_core::entry::{Entry, EntryNode, LayerKind};
use coracle_core::fs;
use coracle_core::path::ImagePath;

/// A layer whose blob has been written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// The digest of the blob.
    pub digest: Digest,
    /// The digest of the uncompressed tar.
    pub diff_id: DiffId,
    /// The size of the blob, in bytes.
    pub size: u64,
    /// The size of the uncompressed tar, in bytes.
    pub unpacked_size: u64,
    /// The media type of the blob.
    pub media_type: &'static str,
    /// The part of the image that the layer contains.
    pub kind: LayerKind,
}

/// Why a layer could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A file could not be read or written, or it changed while it was packed.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A symbolic link that a tar header cannot represent.
    #[error("cannot pack the link `{path}`: its target {why}")]
    InvalidLinkTarget {
        /// The path of the link in the image.
        path: ImagePath,
        /// Why its target is invalid.
        why: &'static str,
    },
    /// The encoder failed, which only happens if memory runs out.
    #[error("cannot compress the layer: the encoder failed")]
    CompressionFailed,
    /// The observer cancelled.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

impl LayerError {
    /// A suggested next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::InvalidLinkTarget { .. } => Some("remove the link, or give it a valid target".into()),
            Self::CompressionFailed | Self::Interrupted => None,
        }
    }
}

/// The number of bytes that [`diff_id`] reads and hashes at a time: fits in a core's cache.
const HASH_BLOCK_SIZE: usize = 256 << 10;

/// Called with the number of tar bytes just packed; returns `Break` to cancel.
pub type PackObserver<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// Packs `entries` into a new file at `out`.
///
/// All entries belong to `stratum`, and no path occurs twice. They are written in the order of
/// their paths. `observer` is called for every chunk, and `gate` scans the content of the files.
/// Removes `out` on failure.
///
/// # Errors
/// Fails if a file cannot be read or has changed, or if `out` exists or cannot be written.
pub fn pack_layer(
    entries: &[(&ImagePath, &Entry)],
    stratum: LayerKind,
    compression: Compression,
    out: &Path,
    observer: &PackObserver<'_>,
    scanner: &dyn ContentScanner,
) -> Result<Layer, LayerError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    pack_layer_with_cores(cores, entries, stratum, compression, out, observer, scanner)
}

fn pack_layer_with_cores(
    cores: usize,
    entries: &[(&ImagePath, &Entry)],
    stratum: LayerKind,
    compression: Compression,
    out: &Path,
    observer: &PackObserver<'_>,
    scanner: &dyn ContentScanner,
) -> Result<Layer, LayerError> {
    let entries = sort_and_check(entries)?;
    let unpacked = tar_header::tar_size(&entries);
    let mut output = hashed_file::HashedFile::create(out)?;
    let plan = encoder::EncoderSettings::new(compression, unpacked);
    let packed = parallel_compression::compress_blocks(cores, plan, unpacked, &mut output, |blocks| {
        tar_stream::write_tar(&entries, blocks, observer, scanner)
    });
    match packed {
        Ok(diff_id) => {
            let (digest, size) = output.finish();
            let media_type = compression.media_type();
            Ok(Layer { digest, diff_id, size, unpacked_size: unpacked, media_type, kind: stratum })
        }
        Err(error) => {
            output.discard();
            Err(error)
        }
    }
}

/// Returns a digest of everything that determines the blob of a layer, except file contents: the
/// encoder, its settings and every tar header.
pub fn layer_cache_key(entries: &[(&ImagePath, &Entry)], compression: Compression) -> Digest {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(path, _)| *path);
    let mut hasher = DigestHasher::default();
    // The linked libzstd can differ from the version that the crate bundles.
    let zstd = zstd::zstd_safe::version_number();
    hasher.update(format!("{}, libzstd {zstd}\n{compression}\n", encoder::ENCODER_VERSIONS).as_bytes());
    entries.iter().for_each(|(path, entry)| hasher.update(&tar_header::encode_entry_header(path, entry)));
    hasher.finish()
}

/// Returns the diff ID of `entries`: files are read, hashed and scanned by `gate`, but not packed.
///
/// # Errors
/// Fails if a file cannot be read or has changed.
pub fn compute_diff_id(
    entries: &[(&ImagePath, &Entry)],
    observer: &PackObserver<'_>,
    scanner: &dyn ContentScanner,
) -> Result<DiffId, LayerError> {
    let entries = sort_and_check(entries)?;
    let mut again = |block, _| Some(block);
    let mut blocks = tar_stream::BlockWriter::new(vec![0; HASH_BLOCK_SIZE], &mut again);
    Ok(tar_stream::write_tar(&entries, &mut blocks, observer, scanner)?)
}

/// Returns the entries in the order of their paths.
///
/// # Errors
/// Fails if a tar header cannot represent one of them.
fn sort_and_check<'a>(
    entries: &[(&'a ImagePath, &'a Entry)],
) -> Result<Vec<(&'a ImagePath, &'a Entry)>, LayerError> {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(path, _)| *path);
    entries.iter().try_for_each(|(path, entry)| check_link_target(path, entry))?;
    Ok(entries)
}

/// Returns the compressed size of `content` alone, in bytes, with the settings of a layer whose tar
/// has `unpacked` bytes.
///
/// # Errors
/// Fails if the content cannot be read or has changed.
pub fn compressed_size(content: &Content, unpacked: u64) -> Result<u64, LayerError> {
    let plan = encoder::EncoderSettings::new(Compression::default(), unpacked);
    let mut encoder = plan.encoder()?;
    let mut block = vec![0; usize::try_from(content.size()).unwrap_or(usize::MAX).min(plan.block_size)];
    let mut packed = vec![0; encoder.max_encoded_size(block.len())];
    let reader = content.open()?;
    let (mut offset, mut size) = (0, 0);
    while offset < reader.size() {
        let read = reader.read_at(&mut block, offset)?;
        size += encoder.encode(block.get(..read).unwrap_or_default(), &mut packed)? as u64;
        offset += read as u64;
    }
    reader.verify_unchanged()?;
    Ok(size)
}

/// Rejects symbolic links that a tar would silently truncate.
fn check_link_target(path: &ImagePath, entry: &Entry) -> Result<(), LayerError> {
    let EntryNode::Symlink(target) = &entry.node else { return Ok(()) };
    let why = match target.as_bytes() {
        [] => "is empty",
        bytes if bytes.contains(&0) => "contains a NUL byte",
        _ => return Ok(()),
    };
    Err(LayerError::InvalidLinkTarget { path: path.clone(), why })
}

#[cfg(test)]
mod tests;
