//! A file system view in memory, for tests and examples.

#![expect(
    clippy::unwrap_used,
    reason = "paths are written by the caller; an invalid one is a mistake in the code"
)]

use std::collections::BTreeMap;

use super::child_names::child_names;
use super::view::{FileSystem, FsFile, FsNode};
use crate::content::Content;
use crate::fs::{self, FileId, Stat};
use crate::path::{ImagePath, RawPath};

/// A file system view in memory, written as text. Nothing is read from the host.
///
/// ```
/// use coracle_core::file_system::{MemoryFs, ResolutionEnd, resolve_path};
/// use coracle_core::path::ImagePath;
///
/// let mut files = MemoryFs::from_text(
///     "/lib -> usr/lib
///      /usr/lib/libz.so.1 -> libz.so.1.3
///      /var/empty/",
/// );
/// files.add_file("/usr/lib/libz.so.1.3", b"\x7fELF");
///
/// let resolution = resolve_path(&files, &ImagePath::root(), b"/lib/libz.so.1")?;
/// let ResolutionEnd::File(path, file) = resolution.end else { panic!("it is a file") };
/// assert_eq!(path.to_string(), "/usr/lib/libz.so.1.3");
/// assert_eq!(file.stat.size, 4);
/// # Ok::<(), coracle_core::fs::Error>(())
/// ```
#[derive(Default, Debug)]
pub struct MemoryFs(BTreeMap<ImagePath, FsNode>);

impl MemoryFs {
    /// Parses one node per line: `/directory/`, `/link -> target` or `/file = content`. Missing
    /// parents are added. White space around a line is ignored.
    ///
    /// # Panics
    /// Panics if a path is not absolute.
    pub fn from_text(text: &str) -> Self {
        let mut files = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some((path, target)) = line.split_once(" -> ") {
                files.add_node(path, FsNode::Link(RawPath::new(target)));
            } else if let Some((path, content)) = line.split_once(" = ") {
                files.add_file(path, content.as_bytes());
            } else {
                files.add_node(line, FsNode::Directory);
            }
        }
        files
    }

    /// Adds `node` at `path`, and missing parents.
    ///
    /// # Panics
    /// Panics if `path` is not absolute.
    pub fn add_node(&mut self, path: &str, node: FsNode) {
        let path: ImagePath = path.parse().unwrap();
        for parent in path.ancestors() {
            self.0.entry(parent).or_insert(FsNode::Directory);
        }
        self.0.insert(path, node);
    }

    /// Adds an executable file with its own inode, and missing parents.
    ///
    /// # Panics
    /// Panics if `path` is not absolute.
    pub fn add_file(&mut self, path: &str, content: &[u8]) {
        let file_id = FileId { device: 0, inode: self.0.len() as u64 + 1 };
        let stat = Stat::synthetic(file_id, content.len() as u64, 0o755);
        self.add_node(path, FsNode::File(FsFile { stat, content: Content::from_bytes(content) }));
    }
}

impl FileSystem for MemoryFs {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        Ok(child_names(&self.0, path))
    }
}
