//! The directories that a program writes to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coracle_trace::{RecordedPath, Trace};

use super::file_kinds::UserDirectories;
use super::planned_image::PlannedImage;

/// Directories to declare as writable, and written paths where no directory can be mounted.
#[derive(PartialEq, Eq, Default, Debug)]
pub(super) struct StateDirs {
    pub(super) directories: BTreeSet<PathBuf>,
    pub(super) impossible: BTreeSet<PathBuf>,
}

/// Returns the directories that the runs wrote to and that are not writable in the image.
pub(super) fn state_dirs(trace: &Trace, image: &PlannedImage, user: &UserDirectories) -> StateDirs {
    let created: BTreeSet<&Path> =
        trace.directories_created.iter().map(|directory| directory.path.as_path()).collect();
    let written =
        [&trace.files_written, &trace.directories_created, &trace.sockets_bound, &trace.paths_removed];
    let mut found = StateDirs::default();
    for path in written.into_iter().flatten() {
        let Some(directory) = state_dir(path, &created, image, user) else { continue };
        if image.is_writable(&directory) || image.is_named_in_recipe(&directory) {
            continue;
        }
        if image.can_mount(&directory) {
            found.directories.insert(directory);
        } else if !image.is_named_in_recipe(&image.image_path(path)) {
            found.impossible.insert(image.image_path(path));
        }
    }
    let outermost =
        |directory: &PathBuf| !directory.ancestors().skip(1).any(|above| found.directories.contains(above));
    let directories = found.directories.iter().filter(|directory| outermost(directory)).cloned().collect();
    StateDirs { directories, ..found }
}

/// Returns the directory in the image that the program writes `path` to. Directories that it creates
/// itself are not mounted. `None` for noise.
fn state_dir(
    path: &RecordedPath,
    created: &BTreeSet<&Path>,
    image: &PlannedImage,
    user: &UserDirectories,
) -> Option<PathBuf> {
    // Python compiles modules again where it cannot write.
    if path.path.components().any(|part| part.as_os_str() == "__pycache__") {
        return None;
    }
    if path.path.starts_with("/dev") || path.path.starts_with("/proc") || path.path.starts_with("/sys") {
        return None;
    }
    if !user.is_in_project(&path.path) {
        if path.path.starts_with("/var/tmp") {
            return Some("/var/tmp".into());
        }
        // Programs without `TMPDIR` use this one.
        if user.is_temporary(&path.path) {
            return Some("/tmp".into());
        }
        if user.is_private(&path.path) || path.path.starts_with("/run/user") {
            return None;
        }
    }
    let mut host = path.path.parent()?;
    let mut directory = image.image_path(path).parent()?.to_owned();
    while created.contains(host) {
        host = host.parent()?;
        directory = directory.parent()?.to_owned();
    }
    let is_ignored_path = directory.components().any(|part| part.as_os_str() == ".git");
    (!is_ignored_path).then_some(directory)
}
