//! Two file systems, one on top of the other.

use super::view::{FileSystem, FsNode};
use crate::fs;
use crate::path::ImagePath;

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
}
