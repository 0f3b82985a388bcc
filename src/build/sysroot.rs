//! A sysroot with the programs' own parts of the host in it.

use std::rc::Rc;

use coracle_core::fs;
use coracle_core::path::ImagePath;
use crate::rootfs::is_system;
use coracle_core::file_system::{HostTree, Node, Tree};

/// Loader and libraries of one directory, programs of the host.
pub(super) struct Sysroot {
    pub(super) host: Rc<HostTree>,
    pub(super) libraries: Rc<HostTree>,
    /// What is the host's.
    pub(super) own: Vec<ImagePath>,
}

/// The part of the host that belongs to the program: all of `/home` or the like, but of a system directory only itself.
pub(super) fn own_part(program: &ImagePath) -> ImagePath {
    if is_system(program) { program.clone() } else { ImagePath::root().join_all(program.names().take(1)) }
}

impl Sysroot {
    fn is_own(&self, path: &ImagePath) -> bool {
        self.own.iter().any(|own| path.is_within(own))
    }
}

impl Tree for Sysroot {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<Node>> {
        if self.is_own(path) {
            return self.host.node(path);
        }
        match self.libraries.node(path)? {
            None if self.own.iter().any(|own| own.is_within(path)) => Ok(Some(Node::Directory)),
            node => Ok(node),
        }
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        if self.is_own(path) { self.host.list(path) } else { self.libraries.list(path) }
    }
}
