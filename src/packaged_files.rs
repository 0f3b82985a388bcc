//! Which files and directories of this machine packages of the distribution have installed, by the package
//! manager's database.

use std::collections::{BTreeMap, BTreeSet};

use coracle_core::file_system::HostFs;
use coracle_core::path::ImagePath;
use coracle_inventory::{FileSelection, Inventory};

/// Returns the `paths` that a package has installed, or has compiled from its sources: bytecode of Python.
/// `None` if there is no package database, or it cannot be read.
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

/// Returns the `paths` that packages own. `None` if there is no package database, or it cannot be read.
fn listed_paths(paths: &BTreeSet<ImagePath>) -> Option<BTreeSet<ImagePath>> {
    let selection = FileSelection::PathsOrDirectories(paths);
    let inventory = Inventory::read(&HostFs::new("/"), selection).ok()?;
    let owned = inventory.packages.into_iter().flat_map(|package| package.files.into_keys());
    inventory.has_database.then(|| owned.collect())
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
