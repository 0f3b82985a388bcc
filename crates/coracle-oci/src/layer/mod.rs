//! Entries in, one compressed layer out: tar, two digests and compression in one streaming pass.
//!
//! The bytes depend on the entries alone, never on cores, read sizes or timing, and memory is bounded whatever the
//! size. It knows no manifest and no destination. Source: image-spec, `layer.md`.

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
    /// Names the blob.
    pub digest: Digest,
    /// Names the tar before compression.
    pub diff_id: DiffId,
    /// Bytes of the blob.
    pub size: u64,
    /// Bytes of the tar.
    pub unpacked: u64,
    /// What the blob is.
    pub media_type: &'static str,
    /// Which part of the image it holds.
    pub stratum: Stratum,
}

/// Why a layer could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written, or changed meanwhile.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A link that no tar can hold.
    #[error("cannot pack the link `{path}`: its target {why}")]
    Target {
        /// The link.
        path: ImagePath,
        /// What is wrong with its target.
        why: &'static str,
    },
    /// The encoder refused a block, which only a lack of memory explains.
    #[error("cannot compress the layer: the encoder gave up")]
    Compress,
    /// The observer did not want to go on.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

impl Error {
    /// The next step, where there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Target { .. } => Some("leave the link out, or give it a target".into()),
            Self::Compress | Self::Interrupted => None,
        }
    }
}

/// Bytes that are read and hashed in one go: a block that stays in a core's cache.
const HASHED_AT_ONCE: usize = 256 << 10;

/// Hears that so many more bytes of a tar were packed, and says whether to go on.
pub type Observer<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// Packs `entries` into a new file at `out`; `observer` hears of every piece of the tar, and `gate` sees what is in the
/// files.
///
/// The entries are those of one stratum, each path once; they are written in the order of their paths. When it fails,
/// nothing stands at `out`.
///
/// # Errors
/// When a file can't be read or is no longer what it was, and when `out` exists or can't be written.
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

/// What makes the blob of a layer, but for the contents of its files: encoder and settings, and every header of its tar.
pub fn shape(entries: &[(&ImagePath, &Entry)], compression: Compression) -> Digest {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(path, _)| *path);
    let mut hasher = Hasher::default();
    // The library may be another than the one that its crate was made with.
    let zstd = zstd::zstd_safe::version_number();
    hasher.update(format!("{}, libzstd {zstd}\n{compression}\n", encoder::VERSIONS).as_bytes());
    entries.iter().for_each(|(path, entry)| hasher.update(&tar::head(path, entry)));
    hasher.finish()
}

/// The diff ID of `entries`, which are read and hashed and shown to `gate`, and not packed.
///
/// # Errors
/// When a file can't be read, or is no longer what it was.
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

/// The entries in the order of their paths, none of which a tar would cut.
fn checked<'a>(entries: &[(&'a ImagePath, &'a Entry)]) -> Result<Vec<(&'a ImagePath, &'a Entry)>, Error> {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(path, _)| *path);
    entries.iter().try_for_each(|(path, entry)| check(path, entry))?;
    Ok(entries)
}

/// Bytes that `content` takes up in a layer whose tar has `unpacked` bytes: compressed by itself, as that layer is.
///
/// # Errors
/// When it can't be read, or is no longer what it was.
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

/// Refuses the links that a tar would silently cut.
fn check(path: &ImagePath, entry: &Entry) -> Result<(), Error> {
    let Node::Link(target) = &entry.node else { return Ok(()) };
    let why = match target.as_bytes() {
        [] => "is empty",
        bytes if bytes.contains(&0) => "holds a NUL byte",
        _ => return Ok(()),
    };
    Err(Error::Target { path: path.clone(), why })
}

#[cfg(test)]
mod tests;
