//! A planned image in front of the tree that it is made from: where a library would be found once the image had all
//! that it may still get.

use super::Rootfs;
use crate::fs;
use crate::path::ImagePath;
use crate::tree::{Node, Tree};

/// What the image has, else what the tree has.
pub(super) struct Overlay<'a> {
    pub(super) front: &'a Rootfs,
    pub(super) behind: &'a dyn Tree,
}

impl Tree for Overlay<'_> {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<Node>> {
        match self.front.node(path)? {
            None => self.behind.node(path),
            node => Ok(node),
        }
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let mut names = self.front.list(path)?;
        if matches!(self.behind.node(path)?, Some(Node::Directory)) {
            names.extend(self.behind.list(path)?);
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}
