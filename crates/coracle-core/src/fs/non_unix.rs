//! Calls of hosts other than Unix, which have no inodes, permission bits or extended attributes.
//! The functions are those of `unix.rs`.

use std::ffi::OsStr;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::metadata::{FileId, Stat, Timestamp};

/// Without inodes, changes are detected by size and time. `hard_links` is 1, so that two files are
/// never treated as hard links of one.
pub(super) fn stat(metadata: &Metadata) -> Stat {
    let modified =
        metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let time = Timestamp {
        seconds: i64::try_from(modified.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: i64::from(modified.subsec_nanos()),
    };
    Stat {
        file_id: FileId { device: 0, inode: 0 },
        size: metadata.len(),
        mode: 0o755,
        hard_links: 1,
        mtime: time,
        ctime: time,
    }
}

pub(super) fn special_file_name(_metadata: &Metadata) -> &'static str {
    "special file"
}

pub(super) fn extended_attribute_names(_path: &Path) -> io::Result<Vec<u8>> {
    Ok(Vec::new())
}

/// Creates `path` and missing parent directories, with the host's default access.
pub(super) fn create_private_dir_all(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

pub(super) fn private_dir_permissions() -> Option<Permissions> {
    None
}

pub(super) fn is_private_dir(_directory: &Metadata, _own_file: &Metadata) -> bool {
    true
}

pub(super) fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}

pub(super) fn os_str_to_bytes(text: &OsStr) -> Vec<u8> {
    text.to_string_lossy().replace('\\', "/").into_bytes()
}

pub(super) fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Always fails, because only Unix hosts have Unix sockets. The result has a type that can be read
/// and written.
pub(super) fn connect_unix_socket(_path: &Path, _timeout: Duration) -> io::Result<io::Cursor<Vec<u8>>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Opens `path` for reading. Never blocks, because named pipes are not files on these hosts. Fails
/// if `path` is a link and `follow_link` is false.
pub(super) fn open_without_blocking(path: &Path, follow_link: bool) -> io::Result<File> {
    if !follow_link && path.is_symlink() {
        return Err(io::Error::other("it is a symbolic link"));
    }
    File::open(path)
}

pub(super) fn open_or_create_without_blocking(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// Does nothing, because directories cannot be opened on these hosts.
pub(super) fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// A directory that is accessed by its descriptor. These hosts have none, so no value of this type
/// exists.
#[derive(Debug)]
pub(super) enum Directory {}

impl Directory {
    pub(super) fn open_private(_parent: &Path, _name: &[u8]) -> io::Result<Option<Self>> {
        Ok(None)
    }

    pub(super) fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        match *self {}
    }

    pub(super) fn open_file(&self, _name: &[u8]) -> io::Result<Option<File>> {
        match *self {}
    }

    pub(super) fn remove_file(&self, _name: &[u8]) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn remove_self(&self) -> io::Result<()> {
        match *self {}
    }
}
