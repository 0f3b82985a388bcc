//! A sysroot overlaid with the programs' directories of the host.

use std::rc::Rc;

use coracle_core::distribution_directories::is_system_path;
use coracle_core::file_system::{FileSystem, FsNode, HostFs};
use coracle_core::fs;
use coracle_core::path::ImagePath;

/// A file system with dynamic loader and libraries of a sysroot, and programs of the host.
pub(super) struct SysrootFs {
    pub(super) host: Rc<HostFs>,
    pub(super) libraries: Rc<HostFs>,
    /// The paths that are read from the host.
    pub(super) host_paths: Vec<ImagePath>,
}

/// Returns the path that is read from the host for a program: its top directory (such as `/home`),
/// but in a system directory only the program itself.
pub(super) fn host_part(program: &ImagePath) -> ImagePath {
    if is_system_path(program) {
        program.clone()
    } else {
        ImagePath::root().join_components(program.components().take(1))
    }
}

impl SysrootFs {
    fn is_host_path(&self, path: &ImagePath) -> bool {
        self.host_paths.iter().any(|own| path.is_within(own))
    }
}

impl FileSystem for SysrootFs {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        if self.is_host_path(path) {
            return self.host.node(path);
        }
        match self.libraries.node(path)? {
            None if self.host_paths.iter().any(|own| own.is_within(path)) => Ok(Some(FsNode::Directory)),
            node => Ok(node),
        }
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        if self.is_host_path(path) { self.host.list(path) } else { self.libraries.list(path) }
    }
}
