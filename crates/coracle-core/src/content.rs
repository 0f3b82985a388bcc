//! Lazily read bytes of a file in an image.
//!
//! A [`Content`] is a list of pieces: ranges of host files and bytes in memory. A stripped program
//! is therefore described without copying it. This module does not depend on images or ELF.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fs::{self, Stat, VerifiedFile};

/// A sequence of bytes that is read on demand. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Content {
    pieces: Arc<[Piece]>,
    size: u64,
}

/// Buffer size for comparing two contents, in bytes.
const COMPARE_BUFFER_SIZE: usize = 64 << 10;

/// Consecutive bytes of a [`Content`].
#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    FileRange { file: Arc<HostFile>, start: u64, size: u64 },
}

/// A host file and its metadata when it was first seen.
#[derive(PartialEq, Eq, Debug)]
struct HostFile {
    path: PathBuf,
    stat: Stat,
}

impl Content {
    /// Creates a content from bytes in memory.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::from_pieces(vec![Piece::Bytes(bytes.into())])
    }

    /// Creates a content from the whole host file at `path`, whose metadata is `stat`.
    pub fn from_host_file(path: PathBuf, stat: Stat) -> Self {
        let file = Arc::new(HostFile { path, stat });
        Self::from_pieces(vec![Piece::FileRange { file, start: 0, size: stat.size }])
    }

    fn from_pieces(pieces: Vec<Piece>) -> Self {
        let size = pieces.iter().map(Piece::size).sum();
        Self { pieces: pieces.into(), size }
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The path of the host file that this content starts in; `None` if it starts with bytes in
    /// memory.
    pub fn host_path(&self) -> Option<&Path> {
        match &*self.pieces {
            [Piece::FileRange { file, .. }, ..] => Some(&file.path),
            _ => None,
        }
    }

    /// The path of the first host file that this content has bytes of. For a stripped copy, whose header
    /// is in memory, it is the path of the original.
    pub fn source_path(&self) -> Option<&Path> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::FileRange { file, .. } => Some(file.path.as_path()),
            Piece::Bytes(_) => None,
        })
    }

    /// Device and inode of the file that [`Content::host_path`] returns.
    pub fn host_file_id(&self) -> Option<fs::FileId> {
        match &*self.pieces {
            [Piece::FileRange { file, .. }, ..] => Some(file.stat.file_id),
            _ => None,
        }
    }

    /// Returns whether this content and `other` are the same ranges of the same files. Reads no file.
    pub fn has_same_source(&self, other: &Self) -> bool {
        self.pieces == other.pieces
    }

    /// Returns whether this content and `other` have the same bytes. Reads no file if the sources are
    /// the same or the sizes differ.
    ///
    /// # Errors
    /// Fails if a file cannot be read or has changed.
    pub fn has_same_bytes(&self, other: &Self) -> fs::Result<bool> {
        if self.has_same_source(other) || self.size != other.size {
            return Ok(self.size == other.size);
        }
        let (ours, theirs) = (self.open()?, other.open()?);
        let (mut a, mut b) = (vec![0; COMPARE_BUFFER_SIZE], vec![0; COMPARE_BUFFER_SIZE]);
        let mut offset = 0;
        while offset < self.size {
            let read = ours.read_at(&mut a, offset)?;
            theirs.read_at(&mut b, offset)?;
            if a.get(..read) != b.get(..read) {
                return Ok(false);
            }
            offset += read as u64;
        }
        ours.verify_unchanged().and_then(|()| theirs.verify_unchanged()).map(|()| true)
    }

    /// Builds a new content from ranges of this content and new bytes, in the order of `parts`.
    pub fn splice(&self, parts: Vec<SplicePart>) -> Self {
        let mut pieces = Vec::new();
        for part in parts {
            match part {
                SplicePart::New(bytes) => pieces.push(Piece::Bytes(bytes)),
                SplicePart::Existing { start, size } => pieces.extend(self.slice(start, size)),
            }
        }
        Self::from_pieces(pieces)
    }

    /// Returns the pieces of the `size` bytes from `start` on.
    fn slice(&self, start: u64, size: u64) -> Vec<Piece> {
        let (mut at, end) = (0, start.saturating_add(size));
        let mut slice = Vec::new();
        for piece in self.pieces.iter() {
            let (from, to) = (start.max(at), end.min(at + piece.size()));
            if from < to {
                slice.push(piece.slice(from - at, to - from));
            }
            at += piece.size();
        }
        slice
    }

    /// Returns all bytes of this content. Errors name `path`, the file's path in a file system
    /// view.
    ///
    /// # Errors
    /// Fails if there are more than `limit` bytes, and if a file cannot be read or has changed.
    pub fn read_whole(&self, path: &[u8], limit: u64) -> fs::Result<Vec<u8>> {
        if self.size > limit {
            let why = format!("it has {} bytes, and no more than {limit} are read of such a file", self.size);
            let cause = io::Error::new(io::ErrorKind::FileTooLarge, why);
            return Err(fs::Error::new("read", &fs::path_from_bytes(path), cause));
        }
        self.open()?.read_bytes_at(0, usize::try_from(self.size).unwrap_or(usize::MAX))
    }

    /// Opens the files that this content reads from.
    ///
    /// # Errors
    /// Fails if a file cannot be opened or has changed.
    pub fn open(&self) -> fs::Result<OpenContent> {
        let mut opened: Vec<(Arc<HostFile>, Arc<VerifiedFile>)> = Vec::new();
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for piece in self.pieces.iter() {
            pieces.push(match piece {
                Piece::Bytes(bytes) => OpenPiece::Bytes(bytes.clone()),
                Piece::FileRange { file, start, size } => {
                    let open = match opened.iter().find(|(known, _)| known == file) {
                        Some((_, open)) => open.clone(),
                        None => {
                            let open = Arc::new(VerifiedFile::open(&file.path, file.stat)?);
                            opened.push((file.clone(), open.clone()));
                            open
                        }
                    };
                    OpenPiece::File { open, start: *start, size: *size }
                }
            });
        }
        Ok(OpenContent { pieces, size: self.size })
    }
}

/// One part of a content made by [`Content::splice`].
#[derive(Debug, PartialEq, Eq)]
pub enum SplicePart {
    /// A range of the existing content.
    Existing {
        /// Offset of the first byte.
        start: u64,
        /// Number of bytes.
        size: u64,
    },
    /// New bytes.
    New(Vec<u8>),
}

impl Piece {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::FileRange { size, .. } => *size,
        }
    }

    /// Returns `size` bytes from offset `from`. The range must lie inside this piece.
    fn slice(&self, from: u64, size: u64) -> Self {
        match self {
            Self::Bytes(bytes) => {
                let skip = usize::try_from(from).unwrap_or(usize::MAX);
                let take = usize::try_from(size).unwrap_or(usize::MAX);
                Self::Bytes(bytes.iter().copied().skip(skip).take(take).collect())
            }
            Self::FileRange { file, start, .. } => {
                Self::FileRange { file: file.clone(), start: start + from, size }
            }
        }
    }
}

/// An open [`Content`], read at arbitrary offsets.
#[derive(Debug)]
pub struct OpenContent {
    pieces: Vec<OpenPiece>,
    size: u64,
}

#[derive(Debug)]
enum OpenPiece {
    Bytes(Vec<u8>),
    File { open: Arc<VerifiedFile>, start: u64, size: u64 },
}

impl OpenContent {
    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Fills `buffer` from `offset` on and returns the number of bytes read. That is less than the
    /// buffer's length only at the end of the content.
    ///
    /// # Errors
    /// Fails if a file cannot be read or has become shorter.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> fs::Result<usize> {
        let (mut at, mut filled) = (0, 0);
        for piece in &self.pieces {
            let size = piece.size();
            let rest = buffer.get_mut(filled..).unwrap_or_default();
            let wanted = offset + filled as u64;
            if !rest.is_empty() && wanted >= at && wanted < at + size {
                let take = usize::try_from(at + size - wanted).unwrap_or(usize::MAX).min(rest.len());
                piece.read_exact_at(rest.get_mut(..take).unwrap_or_default(), wanted - at)?;
                filled += take;
            }
            at += size;
        }
        Ok(filled)
    }

    /// Returns `size` bytes from `offset` on, or fewer at the end of the content.
    ///
    /// # Errors
    /// Fails if a file cannot be read or has become shorter.
    pub fn read_bytes_at(&self, offset: u64, size: usize) -> fs::Result<Vec<u8>> {
        let available = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; size.min(available)];
        let read = self.read_at(&mut bytes, offset)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Checks that no source file has changed. Call it after reading.
    ///
    /// # Errors
    /// Fails if a file has changed, and names it.
    pub fn verify_unchanged(&self) -> fs::Result<()> {
        self.pieces.iter().try_for_each(|piece| match piece {
            OpenPiece::Bytes(_) => Ok(()),
            OpenPiece::File { open, .. } => open.verify_unchanged(),
        })
    }
}

impl OpenPiece {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { size, .. } => *size,
        }
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> fs::Result<()> {
        match self {
            Self::Bytes(bytes) => {
                let rest =
                    usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
                buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                Ok(())
            }
            Self::File { open, start, .. } => open.read_exact_at(buffer, start + offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &Content) -> Vec<u8> {
        content.open().unwrap().read_bytes_at(0, 100).unwrap()
    }

    fn part(start: u64, size: u64) -> SplicePart {
        SplicePart::Existing { start, size }
    }

    #[test]
    fn reads_across_spliced_pieces() {
        let content = Content::from_bytes("hello world");
        let spliced = content.splice(vec![part(6, 5), SplicePart::New(b", ".to_vec()), part(0, 5)]);
        assert_eq!(read(&spliced), b"world, hello");
        assert_eq!(read(&spliced.splice(vec![part(3, 6)])), b"ld, he");
        assert_eq!(spliced.open().unwrap().read_bytes_at(10, 9).unwrap(), b"lo");
        assert_eq!(spliced.open().unwrap().read_bytes_at(100, 9).unwrap(), b"");
    }

    #[test]
    fn fails_if_a_file_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let Some(fs::PathMetadata::File(stat)) = fs::symlink_metadata(&path).unwrap() else {
            panic!("a file was written")
        };
        let content = Content::from_host_file(path.clone(), stat);
        let reader = content.open().unwrap();
        std::fs::write(&path, "longer").unwrap();
        assert!(reader.verify_unchanged().is_err());
        assert!(content.open().unwrap_err().to_string().starts_with("cannot read `"));
    }
}
