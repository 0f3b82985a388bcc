//! Which files below `/etc` belong to packages of the distribution.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coracle_core::fs;
use coracle_core::path::ImagePath;

/// Returns the `files` below `/etc` that a package has installed, or whose directory a package has
/// installed: scripts of packages create files there. Without lists of packages, returns all of
/// them.
pub(super) fn files_of_packages<'a>(files: impl Iterator<Item = &'a Path>) -> BTreeSet<PathBuf> {
    let files: BTreeSet<&Path> = files.filter(|file| file.starts_with("/etc")).collect();
    if files.is_empty() {
        return BTreeSet::new();
    }
    let wanted = files.iter().flat_map(|file| file_and_etc_parents(file)).collect();
    let packaged = coracle::packaged_paths(&wanted);
    let is_packaged = |file: &&Path| {
        packaged
            .as_ref()
            .is_none_or(|packaged| file_and_etc_parents(file).any(|path| packaged.contains(&path)))
    };
    files.into_iter().filter(is_packaged).map(Path::to_owned).collect()
}

/// Returns `file`, and the directories above it that are below `/etc`.
fn file_and_etc_parents(file: &Path) -> impl Iterator<Item = ImagePath> {
    let below = file.ancestors().take_while(|path| *path != Path::new("/etc"));
    below.filter_map(|path| ImagePath::parse(&fs::path_to_bytes(path)).ok())
}
