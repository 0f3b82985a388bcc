//! Calls of Unix hosts. `other.rs` has the same functions for the other hosts.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use super::metadata::{FileId, Stat, Timestamp};
pub(super) use super::unix_directory::Directory;

pub(super) fn stat(metadata: &Metadata) -> Stat {
    Stat {
        file_id: FileId { device: metadata.dev(), inode: metadata.ino() },
        size: metadata.size(),
        mode: metadata.mode() & 0o7777,
        hard_links: metadata.nlink(),
        mtime: Timestamp { seconds: metadata.mtime(), nanoseconds: metadata.mtime_nsec() },
        ctime: Timestamp { seconds: metadata.ctime(), nanoseconds: metadata.ctime_nsec() },
    }
}

pub(super) fn special_file_name(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    match () {
        () if kind.is_block_device() => "block device",
        () if kind.is_char_device() => "character device",
        () if kind.is_fifo() => "named pipe",
        () if kind.is_socket() => "socket",
        () => "special file",
    }
}

/// Returns the names as the kernel lists them, each with a zero at its end. Empty if there is no such
/// file, or if its file system has no extended attributes.
#[cfg(target_os = "linux")]
pub(super) fn extended_attribute_names(path: &Path) -> io::Result<Vec<u8>> {
    use rustix::fs::{llistxattr, llistxattr_query};
    use rustix::io::Errno;
    loop {
        let mut names = Vec::new();
        let listed = llistxattr_query(path).and_then(|size| {
            names.resize(size, 0);
            llistxattr(path, &mut names)
        });
        match listed {
            Ok(size) => {
                names.truncate(size);
                return Ok(names);
            }
            // An attribute was added after the size was read.
            Err(Errno::RANGE) => {}
            Err(Errno::NOENT | Errno::NOTSUP | Errno::NOSYS) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn extended_attribute_names(_path: &Path) -> io::Result<Vec<u8>> {
    Ok(Vec::new())
}

pub(super) fn create_private_dir_all(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(super) fn private_dir_permissions() -> Option<Permissions> {
    Some(Permissions::from_mode(0o700))
}

pub(super) fn is_private_dir(directory: &Metadata, own_file: &Metadata) -> bool {
    directory.mode() & 0o077 == 0 && directory.uid() == own_file.uid()
}

pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(buffer, offset)
}

pub(super) fn os_str_to_bytes(text: &OsStr) -> Vec<u8> {
    text.as_bytes().to_vec()
}

pub(super) fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}

pub(super) fn connect_unix_socket(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(stream)
}

/// Opens `path` for reading. Opening a named pipe does not wait for a writer.
pub(super) fn open_without_blocking(path: &Path, follow_link: bool) -> io::Result<File> {
    let follow = if follow_link { OFlags::empty() } else { OFlags::NOFOLLOW };
    let flags = (OFlags::NONBLOCK | follow).bits().cast_signed();
    File::options().read(true).custom_flags(flags).open(path)
}

/// Opens `path` for reading and writing, so that opening a named pipe does not wait.
pub(super) fn open_or_create_without_blocking(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    File::options().read(true).write(true).create(true).truncate(false).custom_flags(flags).open(path)
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
