//! Names that layers reserve for deletions.

use std::collections::BTreeSet;

use super::error::{RootfsError, WhiteoutName};
use super::file_tree::Rootfs;
use super::rootfs_builder::describe_entry;
use coracle_core::entry::is_whiteout_name;
use coracle_core::path::ImagePath;

/// Checks that engines create every entry of `rootfs` when they apply its layers. A file called `.wh.NAME` would delete
/// NAME instead.
///
/// # Errors
/// Fails with the topmost entry of each path that has such a name.
pub(super) fn check_no_whiteout_names(rootfs: &Rootfs) -> Result<(), RootfsError> {
    let is_whiteout = |path: &ImagePath| path.file_name().is_some_and(is_whiteout_name);
    let topmost = |path: &ImagePath| {
        path.ancestors().into_iter().find(is_whiteout).or_else(|| is_whiteout(path).then(|| path.clone()))
    };
    let paths: BTreeSet<ImagePath> = rootfs.iter().filter_map(|(path, _)| topmost(path)).collect();
    let named: Vec<WhiteoutName> = paths
        .into_iter()
        .map(|path| {
            let entry = rootfs.entries.get(&path).map(describe_entry).unwrap_or_default();
            WhiteoutName { path, entry }
        })
        .collect();
    if named.is_empty() { Ok(()) } else { Err(RootfsError::WhiteoutNames(named)) }
}
