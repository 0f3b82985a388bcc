//! A directory that is accessed by its descriptor.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// An open directory, its name, and the directory that contains it.
#[derive(Debug)]
pub(super) struct Directory {
    parent: OwnedFd,
    name: Vec<u8>,
    descriptor: OwnedFd,
}

/// Flags to open a file without following a link or waiting for the other end of a named pipe.
const SAFE_OPEN_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);

impl Directory {
    /// Opens the directory `name` in `parent`; `None` if it does not exist, is a link, belongs to
    /// another user, or other users have access.
    pub(super) fn open_private(parent: &Path, name: &[u8]) -> io::Result<Option<Self>> {
        let parent =
            rustix::fs::open(parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let opened = rustix::fs::openat(
            &parent,
            OsStr::from_bytes(name),
            SAFE_OPEN_FLAGS | OFlags::DIRECTORY,
            Mode::empty(),
        );
        let descriptor = match opened {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => return Ok(None),
            opened => opened?,
        };
        let stat = rustix::fs::fstat(&descriptor)?;
        let is_private = stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o077 == 0;
        Ok(is_private.then(|| Self { parent, name: name.to_vec(), descriptor }))
    }

    /// Returns the names in the directory.
    pub(super) fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.descriptor)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Opens a regular file; `None` if there is none.
    pub(super) fn open_file(&self, name: &[u8]) -> io::Result<Option<File>> {
        let opened =
            rustix::fs::openat(&self.descriptor, OsStr::from_bytes(name), SAFE_OPEN_FLAGS, Mode::empty());
        let file = match opened {
            Err(Errno::NOENT | Errno::LOOP | Errno::MLINK | Errno::NXIO) => return Ok(None),
            opened => File::from(opened?),
        };
        Ok(file.metadata()?.is_file().then_some(file))
    }

    /// Removes a file or link.
    pub(super) fn remove_file(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.descriptor, OsStr::from_bytes(name), AtFlags::empty())?)
    }

    /// Removes this directory from its parent, if it is still there.
    pub(super) fn remove_self(&self) -> io::Result<()> {
        let name = OsStr::from_bytes(&self.name);
        let own = rustix::fs::fstat(&self.descriptor)?;
        let there = match rustix::fs::statat(&self.parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            there => there?,
        };
        let is_same = (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino);
        if !is_same || FileType::from_raw_mode(there.st_mode) != FileType::Directory {
            return Ok(());
        }
        Ok(rustix::fs::unlinkat(&self.parent, name, AtFlags::REMOVEDIR)?)
    }
}
