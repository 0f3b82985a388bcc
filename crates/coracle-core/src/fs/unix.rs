//! File operations on Unix hosts.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FileId, SocketConnection, Stat};

pub(crate) fn stat(metadata: &Metadata) -> Stat {
    Stat {
        file_id: FileId { device: metadata.dev(), inode: metadata.ino() },
        size: metadata.size(),
        mode: metadata.mode() & 0o7777,
        hard_links: metadata.nlink(),
        mtime_and_ctime: [
            (metadata.mtime(), metadata.mtime_nsec()),
            (metadata.ctime(), metadata.ctime_nsec()),
        ],
    }
}

pub(crate) fn special_file_name(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    match () {
        () if kind.is_block_device() => "block device",
        () if kind.is_char_device() => "character device",
        () if kind.is_fifo() => "named pipe",
        () if kind.is_socket() => "socket",
        () => "special file",
    }
}

pub(crate) fn create_private_dir_all(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(crate) fn private_dir_permissions() -> Option<Permissions> {
    Some(Permissions::from_mode(0o700))
}

pub(crate) fn is_private_dir(directory: &Metadata, made: &Metadata) -> bool {
    directory.mode() & 0o077 == 0 && directory.uid() == made.uid()
}

pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(buffer, offset)
}

pub(crate) fn os_str_to_bytes(text: &OsStr) -> Vec<u8> {
    text.as_bytes().to_vec()
}

pub(crate) fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}

pub(crate) fn connect_unix_socket(path: &Path, timeout: Duration) -> io::Result<Box<dyn SocketConnection>> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(Box::new(stream))
}
