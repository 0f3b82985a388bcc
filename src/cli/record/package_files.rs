//! Which files below `/etc` belong to packages of the distribution, by the package manager's lists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lists of dpkg: a file for each package, with a path in each line.
const DPKG_LISTS: &str = "/var/lib/dpkg/info";
/// The list of apk: `F:DIRECTORY` lines, relative to the root.
const APK_LIST: &str = "/lib/apk/db/installed";

/// Returns those of `files` below `/etc` that a package has installed, or whose directory one has: scripts
/// of packages create files there. Without a list, all of them.
pub(super) fn files_of_packages<'a>(files: impl Iterator<Item = &'a Path>) -> BTreeSet<PathBuf> {
    let files: BTreeSet<&Path> = files.filter(|file| file.starts_with("/etc")).collect();
    if files.is_empty() {
        return BTreeSet::new();
    }
    let Some(listed) = listed_paths(&files) else { return files.into_iter().map(Path::to_owned).collect() };
    let is_listed = |file: &&Path| wanted_paths(file).any(|path| listed.contains(path));
    files.into_iter().filter(is_listed).map(Path::to_owned).collect()
}

/// Returns the file and its directories below `/etc`.
fn wanted_paths(file: &Path) -> impl Iterator<Item = &Path> {
    file.ancestors().take_while(|path| *path != Path::new("/etc"))
}

/// Returns the wanted paths of `files` that are in lists. `None` if there is no list.
fn listed_paths(files: &BTreeSet<&Path>) -> Option<BTreeSet<PathBuf>> {
    let wanted: BTreeSet<&Path> = files.iter().flat_map(|file| wanted_paths(file)).collect();
    let mut listed = BTreeSet::new();
    let mut add = |path: PathBuf| {
        if wanted.contains(path.as_path()) {
            listed.insert(path);
        }
    };
    let dpkg = std::fs::read_dir(DPKG_LISTS).ok();
    let apk = std::fs::read_to_string(APK_LIST).ok();
    if dpkg.is_none() && apk.is_none() {
        return None;
    }
    for entry in dpkg.into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "list")
            && let Ok(text) = std::fs::read_to_string(entry.path())
        {
            text.lines().filter(|line| line.starts_with("/etc/")).for_each(|line| add(line.into()));
        }
    }
    for line in apk.iter().flat_map(|text| text.lines()) {
        if let Some(directory) = line.strip_prefix("F:") {
            add(Path::new("/").join(directory));
        }
    }
    Some(listed)
}
