//! Adds files to a finished tree that no program needs.

use std::collections::BTreeSet;

use super::error::RootfsError;
use super::file_tree::Rootfs;
use super::plan_request::BaseFileSystem;
use super::rootfs_builder::{EntryOrigin, RootfsBuilder};
use coracle_core::content::Content;
use coracle_core::entry::{EntryReason, LayerKind};
use coracle_core::file_system::{self, FileSystem, OverlayFs, ResolutionEnd};
use coracle_core::path::ImagePath;

/// A file to add.
pub(crate) struct NewFile {
    pub(crate) path: ImagePath,
    pub(crate) content: Content,
    pub(crate) layer_kind: LayerKind,
    pub(crate) reason: EntryReason,
}

/// Adds `files` to `rootfs`, except where it has a file. Links of the image and of `base` are followed;
/// directories of `base` keep their mode and owner.
///
/// # Errors
/// Fails if a file cannot be at its path, because a parent of it is no directory.
pub(crate) fn add_new_files(
    rootfs: Rootfs,
    base: Option<&dyn BaseFileSystem>,
    files: Vec<NewFile>,
) -> Result<Rootfs, RootfsError> {
    let known: BTreeSet<ImagePath> = rootfs.entries.keys().cloned().collect();
    let nothing = Rootfs::default();
    let lower = base.map_or(&nothing as &dyn FileSystem, |base| base);
    let mut builder = RootfsBuilder::continue_from(rootfs);
    for file in files {
        let image = OverlayFs { upper: &builder.rootfs, lower };
        let path = match file_system::resolve_path(&image, &ImagePath::root(), file.path.as_bytes())?.end {
            ResolutionEnd::File(path, _) if builder.rootfs.contains(&path) => continue,
            ResolutionEnd::File(path, _) => path,
            // The first name that is missing, with the links above it followed.
            ResolutionEnd::Missing(first) => with_rest(&first, &file.path),
            _ => file.path,
        };
        builder.add_content(&path, file.content, EntryOrigin::new(file.reason, file.layer_kind));
    }
    let (mut rootfs, _) = builder.finish()?;
    for (path, entry) in rootfs.entries.iter_mut().filter(|(path, _)| !known.contains(path)) {
        if let Some((mode, owner)) = base.and_then(|base| base.directory(path)) {
            (entry.mode, entry.owner) = (mode, owner);
        }
    }
    Ok(rootfs)
}

/// Returns `first`, followed by the components of `path` that come after the same name.
fn with_rest(first: &ImagePath, path: &ImagePath) -> ImagePath {
    let name = first.file_name();
    let rest = path.components().skip_while(|component| Some(*component) != name).skip(1);
    first.join_components(rest)
}
