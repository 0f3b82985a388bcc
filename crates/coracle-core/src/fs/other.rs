//! File operations on hosts other than Unix, which have no inodes or permission bits.

use std::ffi::OsStr;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::{Connection, Identity, Stat};

/// There are no inodes, so changes are detected by size and time. `links` is 1, so that two files
/// are never treated as hard links of one.
pub(crate) fn stat(metadata: &Metadata) -> Stat {
    let modified =
        metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let time = (i64::try_from(modified.as_secs()).unwrap_or(i64::MAX), i64::from(modified.subsec_nanos()));
    Stat {
        identity: Identity { device: 0, inode: 0 },
        size: metadata.len(),
        mode: 0o755,
        links: 1,
        times: [time, time],
    }
}

pub(crate) fn private() -> Option<Permissions> {
    None
}

pub(crate) fn special(_metadata: &Metadata) -> &'static str {
    "special file"
}

/// Access to the directory is left to the host's defaults.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

pub(crate) fn is_private(_directory: &Metadata, _made: &Metadata) -> bool {
    true
}

pub(crate) fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}

pub(crate) fn to_bytes(text: &OsStr) -> Vec<u8> {
    text.to_string_lossy().replace('\\', "/").into_bytes()
}

pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

pub(crate) fn connect(_path: &Path, _timeout: Duration) -> io::Result<Box<dyn Connection>> {
    Err(io::ErrorKind::Unsupported.into())
}
