//! The files at a path of a root, and their size.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use coracle_core::file_system::{self, FileSystem, FsNode, ResolutionEnd};
use coracle_core::fs::{self, Stat};
use coracle_core::path::{ImagePath, RawPath};

/// Maximum number of files that are counted.
const MAX_FILES: usize = 50_000;
/// Maximum depth of directories.
const MAX_DEPTH: usize = 32;

/// Files and links, and the size of the files in bytes.
#[derive(Default, Debug)]
pub(super) struct FilesAndSize {
    pub(super) files: Vec<RawPath>,
    pub(super) size: u64,
    /// `true` if some files or directories are not readable by everyone, such as private keys.
    pub(super) has_private_files: bool,
}

impl FilesAndSize {
    fn add(&mut self, path: RawPath, stat: &Stat) {
        self.size += stat.size;
        self.files.push(path);
        self.has_private_files |= stat.mode & 0o004 == 0;
    }
}

/// Returns the file at `path`, or the files below the directory at `path`. Empty if nothing is there. Links
/// to directories are not followed, except for `path` itself.
pub(super) fn files_and_size_at(tree: &dyn FileSystem, path: &RawPath) -> fs::Result<FilesAndSize> {
    let mut contents = FilesAndSize::default();
    let directory = match file_system::resolve_path(tree, &ImagePath::root(), path.as_bytes())?.end {
        ResolutionEnd::Directory(directory) => directory,
        ResolutionEnd::File(_, file) => {
            contents.add(path.clone(), &file.stat);
            return Ok(contents);
        }
        _ => return Ok(contents),
    };
    let mut queue = vec![(directory, path.clone(), 0)];
    let mut visited = BTreeSet::new();
    while let Some((directory, raw_path, depth)) = queue.pop() {
        if depth > MAX_DEPTH || contents.files.len() > MAX_FILES || !visited.insert(directory.clone()) {
            continue;
        }
        let names = match tree.list(&directory) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                contents.has_private_files = true;
                continue;
            }
            names => names?,
        };
        for name in names {
            let (below, raw_below) = (directory.join(&name), RawPath::join_bytes(raw_path.as_bytes(), &name));
            match tree.node(&below)? {
                Some(FsNode::Directory) => queue.push((below, raw_below, depth + 1)),
                Some(FsNode::File(file)) => {
                    contents.add(raw_below, &file.stat);
                }
                Some(FsNode::Link(_)) => contents.files.push(raw_below),
                Some(FsNode::Special(_)) | None => {}
            }
        }
    }
    contents.files.sort_unstable();
    Ok(contents)
}

/// Returns the names in a directory. Empty if this process may not list it.
pub(super) fn list_if_permitted(tree: &dyn FileSystem, directory: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
    match tree.list(directory) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(Vec::new()),
        names => names,
    }
}

/// Returns the entries of the directory at `path`, sorted. Empty if there is no directory, or this
/// process may not list it.
pub(super) fn list_directory(tree: &dyn FileSystem, path: &RawPath) -> fs::Result<Vec<RawPath>> {
    match file_system::resolve_path(tree, &ImagePath::root(), path.as_bytes())?.end {
        ResolutionEnd::Directory(directory) => {
            let names = list_if_permitted(tree, &directory)?;
            Ok(names.iter().map(|name| RawPath::join_bytes(path.as_bytes(), name)).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// Returns whether there is a directory at `path`.
pub(super) fn is_directory(tree: &dyn FileSystem, path: &RawPath) -> fs::Result<bool> {
    let walk = file_system::resolve_path(tree, &ImagePath::root(), path.as_bytes())?;
    Ok(matches!(walk.end, ResolutionEnd::Directory(_)))
}

/// Returns whether there is a regular file at `path`.
pub(super) fn is_file(tree: &dyn FileSystem, path: &RawPath) -> fs::Result<bool> {
    let walk = file_system::resolve_path(tree, &ImagePath::root(), path.as_bytes())?;
    Ok(matches!(walk.end, ResolutionEnd::File(..)))
}

/// Returns the first `max_size` bytes of the file at `path`. Empty if there is no file.
pub(super) fn read_file(tree: &dyn FileSystem, path: &RawPath, max_size: usize) -> fs::Result<Vec<u8>> {
    match file_system::resolve_path(tree, &ImagePath::root(), path.as_bytes())?.end {
        ResolutionEnd::File(_, file) => file.content.open()?.read_bytes_at(0, max_size),
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::file_system::MemoryFs;

    #[test]
    fn counts_files() {
        let tree = MemoryFs::from_text(
            "/usr/share/x/a.dat = 123
             /usr/share/x/b/c.dat = 45
             /usr/share/link -> x",
        );
        for (path, files, size) in [
            ("/usr/share/link", vec!["/usr/share/link/a.dat", "/usr/share/link/b/c.dat"], 5),
            ("/usr/share/x/a.dat", vec!["/usr/share/x/a.dat"], 3),
            ("/usr/share/none", vec![], 0),
        ] {
            let contents = files_and_size_at(&tree, &RawPath::new(path)).unwrap();
            let found: Vec<String> = contents.files.iter().map(ToString::to_string).collect();
            assert_eq!((found, contents.size), (files.into_iter().map(str::to_owned).collect(), size));
        }
    }
}
