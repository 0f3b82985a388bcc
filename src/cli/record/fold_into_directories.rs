//! Folds the files that were read into directories: a directory that was listed, or of which most
//! files were read, is included as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The maximum number of entries of a directory that is included as a whole.
const MAX_ENTRIES: usize = 5_000;
/// The minimum number of files that must be read of a directory, unless these are all of its files.
const MIN_FILES_READ: usize = 3;

/// Directories and files to include, each with the number of files that were read in it.
#[derive(PartialEq, Eq, Default, Debug)]
pub(super) struct FoldedPaths {
    pub(super) directories: BTreeMap<PathBuf, usize>,
    pub(super) files: BTreeSet<PathBuf>,
}

/// Folds `files` into the directories above them, and adds the `listed` directories. `count_files`
/// returns the number of files of a directory, or `None` if it must not be included as a whole.
pub(super) fn fold_into_directories(
    files: &BTreeSet<PathBuf>,
    listed: &BTreeSet<PathBuf>,
    count_files: &dyn Fn(&Path) -> Option<usize>,
) -> FoldedPaths {
    let read_below = |directory: &Path| {
        files
            .range::<Path, _>((std::ops::Bound::Included(directory), std::ops::Bound::Unbounded))
            .take_while(|file| file.starts_with(directory))
            .count()
    };
    let above: BTreeSet<&Path> = files.iter().flat_map(|file| file.ancestors().skip(1)).collect();
    let mostly_read = above.into_iter().filter(|directory| {
        let read = read_below(directory);
        read > 1
            && count_files(directory)
                .is_some_and(|total| read == total || (read >= MIN_FILES_READ && read * 2 > total))
    });
    let listed = listed.iter().map(PathBuf::as_path).filter(|directory| count_files(directory).is_some());
    let mut folded = FoldedPaths::default();
    // A directory comes before those in it.
    for directory in mostly_read.chain(listed).collect::<BTreeSet<&Path>>() {
        if !folded.contains(directory) {
            folded.directories.insert(directory.to_owned(), read_below(directory));
        }
    }
    folded.files = files.iter().filter(|file| !folded.contains(file)).cloned().collect();
    folded
}

impl FoldedPaths {
    /// Returns whether a directory contains `path`.
    pub(super) fn contains(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.directories.contains_key(above))
    }
}

/// Returns the number of files below `directory`. `None` if it cannot be included as a whole: it has a
/// special file, an entry that `is_excluded`, too many entries, or a link that leads out of it. If it
/// `keeps_path` in the image, links may lead to files anywhere, which come along.
pub(super) fn count_files_if_includable(
    directory: &Path,
    keeps_path: bool,
    is_excluded: &dyn Fn(&Path) -> bool,
) -> Option<usize> {
    let (mut files, mut entries) = (0, 0);
    let mut pending = vec![directory.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(&folder).ok()? {
            let entry = entry.ok()?;
            let (path, kind) = (entry.path(), entry.file_type().ok()?);
            entries += 1;
            if entries > MAX_ENTRIES || is_excluded(&path) {
                return None;
            }
            if kind.is_dir() {
                pending.push(path);
            } else if kind.is_symlink() {
                if !is_link_includable(directory, &path, keeps_path)? {
                    return None;
                }
            } else if kind.is_file() {
                // Only readable files can be packed.
                std::fs::File::open(&path).ok()?;
                files += 1;
            } else {
                return None;
            }
        }
    }
    Some(files)
}

/// Returns whether the link at `path` can be included with `directory`. `None` if it cannot be read.
fn is_link_includable(directory: &Path, path: &Path, keeps_path: bool) -> Option<bool> {
    let target = std::fs::read_link(path).ok()?;
    let Ok(real) = path.canonicalize() else { return Some(keeps_path) };
    if real.starts_with(directory.canonicalize().ok()?) && !target.is_absolute() {
        return Some(true);
    }
    Some(keeps_path && real.is_file() && std::fs::File::open(&real).is_ok())
}
