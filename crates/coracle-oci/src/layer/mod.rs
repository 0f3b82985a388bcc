//! Packs file entries into one compressed layer: tar, both digests and compression in one
//! streaming pass.
//!
//! The bytes depend only on the entries, never on the number of cores, read sizes or timing.
//! Memory use is bounded. Does not depend on manifests or destinations. Source: image-spec,
//! `layer.md`.

mod compression;
mod encoder;
pub(crate) mod output;
mod pipeline;
mod stream;
pub mod tar;

pub use compression::{Codec, Compression, ParseCompressionError};

use std::ops::ControlFlow;
use std::path::Path;

use coracle_core::content::Content;
use coracle_core::digest::{DiffId, Digest, Hasher};
use coracle_core::fs;
use coracle_core::content_scanner::ContentScanner;
use coracle_core::path::ImagePath;
use coracle_core::entry::{Entry, Node, Stratum};

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
    pub unpacked: u64,
    /// The media type of the blob.
    pub media_type: &'static str,
    /// The part of the image that the layer contains.
    pub stratum: Stratum,
}

/// Why a layer could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written, or it changed while it was packed.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A symbolic link that a tar header cannot represent.
    #[error("cannot pack the link `{path}`: its target {why}")]
    Target {
        /// The path of the link in the image.
        path: ImagePath,
        /// Why its target is invalid.
        why: &'static str,
    },
    /// The encoder failed, which only happens if memory runs out.
    #[error("cannot compress the layer: the encoder failed")]
    Compress,
    /// The observer cancelled.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

impl Error {
    /// A suggested next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Target { .. } => Some("remove the link, or give it a valid target".into()),
            Self::Compress | Self::Interrupted => None,
        }
    }
}

/// The number of bytes that [`diff_id`] reads and hashes at a time: fits in a core's cache.
const HASHED_AT_ONCE: usize = 256 << 10;

/// Called with the number of tar bytes just packed; returns `Break` to cancel.
pub type Observer<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// Packs `entries` into a new file at `out`.
///
/// All entries belong to `stratum`, and no path occurs twice. They are written in the order of
/// their paths. `observer` is called for every chunk, and `gate` scans the content of the files.
/// Removes `out` on failure.
///
/// # Errors
/// Fails if a file cannot be read or has changed, or if `out` exists or cannot be written.
pub fn pack(
    entries: &[(&ImagePath, &Entry)],
    stratum: Stratum,
    compression: Compression,
    out: &Path,
    observer: &Observer<'_>,
    scanner: &dyn ContentScanner,
) -> Result<Layer, Error> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    pack_with(cores, entries, stratum, compression, out, observer, scanner)
}

fn pack_with(
    cores: usize,
    entries: &[(&ImagePath, &Entry)],
    stratum: Stratum,
    compression: Compression,
    out: &Path,
    observer: &Observer<'_>,
    scanner: &dyn ContentScanner,
) -> Result<Layer, Error> {
    let entries = checked(entries)?;
    let unpacked = tar::size(&entries);
    let mut output = output::Output::create(out)?;
    let plan = encoder::Plan::new(compression, unpacked);
    let packed = pipeline::run(cores, plan, unpacked, &mut output, |blocks| {
        stream::write(&entries, blocks, observer, scanner)
    });
    match packed {
        Ok(diff_id) => {
            let (digest, size) = output.finish();
            let media_type = compression.media_type();
            Ok(Layer { digest, diff_id, size, unpacked, media_type, stratum })
        }
        Err(error) => {
            output.discard();
            Err(error)
        }
    }
}

/// Returns a digest of everything that determines the blob of a layer, except file contents: the
/// encoder, its settings and every tar header.
pub fn shape(entries: &[(&ImagePath, &Entry)], compression: Compression) -> Digest {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(path, _)| *path);
    let mut hasher = Hasher::default();
    // The linked libzstd can differ from the version that the crate bundles.
    let zstd = zstd::zstd_safe::version_number();
    hasher.update(format!("{}, libzstd {zstd}\n{compression}\n", encoder::VERSIONS).as_bytes());
    entries.iter().for_each(|(path, entry)| hasher.update(&tar::head(path, entry)));
    hasher.finish()
}

/// Returns the diff ID of `entries`: files are read, hashed and scanned by `gate`, but not packed.
///
/// # Errors
/// Fails if a file cannot be read or has changed.
pub fn diff_id(
    entries: &[(&ImagePath, &Entry)],
    observer: &Observer<'_>,
    scanner: &dyn ContentScanner,
) -> Result<DiffId, Error> {
    let entries = checked(entries)?;
    let mut again = |block, _| Some(block);
    let mut blocks = stream::Blocks::new(vec![0; HASHED_AT_ONCE], &mut again);
    Ok(stream::write(&entries, &mut blocks, observer, scanner)?)
}

/// Returns the entries in the order of their paths.
///
/// # Errors
/// Fails if a tar header cannot represent one of them.
fn checked<'a>(entries: &[(&'a ImagePath, &'a Entry)]) -> Result<Vec<(&'a ImagePath, &'a Entry)>, Error> {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(path, _)| *path);
    entries.iter().try_for_each(|(path, entry)| check(path, entry))?;
    Ok(entries)
}

/// Returns the compressed size of `content` alone, in bytes, with the settings of a layer whose tar
/// has `unpacked` bytes.
///
/// # Errors
/// Fails if the content cannot be read or has changed.
pub fn compressed_size(content: &Content, unpacked: u64) -> Result<u64, Error> {
    let plan = encoder::Plan::new(Compression::default(), unpacked);
    let mut encoder = plan.encoder()?;
    let mut block = vec![0; usize::try_from(content.size()).unwrap_or(usize::MAX).min(plan.block)];
    let mut packed = vec![0; encoder.bound(block.len())];
    let reader = content.open()?;
    let (mut offset, mut size) = (0, 0);
    while offset < reader.size() {
        let read = reader.read_at(&mut block, offset)?;
        size += encoder.encode(block.get(..read).unwrap_or_default(), &mut packed)? as u64;
        offset += read as u64;
    }
    reader.verify()?;
    Ok(size)
}

/// Rejects symbolic links that a tar would silently truncate.
fn check(path: &ImagePath, entry: &Entry) -> Result<(), Error> {
    let Node::Link(target) = &entry.node else { return Ok(()) };
    let why = match target.as_bytes() {
        [] => "is empty",
        bytes if bytes.contains(&0) => "contains a NUL byte",
        _ => return Ok(()),
    };
    Err(Error::Target { path: path.clone(), why })
}

#[cfg(test)]
mod tests;
