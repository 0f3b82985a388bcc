//! Which files and directories of this machine packages of the distribution have installed, by the package
//! manager's lists.

use std::collections::BTreeSet;
use std::path::Path;

use coracle_core::fs::{self, FinalLink};
use coracle_core::path::ImagePath;

/// Lists of dpkg: a file for each package, with a path in each line.
const DPKG_LISTS: &str = "/var/lib/dpkg/info";
/// The list of apk: `F:DIRECTORY` lines, relative to the root, each followed by `R:NAME` lines.
const APK_LIST: &str = "/lib/apk/db/installed";

/// Returns the `paths` that a package has installed. `None` if there are no lists of packages. A
/// list that cannot be read counts as empty.
pub fn packaged_paths(paths: &BTreeSet<ImagePath>) -> Option<BTreeSet<ImagePath>> {
    let dpkg = fs::list_directory(DPKG_LISTS.as_ref()).ok();
    let apk = read_list(APK_LIST.as_ref());
    if dpkg.is_none() && apk.is_none() {
        return None;
    }
    let mut packaged = BTreeSet::new();
    let mut add = |line: &str| {
        // Lists of distributions with a merged `/usr` may have paths without it.
        for path in [line.to_owned(), format!("/usr{line}")] {
            packaged.extend(path.parse().ok().filter(|path| paths.contains(path)));
        }
    };
    for name in dpkg.iter().flatten() {
        let path = Path::new(DPKG_LISTS).join(fs::path_from_bytes(name));
        if path.extension().is_some_and(|extension| extension == "list") {
            read_list(&path).iter().flat_map(|text| text.lines()).for_each(&mut add);
        }
    }
    let mut directory = "";
    for line in apk.iter().flat_map(|text| text.lines()) {
        match line.split_once(':') {
            Some(("F", path)) => {
                directory = path;
                add(&format!("/{directory}"));
            }
            Some(("R", name)) => add(&format!("/{directory}/{name}")),
            _ => {}
        }
    }
    Some(packaged)
}

/// The largest list of packages that is read, in bytes.
const MAX_LIST_SIZE: u64 = 64 << 20;

/// Returns the text of a list.
fn read_list(path: &Path) -> Option<String> {
    let bytes = fs::read_regular_file(path, FinalLink::Follow, MAX_LIST_SIZE).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
