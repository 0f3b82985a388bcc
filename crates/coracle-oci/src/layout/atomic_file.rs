//! Writes files atomically: they appear complete or not at all. Unfinished files are in the private
//! staging directory, so that their paths cannot be predicted. Links are replaced, never followed.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::staging::Staging;
use coracle_core::fs::{self, Context, FinalLink};

/// The prefix of the names of temporary directories.
pub(super) const TEMPORARY_PREFIX: &str = ".coracle-";

/// The number of bytes that are compared at a time.
const COMPARE_CHUNK: usize = 256 << 10;

/// Writes `bytes` to `path`. A file with the same content is left untouched, as in [`link_file`].
pub(super) fn write_file(staging: &Staging, path: &Path, bytes: &[u8]) -> fs::Result<()> {
    let limit = bytes.len() as u64;
    let is_current = fs::read_regular_file(path, FinalLink::Refuse, limit).is_ok_and(|there| there == bytes);
    if !is_current {
        let temporary = staging.temporary_path();
        std::fs::write(&temporary, bytes).context("write", path)?;
        staging.durability().sync_file(&temporary)?;
        return std::fs::rename(&temporary, path).context("write", path);
    }
    staging.durability().sync_file(path)
}

/// Creates `path` as a hard link to `from`, or as a copy if that is not possible. A file with the
/// same content is left untouched, so that its stat data do not change.
pub(super) fn link_file(staging: &Staging, from: &Path, path: &Path) -> fs::Result<()> {
    if std::fs::hard_link(from, path).is_err() && !are_files_equal(from, path).unwrap_or(false) {
        let temporary = staging.temporary_path();
        let linked = std::fs::hard_link(from, &temporary).or_else(|_| copy_to_new(from, &temporary));
        linked.and_then(|()| std::fs::rename(&temporary, path)).context("write", path)?;
    }
    staging.durability().sync_file(path)
}

fn copy_to_new(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut File::open(from)?, &mut File::create_new(to)?).map(drop)
}

/// Returns whether both are regular files, not links, with the same content.
fn are_files_equal(first: &Path, second: &Path) -> fs::Result<bool> {
    let [first, second] = [first, second].map(|path| fs::open_regular_file(path, FinalLink::Refuse));
    let (first, second) = (first?, second?);
    Ok(are_contents_equal(&first, &second).unwrap_or(false))
}

fn are_contents_equal(first: &File, second: &File) -> io::Result<bool> {
    if first.metadata()?.len() != second.metadata()?.len() {
        return Ok(false);
    }
    let (mut first, mut second) =
        (BufReader::with_capacity(COMPARE_CHUNK, first), BufReader::with_capacity(COMPARE_CHUNK, second));
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
