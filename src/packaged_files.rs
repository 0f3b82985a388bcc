//! Which files of this machine packages of the distribution have installed, by the package manager's lists.
//! Such files are public.

use std::collections::BTreeSet;
use std::path::Path;

use coracle_core::fs;
use coracle_core::path::ImagePath;

/// Lists of dpkg: a file for each package, with a path in each line.
const DPKG_LISTS: &str = "/var/lib/dpkg/info";
/// The list of apk: `F:DIRECTORY` lines, relative to the root, each followed by `R:NAME` lines.
const APK_LIST: &str = "/lib/apk/db/installed";

/// Returns those of `files` that a package has installed. Empty if there are no lists.
pub(crate) fn packaged_files(files: &BTreeSet<ImagePath>) -> BTreeSet<ImagePath> {
    let mut packaged = BTreeSet::new();
    if files.is_empty() {
        return packaged;
    }
    let mut add = |line: &str| {
        // Lists of distributions with a merged `/usr` may have paths without it.
        for path in [line.to_owned(), format!("/usr{line}")] {
            packaged.extend(path.parse().ok().filter(|path| files.contains(path)));
        }
    };
    for name in fs::list_directory(DPKG_LISTS.as_ref()).unwrap_or_default() {
        let path = Path::new(DPKG_LISTS).join(fs::path_from_bytes(&name));
        if path.extension().is_some_and(|extension| extension == "list") {
            read_list(&path).lines().for_each(&mut add);
        }
    }
    let mut directory = "";
    for line in read_list(APK_LIST.as_ref()).lines() {
        match line.split_once(':') {
            Some(("F", path)) => directory = path,
            Some(("R", name)) => add(&format!("/{directory}/{name}")),
            _ => {}
        }
    }
    packaged
}

/// Returns the text of a list. Empty if it cannot be read: then its files do not count as packaged.
fn read_list(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
