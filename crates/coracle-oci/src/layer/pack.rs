//! Packs entries into one layer, and computes digests and sizes of layers without packing them.

use std::path::Path;

use super::compression::Compression;
use super::encoder::{ENCODER_VERSIONS, EncoderSettings};
use super::error::LayerError;
use super::hashing_file_writer::HashingFileWriter;
use super::parallel_compression::compress_blocks;
use super::{tar_header, tar_stream};
use coracle_core::content::Content;
use coracle_core::content_scanner::ContentScanner;
use coracle_core::digest::{DiffId, Digest, DigestHasher};
use coracle_core::entry::{Entry, EntryNode, LayerKind, is_whiteout_name};
use coracle_core::path::ImagePath;
use coracle_core::progress::Progress;

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

/// The entries to pack into a layer, and the options.
#[derive(Clone, Copy)]
pub struct PackRequest<'a> {
    /// The entries, in any order. No path occurs twice.
    pub entries: &'a [(&'a ImagePath, &'a Entry)],
    /// The part of the image that all entries belong to.
    pub kind: LayerKind,
    /// The compression of the blob.
    pub compression: Compression,
    /// Counts the bytes of the tar.
    pub progress: &'a dyn Progress,
}

/// The number of bytes that [`compute_diff_id`] reads and hashes at a time: fits in a core's cache.
const HASH_BLOCK_SIZE: usize = 256 << 10;

/// Packs a layer into a new file at `out`. `scanner` reads the contents of the files. Entries are written in the order of their paths.
/// Removes `out` on failure.
///
/// # Errors
/// Fails if a file cannot be read or has changed, if `request.progress` cancels, or if `out` exists
/// or cannot be written.
pub fn pack_layer(
    request: &PackRequest<'_>,
    out: &Path,
    scanner: &mut dyn ContentScanner,
) -> Result<Layer, LayerError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    pack_layer_with_cores(cores, request, out, scanner)
}

pub(super) fn pack_layer_with_cores(
    cores: usize,
    request: &PackRequest<'_>,
    out: &Path,
    scanner: &mut dyn ContentScanner,
) -> Result<Layer, LayerError> {
    let PackRequest { kind, compression, progress, .. } = *request;
    let entries = sorted_valid_entries(request.entries)?;
    let unpacked_size = tar_header::tar_size(&entries);
    let mut output = HashingFileWriter::create(out)?;
    let settings = EncoderSettings::new(compression, unpacked_size);
    let packed = compress_blocks(cores, settings, unpacked_size, &mut output, |blocks| {
        tar_stream::write_tar(&entries, blocks, progress, scanner)
    });
    match packed {
        Ok(diff_id) => {
            let (digest, size) = output.finish();
            let media_type = compression.media_type();
            Ok(Layer { digest, diff_id, size, unpacked_size, media_type, kind })
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
    hasher.update(format!("{ENCODER_VERSIONS}, libzstd {zstd}\n{compression}\n").as_bytes());
    entries.iter().for_each(|(path, entry)| hasher.update(&tar_header::encode_entry_header(path, entry)));
    hasher.finish()
}

/// Returns the diff ID of `entries`: files are read, hashed and scanned by `scanner`, but not
/// packed.
///
/// # Errors
/// Fails if a file cannot be read or has changed.
pub fn compute_diff_id(
    entries: &[(&ImagePath, &Entry)],
    progress: &dyn Progress,
    scanner: &mut dyn ContentScanner,
) -> Result<DiffId, LayerError> {
    let entries = sorted_valid_entries(entries)?;
    let mut again = |block, _| Some(block);
    let mut blocks = tar_stream::BlockFiller::new(vec![0; HASH_BLOCK_SIZE], &mut again);
    Ok(tar_stream::write_tar(&entries, &mut blocks, progress, scanner)?)
}

/// Returns the entries in the order of their paths.
///
/// # Errors
/// Fails if a tar header cannot represent one of them.
fn sorted_valid_entries<'a>(
    entries: &[(&'a ImagePath, &'a Entry)],
) -> Result<Vec<(&'a ImagePath, &'a Entry)>, LayerError> {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(path, _)| *path);
    for (path, entry) in &entries {
        check_no_whiteout_name(path)?;
        check_link_target(path, entry)?;
    }
    Ok(entries)
}

/// Returns the compressed size of `content` alone, in bytes, with the settings of a layer whose tar
/// has `unpacked_size` bytes. The
/// result depends only on whether `unpacked_size` is at most [`SMALL_TAR_SIZE`].
///
/// [`SMALL_TAR_SIZE`]: super::SMALL_TAR_SIZE
///
/// # Errors
/// Fails if the content cannot be read or has changed.
pub fn compressed_size(content: &Content, unpacked_size: u64) -> Result<u64, LayerError> {
    let settings = EncoderSettings::new(Compression::default(), unpacked_size);
    let mut encoder = settings.encoder()?;
    let mut block = vec![0; usize::try_from(content.size()).unwrap_or(usize::MAX).min(settings.block_size)];
    let mut compressed = vec![0; encoder.max_encoded_size(block.len())];
    let reader = content.open()?;
    let (mut offset, mut size) = (0, 0);
    while offset < reader.size() {
        let read = reader.read_at(&mut block, offset)?;
        size += encoder.encode(block.get(..read).unwrap_or_default(), &mut compressed)? as u64;
        offset += read as u64;
    }
    reader.verify_unchanged()?;
    Ok(size)
}

/// Rejects names that delete files when the layer is applied.
fn check_no_whiteout_name(path: &ImagePath) -> Result<(), LayerError> {
    match path.components().any(is_whiteout_name) {
        true => Err(LayerError::WhiteoutName(path.clone())),
        false => Ok(()),
    }
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
