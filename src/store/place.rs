//! Files that appear complete or not at all.

use std::path::{Path, PathBuf};

use super::PREFIX;
use crate::fs::{self, Context};

/// Where a file is made before it gets the name of `path`; the next one there overwrites it.
fn temporary(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(PREFIX);
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Writes `bytes` to `path`.
pub(super) fn write(path: &Path, bytes: &[u8]) -> fs::Result<()> {
    let temporary = temporary(path);
    let written = std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    finish(&temporary, written).context("write", path)
}

/// Gives `path` the bytes of `from`, as a second name where the file system can, else as a copy.
pub(super) fn link(from: &Path, path: &Path) -> fs::Result<()> {
    if std::fs::hard_link(from, path).is_ok() {
        return Ok(());
    }
    let temporary = temporary(path);
    let _ = std::fs::remove_file(&temporary);
    let linked = std::fs::hard_link(from, &temporary).or_else(|_| std::fs::copy(from, &temporary).map(drop));
    let placed = linked.and_then(|()| std::fs::rename(&temporary, path));
    finish(&temporary, placed).context("write", path)
}

/// Renaming a file to another of its own names leaves both, so the temporary one goes in any case.
fn finish(temporary: &Path, result: std::io::Result<()>) -> std::io::Result<()> {
    let _ = std::fs::remove_file(temporary);
    result
}
