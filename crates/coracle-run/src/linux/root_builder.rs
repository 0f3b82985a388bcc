//! Makes the root of an image of unpacked files: directories, links, and hard links to the files.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};

use coracle_core::digest::Digest;
use coracle_core::fs::{Context as _, path_from_bytes};
use coracle_core::path::ImagePath;
use coracle_oci::layout::read::{ImageEntry, ImageEntryKind, ImageFiles, LayerExtent};

use super::rootfs_store::RootfsStore;
use crate::RunError;

/// Files of every container that a runtime mounts or that a pod has.
const MOUNTED_FILES: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];
const MOUNTED_DIRECTORIES: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Makes the root of an image of the unpacked files.
pub(super) struct RootBuilder<'a> {
    pub(super) store: &'a RootfsStore,
    pub(super) files: &'a ImageFiles,
    pub(super) diff_ids: &'a [Digest],
    pub(super) root: &'a Path,
}

impl RootBuilder<'_> {
    /// Returns the number of files that belong to root although the image has another owner.
    pub(super) fn build(&self, mount_points: &[ImagePath]) -> Result<usize, RunError> {
        fs::create_dir(self.root).context("create", self.root)?;
        fs::set_permissions(self.root, Permissions::from_mode(0o755))
            .context("set the mode of", self.root)?;
        let mut directories = Vec::new();
        let mut foreign_files = 0;
        for (path, entry) in self.files.iter() {
            let is_hidden = mount_points.iter().any(|mount| path.is_within(mount));
            foreign_files += usize::from(entry.owner != (0, 0) && !self.store.can_change_owner && !is_hidden);
            let target = self.host_path(path)?;
            self.add(path, entry, &target)?;
            if entry.is_directory() {
                directories.push((target, entry));
            }
        }
        for path in mount_points.iter().cloned().chain(standard_paths(&MOUNTED_DIRECTORIES)) {
            self.create_mount_point(&path)?;
        }
        for path in standard_paths(&MOUNTED_FILES) {
            let resolved = self.files.resolve_links(&path);
            self.create_mount_point(&resolved.parent().unwrap_or_else(ImagePath::root))?;
            let target = self.below_root(&resolved);
            if fs::symlink_metadata(&target).is_err() {
                fs::write(&target, "").context("create", &target)?;
            }
        }
        // Last, because some modes would prevent adding files.
        for (path, entry) in directories.into_iter().rev() {
            if self.store.can_change_owner {
                lchown(&path, Some(entry.owner.0), Some(entry.owner.1)).context("set the owner of", &path)?;
            }
            let mode = Permissions::from_mode(entry.mode & 0o1777);
            fs::set_permissions(&path, mode).context("set the mode of", &path)?;
        }
        Ok(foreign_files)
    }

    /// Returns the path below the root, after the links in its directory are resolved inside the image.
    fn host_path(&self, path: &ImagePath) -> Result<PathBuf, RunError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(self.root.to_owned());
        };
        let parent = self.files.resolve_links(&parent);
        let is_directory =
            parent.file_name().is_none() || self.files.get(&parent).is_some_and(ImageEntry::is_directory);
        if !is_directory {
            return Err(RunError::ImpossiblePath(path.clone()));
        }
        Ok(self.below_root(&parent).join(path_from_bytes(name)))
    }

    fn below_root(&self, path: &ImagePath) -> PathBuf {
        self.root.join(path_from_bytes(path.relative_bytes()))
    }

    fn add(&self, path: &ImagePath, entry: &ImageEntry, target: &Path) -> Result<(), RunError> {
        match &entry.node {
            ImageEntryKind::Directory if target.is_dir() => Ok(()),
            ImageEntryKind::Directory => Ok(fs::create_dir(target).context("create", target)?),
            ImageEntryKind::File(extent) => self.link_file(path, extent, target),
            ImageEntryKind::Link(to) => Ok(symlink(path_from_bytes(to), target).context("create", target)?),
            // Runtimes provide devices, and programs make their own sockets and pipes.
            ImageEntryKind::Special => Ok(()),
        }
    }

    fn link_file(&self, path: &ImagePath, extent: &LayerExtent, target: &Path) -> Result<(), RunError> {
        let diff_id =
            self.diff_ids.get(extent.layer).ok_or_else(|| RunError::ImpossiblePath(path.clone()))?;
        let from = self.store.layer_path(diff_id).join(extent.position.to_string());
        match fs::hard_link(&from, target) {
            // A file has a limited number of links.
            Err(error) if error.kind() == io::ErrorKind::TooManyLinks => {
                fs::copy(&from, target).map(drop).context("copy", target)?;
            }
            linked => linked.context("link", target)?,
        }
        Ok(())
    }

    /// Creates the directory `path`, and those above it, unless the image has it.
    fn create_mount_point(&self, path: &ImagePath) -> Result<(), RunError> {
        let mut above: Vec<ImagePath> = path.ancestors();
        above.push(path.clone());
        above.sort();
        for path in above {
            let resolved = self.files.resolve_links(&path);
            let target = self.below_root(&resolved);
            if !target.is_dir() {
                fs::create_dir_all(&target).map_err(|_| RunError::MountPointIsNoDirectory(path.clone()))?;
                fs::set_permissions(&target, Permissions::from_mode(0o755))
                    .context("set the mode of", &target)?;
            }
        }
        Ok(())
    }
}

fn standard_paths(paths: &[&str]) -> Vec<ImagePath> {
    paths.iter().filter_map(|path| ImagePath::parse(path.as_bytes()).ok()).collect()
}
