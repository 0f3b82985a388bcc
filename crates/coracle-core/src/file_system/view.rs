//! The trait that all file system views implement, their nodes, and a view of two layers.

use crate::content::Content;
use crate::fs::{self, Stat};
use crate::path::{ImagePath, RawPath};
use crate::progress::{Cancelled, Progress};

/// A read-only view of a file system.
pub trait FileSystem {
    /// Returns the node at `path`; `None` if there is none. The parents of `path` must be
    /// directories, not links.
    ///
    /// # Errors
    /// Fails if the host cannot read the metadata.
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>>;

    /// Returns the names in the directory at `path`, sorted by bytes.
    ///
    /// # Errors
    /// Fails if the host cannot list the directory.
    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>>;

    /// Returns the permission, set-ID and sticky bits of the directory at `path`. `0o755` if the file system has no
    /// modes of directories.
    ///
    /// # Errors
    /// Fails if the host cannot read the metadata.
    fn directory_mode(&self, _path: &ImagePath) -> fs::Result<u32> {
        Ok(0o755)
    }

    /// Like [`Self::node`], but the file system does not record that the node was read.
    ///
    /// # Errors
    /// Fails if the host cannot read the metadata.
    fn node_untracked(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        self.node(path)
    }

    /// Like [`Self::list`], but the file system does not record that the directory was listed.
    ///
    /// # Errors
    /// Fails if the host cannot list the directory.
    fn list_untracked(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        self.list(path)
    }
}

/// A file system that does not record what is read from it.
pub struct UntrackedFs<'a>(pub &'a dyn FileSystem);

impl FileSystem for UntrackedFs<'_> {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        self.0.node_untracked(path)
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        self.0.list_untracked(path)
    }
}

/// A file system whose reads fail with [`Cancelled`] once an operation is cancelled: planning reads all of its inputs
/// through file systems.
pub struct CancellableFs<'a> {
    /// The file system.
    pub inner: &'a dyn FileSystem,
    /// The progress whose cancellation ends the operation.
    pub progress: &'a dyn Progress,
}

impl CancellableFs<'_> {
    fn inner(&self, path: &ImagePath) -> fs::Result<&dyn FileSystem> {
        if self.progress.is_cancelled() {
            let path = fs::path_from_bytes(path.as_bytes());
            return Err(fs::Error::new("read", &path, Cancelled.into()));
        }
        Ok(self.inner)
    }
}

impl FileSystem for CancellableFs<'_> {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        self.inner(path)?.node(path)
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        self.inner(path)?.list(path)
    }

    fn directory_mode(&self, path: &ImagePath) -> fs::Result<u32> {
        self.inner(path)?.directory_mode(path)
    }

    fn node_untracked(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        self.inner(path)?.node_untracked(path)
    }

    fn list_untracked(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        self.inner(path)?.list_untracked(path)
    }
}

/// A file, directory or link in a [`FileSystem`].
#[derive(Clone, Debug)]
pub enum FsNode {
    /// A directory.
    Directory,
    /// A symbolic link with its raw target.
    Link(RawPath),
    /// A regular file.
    File(FsFile),
    /// A device, socket or pipe, by a readable name.
    Special(&'static str),
}

/// A regular file of a [`FileSystem`].
#[derive(Clone, Debug)]
pub struct FsFile {
    /// The file's metadata.
    pub stat: Stat,
    /// The file's bytes.
    pub content: Content,
}

/// Two layered file systems: nodes of `upper` hide those of `lower`.
pub struct OverlayFs<'a> {
    /// The upper file system, which takes precedence.
    pub upper: &'a dyn FileSystem,
    /// The lower file system.
    pub lower: &'a dyn FileSystem,
}

impl FileSystem for OverlayFs<'_> {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        match self.upper.node(path)? {
            None => self.lower.node(path),
            node => Ok(node),
        }
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for file_system in [self.upper, self.lower] {
            if path.file_name().is_none() || matches!(file_system.node(path)?, Some(FsNode::Directory)) {
                names.extend(file_system.list(path)?);
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn node_untracked(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        OverlayFs { upper: &UntrackedFs(self.upper), lower: &UntrackedFs(self.lower) }.node(path)
    }

    fn list_untracked(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        OverlayFs { upper: &UntrackedFs(self.upper), lower: &UntrackedFs(self.lower) }.list(path)
    }
}
