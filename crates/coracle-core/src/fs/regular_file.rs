//! Reads regular files at paths that other programs may have prepared. A named pipe would block
//! for ever, and a device such as `/dev/zero` has no end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::{Context, Error, Result};
use super::host;

/// The treatment of a symbolic link at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FinalLink {
    /// The target of the link is opened.
    Follow,
    /// A link is an error.
    Refuse,
}

/// Opens the regular file at `path` for reading. Never blocks.
///
/// # Errors
/// Fails if there is no regular file, or it cannot be opened.
pub fn open_regular_file(path: &Path, link: FinalLink) -> Result<File> {
    let file = match host::open_without_blocking(path, link == FinalLink::Follow) {
        Err(_) if link == FinalLink::Refuse && path.is_symlink() => {
            return Err(Error::new("open", path, io::Error::other("it is a symbolic link")));
        }
        file => file.context("open", path)?,
    };
    let metadata = file.metadata().context("read the metadata of", path)?;
    if metadata.is_file() {
        return Ok(file);
    }
    let what = if metadata.is_dir() { "directory" } else { host::special_file_name(&metadata) };
    Err(Error::new("open", path, io::Error::other(format!("it is a {what}, not a regular file"))))
}

/// Reads the regular file at `path`, of at most `limit` bytes.
///
/// # Errors
/// Fails as [`open_regular_file`] does, and if the file is larger or cannot be read.
pub fn read_regular_file(path: &Path, link: FinalLink, limit: u64) -> Result<Vec<u8>> {
    let file = open_regular_file(path, link)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).context("read", path)?;
    if bytes.len() as u64 > limit {
        return Err(Error::new("read", path, io::Error::other(format!("it has more than {limit} bytes"))));
    }
    Ok(bytes)
}

/// Opens the lock file at `path` for writing, and creates it if it does not exist. Never blocks and
/// never follows a link.
///
/// # Errors
/// Fails if the path is not that of a regular file, or it cannot be created or opened.
pub fn open_lock_file(path: &Path) -> Result<File> {
    let file = host::open_or_create_without_blocking(path).context("open", path)?;
    let metadata = file.metadata().context("read the metadata of", path)?;
    if metadata.is_file() {
        return Ok(file);
    }
    Err(Error::new("open", path, io::Error::other("it is not a regular file")))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<Vec<u8>>) -> String {
        let error = result.unwrap_err();
        std::error::Error::source(&error).unwrap().to_string()
    }

    #[test]
    fn reads_regular_files_within_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        std::fs::write(&file, "12345").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        assert_eq!(read_regular_file(&file, FinalLink::Refuse, 5).unwrap(), b"12345");
        assert_eq!(read_regular_file(&link, FinalLink::Follow, 5).unwrap(), b"12345");
        assert_eq!(message(read_regular_file(&file, FinalLink::Follow, 4)), "it has more than 4 bytes");
        assert_eq!(message(read_regular_file(&link, FinalLink::Refuse, 5)), "it is a symbolic link");
    }

    #[test]
    fn refuses_what_never_ends() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        for (path, what) in [
            (pipe.as_path(), "named pipe"),
            (Path::new("/dev/zero"), "character device"),
            (directory.path(), "directory"),
        ] {
            let expected = format!("it is a {what}, not a regular file");
            assert_eq!(message(read_regular_file(path, FinalLink::Follow, 5)), expected);
        }
    }
}
