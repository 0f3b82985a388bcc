//! Which files and directories of this machine packages of the distribution have installed, by the package
//! manager's lists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use coracle_core::fs::{self, FinalLink};
use coracle_core::path::ImagePath;

/// Lists of dpkg: a file for each package, with a path in each line.
const DPKG_LISTS: &str = "/var/lib/dpkg/info";
/// The list of apk: `F:DIRECTORY` lines, relative to the root, each followed by `R:NAME` lines.
const APK_LIST: &str = "/lib/apk/db/installed";

/// Returns the `paths` that a package has installed, or has compiled from its sources: bytecode of Python.
/// `None` if there are no lists of packages. A list that cannot be read counts as empty.
pub fn packaged_paths(paths: &BTreeSet<ImagePath>) -> Option<BTreeSet<ImagePath>> {
    let sources: BTreeMap<&ImagePath, ImagePath> =
        paths.iter().filter_map(|path| Some((path, source_of_bytecode(path)?))).collect();
    let wanted = paths.iter().chain(sources.values()).cloned().collect();
    let listed = listed_paths(&wanted)?;
    let is_packaged = |path: &&ImagePath| {
        listed.contains(*path) || sources.get(path).is_some_and(|source| listed.contains(source))
    };
    Some(paths.iter().filter(is_packaged).cloned().collect())
}

/// Returns the source of a file such as `__pycache__/NAME.cpython-311.pyc`.
fn source_of_bytecode(path: &ImagePath) -> Option<ImagePath> {
    let directory = path.parent().filter(|directory| directory.file_name() == Some(b"__pycache__"))?;
    let name = path.file_name()?.strip_suffix(b".pyc")?;
    let is_tag = |text: &[u8]| text.starts_with(b".cpython-") || text.starts_with(b".pypy");
    let end = (0..name.len()).find(|at| name.get(*at..).is_some_and(is_tag))?;
    Some(directory.parent()?.join(&[name.get(..end)?, b".py"].concat()))
}

/// Returns the `paths` that are in lists of packages.
fn listed_paths(paths: &BTreeSet<ImagePath>) -> Option<BTreeSet<ImagePath>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytecode_belongs_to_its_source() {
        for (path, source) in [
            ("/usr/lib/a/__pycache__/b.cpython-311.pyc", Some("/usr/lib/a/b.py")),
            ("/usr/lib/a/__pycache__/b.c.cpython-312.opt-1.pyc", Some("/usr/lib/a/b.c.py")),
            ("/usr/lib/a/__pycache__/b.pypy39.pyc", Some("/usr/lib/a/b.py")),
            ("/usr/lib/a/b.cpython-311.pyc", None),
            ("/usr/lib/a/__pycache__/b.py", None),
        ] {
            let found = source_of_bytecode(&path.parse().unwrap());
            assert_eq!(found.map(|path| path.to_string()), source.map(str::to_owned), "{path}");
        }
    }
}
