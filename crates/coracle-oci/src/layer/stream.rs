//! Writes entries as one stream of tar bytes, split into blocks, hashed and scanned on the way.
//!
//! Does not depend on compression: full blocks are exchanged for empty ones.

use std::ops::ControlFlow;

use coracle_core::content::Reader;
use coracle_core::digest::{DiffId, Hasher};
use coracle_core::content_scanner::{ContentScan, ContentScanner};
use coracle_core::path::ImagePath;
use coracle_core::entry::{Entry, Node};

use super::{Error, Observer, tar};

/// The number of bytes that are read, scanned and hashed at a time: fits in a core's own cache.
const PIECE: usize = 64 << 10;

/// Why the stream ended early.
pub(super) enum Halt {
    /// The producer failed.
    Failed(Error),
    /// The consumer stopped accepting blocks and has its own error.
    Deserted,
}

impl From<coracle_core::fs::Error> for Halt {
    fn from(error: coracle_core::fs::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Halt> for Error {
    /// A consumer without an error of its own stops only if the encoder failed.
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Failed(error) => error,
            Halt::Deserted => Self::Compress,
        }
    }
}

/// Exchanges a full block and its number of bytes for an empty one; returns `None` if the consumer
/// has stopped.
pub(super) type Exchange<'a> = dyn FnMut(Vec<u8>, usize) -> Option<Vec<u8>> + 'a;

/// Fills the blocks of a stream, one at a time.
pub(super) struct Blocks<'a> {
    block: Vec<u8>,
    filled: usize,
    exchange: &'a mut Exchange<'a>,
}

impl<'a> Blocks<'a> {
    /// Starts with an empty `block`. Its length is the size of every block.
    pub(super) fn new(block: Vec<u8>, exchange: &'a mut Exchange<'a>) -> Self {
        Self { block, filled: 0, exchange }
    }

    /// Returns the last block and the number of bytes in it.
    pub(super) fn last(self) -> (Vec<u8>, usize) {
        (self.block, self.filled)
    }

    /// Returns the free part of the current block, never empty.
    fn room(&mut self) -> Result<&mut [u8], Halt> {
        if self.filled == self.block.len() {
            let full = std::mem::take(&mut self.block);
            self.block = (self.exchange)(full, self.filled).ok_or(Halt::Deserted)?;
            self.filled = 0;
        }
        Ok(self.block.get_mut(self.filled..).unwrap_or_default())
    }
}

/// The state while a stream is written.
struct Stream<'a, 'b> {
    blocks: &'a mut Blocks<'b>,
    hasher: Hasher,
    observer: &'a Observer<'a>,
}

/// Writes the tar of `entries` and returns its diff ID. The last bytes stay in the last block.
pub(super) fn write(
    entries: &[(&ImagePath, &Entry)],
    blocks: &mut Blocks<'_>,
    observer: &Observer<'_>,
    scanner: &dyn ContentScanner,
) -> Result<DiffId, Halt> {
    let mut stream = Stream { blocks, hasher: Hasher::default(), observer };
    for (path, entry) in entries {
        stream.bytes(&tar::head(path, entry))?;
        if let Node::File(content) = &entry.node {
            let mut scan = scanner.start(path, entry);
            stream.content(&content.open()?, scan.as_deref_mut())?;
            if let Some(scan) = scan {
                scan.finish();
            }
            stream.bytes(tar::padding(content.size()))?;
        }
    }
    stream.bytes(&tar::END)?;
    Ok(DiffId::new(stream.hasher.finish()))
}

impl Stream<'_, '_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Halt> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.blocks.room()?;
            let (now, later) = rest.split_at(rest.len().min(room.len()));
            room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            self.took(now.len())?;
            rest = later;
        }
        Ok(())
    }

    /// Reads content directly into the blocks, where `scan` reads it. Fails if the file changed.
    fn content(&mut self, reader: &Reader, mut scan: Option<&mut (dyn ContentScan + '_)>) -> Result<(), Halt> {
        let mut offset = 0;
        while offset < reader.size() {
            let room = self.blocks.room()?;
            let piece = room.len().min(PIECE);
            let room = room.get_mut(..piece).unwrap_or_default();
            let read = reader.read_at(room, offset)?;
            if let Some(scan) = &mut scan {
                scan.update(room.get(..read).unwrap_or_default());
            }
            self.took(read)?;
            offset += read as u64;
        }
        Ok(reader.verify()?)
    }

    /// Accounts for the next `size` bytes of the block, which have been filled.
    fn took(&mut self, size: usize) -> Result<(), Halt> {
        let start = self.blocks.filled;
        self.blocks.filled += size;
        self.hasher.update(self.blocks.block.get(start..self.blocks.filled).unwrap_or_default());
        match (self.observer)(size as u64) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Halt::Failed(Error::Interrupted)),
        }
    }
}
