//! A new file that a blob is written to and hashed on the way.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use coracle_core::digest::{Digest, DigestHasher};
use coracle_core::fs::{self, Context};

/// The number of bytes that are copied and hashed at a time.
const COPY_CHUNK: usize = 256 << 10;

/// A new file whose content is hashed as it is written.
pub(crate) struct HashingFileWriter {
    file: File,
    path: PathBuf,
    hasher: DigestHasher,
    size: u64,
}

impl HashingFileWriter {
    pub(crate) fn create(path: &Path) -> fs::Result<Self> {
        let file = File::create_new(path).context("create", path)?;
        Ok(Self { file, path: path.to_owned(), hasher: DigestHasher::default(), size: 0 })
    }

    #[cfg(test)]
    pub(crate) fn open_for_test(path: &Path) -> Self {
        let file = File::options().write(true).open(path).unwrap();
        Self { file, path: path.to_owned(), hasher: DigestHasher::default(), size: 0 }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> fs::Result<()> {
        self.file.write_all(bytes).context("write", &self.path)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Writes everything from `reader`. The inner error is an error of `reader`.
    pub(crate) fn copy_from(&mut self, reader: &mut dyn Read) -> fs::Result<io::Result<()>> {
        let mut chunk = vec![0; COPY_CHUNK];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok(Ok(())),
                Ok(size) => self.write(chunk.get(..size).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Returns the digest of everything written so far.
    pub(crate) fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// Returns the digest and the size of everything written.
    pub(crate) fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.size)
    }

    /// Removes the file. Errors are ignored, because an earlier error is reported instead.
    pub(crate) fn discard(self) {
        drop(self.file);
        let _ = std::fs::remove_file(&self.path);
    }
}
