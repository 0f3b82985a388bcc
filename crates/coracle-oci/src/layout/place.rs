//! Files that appear complete or not at all.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::PREFIX;
use coracle_core::fs::{self, Context};

/// Bytes that are compared at once.
const CHUNK: usize = 256 << 10;

/// Where a file is made before it gets the name of `path`; the next one there overwrites it.
fn temporary(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(PREFIX);
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Writes `bytes` to `path`. A file that has them already stays, as with [`link`].
pub(super) fn write(path: &Path, bytes: &[u8]) -> fs::Result<()> {
    let there = std::fs::symlink_metadata(path);
    let is_alike = there.is_ok_and(|there| there.is_file() && there.len() == bytes.len() as u64);
    if is_alike && std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let temporary = temporary(path);
    let written = std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    finish(&temporary, written).context("write", path)
}

/// Gives `path` the bytes of `from`, as a second name where the file system can, else as a copy. A file that has them
/// already stays, so that who relies on its stat data still can.
pub(super) fn link(from: &Path, path: &Path) -> fs::Result<()> {
    if std::fs::hard_link(from, path).is_ok() || have_same_bytes(from, path).unwrap_or(false) {
        return Ok(());
    }
    let temporary = temporary(path);
    let _ = std::fs::remove_file(&temporary);
    let linked = std::fs::hard_link(from, &temporary).or_else(|_| std::fs::copy(from, &temporary).map(drop));
    let placed = linked.and_then(|()| std::fs::rename(&temporary, path));
    finish(&temporary, placed).context("write", path)
}

/// Whether both are files with the same bytes, none of them a link.
fn have_same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let size = std::fs::symlink_metadata(one)?.len();
    let there = std::fs::symlink_metadata(other)?;
    if !there.is_file() || there.len() != size {
        return Ok(false);
    }
    let (mut one, mut other) = (
        BufReader::with_capacity(CHUNK, File::open(one)?),
        BufReader::with_capacity(CHUNK, File::open(other)?),
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

/// Renaming a file to another of its own names leaves both, so the temporary one goes in any case.
fn finish(temporary: &Path, result: io::Result<()>) -> io::Result<()> {
    let _ = std::fs::remove_file(temporary);
    result
}
