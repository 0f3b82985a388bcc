//! File operations on Unix hosts.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Connection, Identity, Stat};

pub(crate) fn stat(metadata: &Metadata) -> Stat {
    Stat {
        identity: Identity { device: metadata.dev(), inode: metadata.ino() },
        size: metadata.size(),
        mode: metadata.mode() & 0o7777,
        links: metadata.nlink(),
        times: [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())],
    }
}

pub(crate) fn special(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    match () {
        () if kind.is_block_device() => "block device",
        () if kind.is_char_device() => "character device",
        () if kind.is_fifo() => "named pipe",
        () if kind.is_socket() => "socket",
        () => "special file",
    }
}

pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(crate) fn private() -> Option<Permissions> {
    Some(Permissions::from_mode(0o700))
}

pub(crate) fn is_private(directory: &Metadata, made: &Metadata) -> bool {
    directory.mode() & 0o077 == 0 && directory.uid() == made.uid()
}

pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(buffer, offset)
}

pub(crate) fn to_bytes(text: &OsStr) -> Vec<u8> {
    text.as_bytes().to_vec()
}

pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}

pub(crate) fn connect(path: &Path, timeout: Duration) -> io::Result<Box<dyn Connection>> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(Box::new(stream))
}
