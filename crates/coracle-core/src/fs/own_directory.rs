//! Directories of the current user, accessed by descriptor: in a directory that other users can
//! write to, a path may lead elsewhere at the next call.

use std::fs::File;
use std::io;
use std::path::Path;

use super::host;

/// A directory that the current user owns and other users cannot access.
#[derive(Debug)]
pub struct OwnDirectory(host::Directory);

impl OwnDirectory {
    /// Opens the directory `name` in `parent`. `None` if it does not exist, is a link, or other users
    /// have access; always `None` on hosts without directory descriptors.
    ///
    /// # Errors
    /// Fails if it cannot be opened.
    pub fn open(parent: &Path, name: &[u8]) -> io::Result<Option<Self>> {
        Ok(host::Directory::open_private(parent, name)?.map(Self))
    }

    /// Opens the regular file `name`, without following a link; `None` if there is none. Never blocks.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open_file(&self, name: &[u8]) -> io::Result<Option<File>> {
        self.0.open_file(name)
    }

    /// Removes all files in the directory, `last` after the others, then the directory itself if it is
    /// still at its path. Subdirectories are kept.
    ///
    /// # Errors
    /// Fails if a file cannot be removed, or the directory is not empty.
    pub fn remove(self, last: &[u8]) -> io::Result<()> {
        for name in self.0.names()?.iter().filter(|name| *name != last) {
            self.0.remove_file(name)?;
        }
        match self.0.remove_file(last) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.0.remove_self()
    }

    /// Removes the directory if it is empty and still at its path.
    ///
    /// # Errors
    /// Fails if it is not empty.
    pub fn remove_if_empty(self) -> io::Result<()> {
        self.0.remove_self()
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{DirBuilderExt as _, symlink};

    use super::*;

    fn create_private(path: &Path) {
        std::fs::DirBuilder::new().mode(0o700).create(path).unwrap();
    }

    #[test]
    fn opens_only_private_directories() {
        let home = tempfile::tempdir().unwrap();
        create_private(&home.path().join("own"));
        std::fs::DirBuilder::new().mode(0o755).create(home.path().join("public")).unwrap();
        std::fs::write(home.path().join("file"), "").unwrap();
        symlink("own", home.path().join("link")).unwrap();
        let opened = |name: &str| OwnDirectory::open(home.path(), name.as_bytes()).unwrap().is_some();
        assert_eq!(
            ["own", "public", "file", "link", "absent"].map(opened),
            [true, false, false, false, false]
        );
    }

    #[test]
    fn removes_nothing_behind_a_directory_that_was_replaced() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for name in ["own", "victim"] {
            create_private(&at(name));
            std::fs::write(at(name).join("file"), "").unwrap();
        }
        let opened = OwnDirectory::open(home.path(), b"own").unwrap().unwrap();
        std::fs::rename(at("own"), at("moved")).unwrap();
        symlink("victim", at("own")).unwrap();
        opened.remove(b"lock").unwrap();
        assert!(at("victim/file").exists() && at("own").is_symlink() && !at("moved/file").exists());
    }

    #[test]
    fn opens_only_regular_files() {
        let home = tempfile::tempdir().unwrap();
        create_private(&home.path().join("own"));
        let own = OwnDirectory::open(home.path(), b"own").unwrap().unwrap();
        let at = |name: &str| home.path().join("own").join(name);
        std::fs::write(at("file"), "").unwrap();
        symlink("file", at("link")).unwrap();
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let is_open = |name: &str| own.open_file(name.as_bytes()).unwrap().is_some();
        assert_eq!(["file", "link", "pipe", "absent"].map(is_open), [true, false, false, false]);
    }
}
