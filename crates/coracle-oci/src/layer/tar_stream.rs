//! Writes entries as one stream of tar bytes, split into blocks, hashed and scanned on the way.
//!
//! Does not depend on compression: full blocks are exchanged for empty ones.

use coracle_core::content::OpenContent;
use coracle_core::content_scanner::{ContentScan, ContentScanner};
use coracle_core::digest::{DiffId, DigestHasher};
use coracle_core::entry::{Entry, EntryNode};
use coracle_core::path::ImagePath;
use coracle_core::progress::Progress;

use super::error::LayerError;
use super::tar_header;

/// The number of bytes that are read, scanned and hashed at a time: fits in a core's own cache.
const CHUNK_SIZE: usize = 64 << 10;

/// Why the stream ended early.
pub(super) enum StreamError {
    /// The producer failed.
    Failed(LayerError),
    /// The consumer stopped accepting blocks and has its own error.
    ConsumerStopped,
}

impl From<coracle_core::fs::Error> for StreamError {
    fn from(error: coracle_core::fs::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<StreamError> for LayerError {
    /// Converts an error of the stream. `ConsumerStopped` is only converted if the consumer has no
    /// error of its own; then an encoder has failed.
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Failed(error) => error,
            StreamError::ConsumerStopped => Self::CompressionFailed,
        }
    }
}

/// A function that exchanges a full block and its number of bytes for an empty block; returns
/// `None` if the consumer has stopped.
pub(super) type ExchangeBlock<'a> = dyn FnMut(Vec<u8>, usize) -> Option<Vec<u8>> + 'a;

/// Fills the blocks of a stream, one at a time.
pub(super) struct BlockFiller<'a> {
    block: Vec<u8>,
    filled: usize,
    exchange: &'a mut ExchangeBlock<'a>,
}

impl<'a> BlockFiller<'a> {
    /// Starts with an empty `block`. Its length is the size of every block.
    pub(super) fn new(block: Vec<u8>, exchange: &'a mut ExchangeBlock<'a>) -> Self {
        Self { block, filled: 0, exchange }
    }

    /// Returns the last block and the number of bytes in it.
    pub(super) fn into_last_block(self) -> (Vec<u8>, usize) {
        (self.block, self.filled)
    }

    /// Returns the free part of the current block, never empty.
    fn free_space(&mut self) -> Result<&mut [u8], StreamError> {
        if self.filled == self.block.len() {
            let full = std::mem::take(&mut self.block);
            self.block = (self.exchange)(full, self.filled).ok_or(StreamError::ConsumerStopped)?;
            self.filled = 0;
        }
        Ok(self.block.get_mut(self.filled..).unwrap_or_default())
    }
}

/// The state while a stream is written.
struct TarStream<'a, 'b> {
    blocks: &'a mut BlockFiller<'b>,
    hasher: DigestHasher,
    progress: &'a dyn Progress,
}

/// Writes the tar of `entries` and returns its diff ID. The last bytes stay in the last block.
pub(super) fn write_tar(
    entries: &[(&ImagePath, &Entry)],
    blocks: &mut BlockFiller<'_>,
    progress: &dyn Progress,
    scanner: &mut dyn ContentScanner,
) -> Result<DiffId, StreamError> {
    let mut stream = TarStream { blocks, hasher: DigestHasher::default(), progress };
    for (path, entry) in entries {
        stream.write_bytes(&tar_header::encode_entry_header(path, entry))?;
        if let EntryNode::File(content) = &entry.node {
            let mut scan = scanner.start_scan(path, entry);
            stream.write_content(&content.open()?, scan.as_deref_mut())?;
            if let Some(scan) = scan {
                scan.finish();
            }
            stream.write_bytes(tar_header::padding(content.size()))?;
        }
    }
    stream.write_bytes(&tar_header::END_OF_ARCHIVE)?;
    Ok(DiffId::new(stream.hasher.finish()))
}

impl TarStream<'_, '_> {
    fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.blocks.free_space()?;
            let (now, later) = rest.split_at(rest.len().min(room.len()));
            room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            self.advance(now.len())?;
            rest = later;
        }
        Ok(())
    }

    /// Reads content directly into the blocks, where `scan` reads it. Fails if the file changed.
    fn write_content(
        &mut self,
        reader: &OpenContent,
        mut scan: Option<&mut (dyn ContentScan + '_)>,
    ) -> Result<(), StreamError> {
        let mut offset = 0;
        while offset < reader.size() {
            let room = self.blocks.free_space()?;
            let piece = room.len().min(CHUNK_SIZE);
            let room = room.get_mut(..piece).unwrap_or_default();
            let read = reader.read_at(room, offset)?;
            if let Some(scan) = &mut scan {
                scan.update(room.get(..read).unwrap_or_default());
            }
            self.advance(read)?;
            offset += read as u64;
        }
        Ok(reader.verify_unchanged()?)
    }

    /// Hashes the next `size` bytes of the block, which have been filled, and reports the progress.
    fn advance(&mut self, size: usize) -> Result<(), StreamError> {
        let start = self.blocks.filled;
        self.blocks.filled += size;
        self.hasher.update(self.blocks.block.get(start..self.blocks.filled).unwrap_or_default());
        self.progress.advance(size as u64);
        match self.progress.is_cancelled() {
            false => Ok(()),
            true => Err(StreamError::Failed(LayerError::Cancelled)),
        }
    }
}
