//! Writes files atomically: they appear complete or not at all.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::TEMPORARY_PREFIX;
use coracle_core::fs::{self, Context};

/// The number of bytes that are compared at a time.
const COMPARE_CHUNK: usize = 256 << 10;

/// Returns the temporary path of a file before it is renamed to `path`.
fn temporary_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(TEMPORARY_PREFIX);
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Writes `bytes` to `path`. A file with the same content is left untouched, as in [`link`].
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> fs::Result<()> {
    let there = std::fs::symlink_metadata(path);
    let is_alike = there.is_ok_and(|there| there.is_file() && there.len() == bytes.len() as u64);
    if is_alike && std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let temporary = temporary_path(path);
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
fn have_same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let size = std::fs::symlink_metadata(one)?.len();
    let there = std::fs::symlink_metadata(other)?;
    if !there.is_file() || there.len() != size {
        return Ok(false);
    }
    let (mut one, mut other) = (
        BufReader::with_capacity(COMPARE_CHUNK, File::open(one)?),
        BufReader::with_capacity(COMPARE_CHUNK, File::open(other)?),
    );
    loop {
        let (a, b) = (one.fill_buf()?, other.fill_buf()?);
        let size = a.len().min(b.len());
        if a.get(..size) != b.get(..size) || (size == 0 && a.len() != b.len()) {
            return Ok(false);
        }
        if size == 0 {
            return Ok(true);
        }
        one.consume(size);
        other.consume(size);
    }
}

/// Removes the temporary file. It can remain after a successful rename: renaming a hard link to
/// another link of the same file does nothing.
fn remove_temporary(temporary: &Path, result: io::Result<()>) -> io::Result<()> {
    let _ = std::fs::remove_file(temporary);
    result
}
