//! Writes files atomically: they appear complete or not at all.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use coracle_core::fs::{self, Context};

/// The prefix of the names of temporary files.
pub(super) const TEMPORARY_PREFIX: &str = ".coracle-";

/// The number of bytes that are compared at a time.
const COMPARE_CHUNK: usize = 256 << 10;

/// Returns the temporary path of a file before it is renamed to `path`.
fn temporary_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(TEMPORARY_PREFIX);
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Writes `bytes` to `path`. A file with the same content is left untouched, as in [`link_file`].
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> fs::Result<()> {
    let metadata = std::fs::symlink_metadata(path);
    let has_same_size =
        metadata.is_ok_and(|metadata| metadata.is_file() && metadata.len() == bytes.len() as u64);
    let temporary = temporary_path(path);
    if has_same_size && std::fs::read(path).is_ok_and(|present| present == bytes) {
        // A writer that was killed before it renamed its file may have left it.
        return remove_temporary(&temporary, Ok(())).context("write", path);
    }
    let written = std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    remove_temporary(&temporary, written).context("write", path)
}

/// Creates `path` as a hard link to `from`, or as a copy if that is not possible. A file with the
/// same content is left untouched, so that its stat data do not change.
pub(super) fn link_file(from: &Path, path: &Path) -> fs::Result<()> {
    if std::fs::hard_link(from, path).is_ok() || have_same_bytes(from, path).unwrap_or(false) {
        return Ok(());
    }
    let temporary = temporary_path(path);
    let _ = std::fs::remove_file(&temporary);
    let linked = std::fs::hard_link(from, &temporary).or_else(|_| std::fs::copy(from, &temporary).map(drop));
    let placed = linked.and_then(|()| std::fs::rename(&temporary, path));
    remove_temporary(&temporary, placed).context("write", path)
}

/// Returns whether both are regular files, not links, with the same content.
fn have_same_bytes(first: &Path, second: &Path) -> io::Result<bool> {
    let size = std::fs::symlink_metadata(first)?.len();
    let metadata = std::fs::symlink_metadata(second)?;
    if !metadata.is_file() || metadata.len() != size {
        return Ok(false);
    }
    let (mut first, mut second) = (
        BufReader::with_capacity(COMPARE_CHUNK, File::open(first)?),
        BufReader::with_capacity(COMPARE_CHUNK, File::open(second)?),
    );
    loop {
        let (a, b) = (first.fill_buf()?, second.fill_buf()?);
        let size = a.len().min(b.len());
        if a.get(..size) != b.get(..size) || (size == 0 && a.len() != b.len()) {
            return Ok(false);
        }
        if size == 0 {
            return Ok(true);
        }
        first.consume(size);
        second.consume(size);
    }
}

/// Removes the temporary file. It can remain after a successful rename: renaming a hard link to
/// another link of the same file does nothing.
fn remove_temporary(temporary: &Path, result: io::Result<()>) -> io::Result<()> {
    let _ = std::fs::remove_file(temporary);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_what_a_killed_writer_left() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("index.json");
        for content in ["old", "old", "new"] {
            std::fs::write(temporary_path(&path), "half").unwrap();
            write_file(&path, content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
            assert!(!temporary_path(&path).exists(), "{content}");
        }
    }
}
