//! Finds the selected paths among the paths of a database.
//!
//! With a merged `/usr`, a database may have a file as `/lib/x` or `/usr/lib/x`: both are looked up
//! as `/lib/x`.

use std::collections::{BTreeMap, BTreeSet};

use coracle_core::file_system::{FileSystem, FsNode};
use coracle_core::fs;
use coracle_core::path::ImagePath;

/// Directories that are links into `/usr` on a merged system.
const MERGED_DIRECTORIES: [&[u8]; 6] = [b"bin", b"lib", b"lib32", b"lib64", b"libx32", b"sbin"];

/// The files that [`Inventory::read`](crate::Inventory::read) looks up.
#[derive(Clone, Copy, Debug)]
pub enum FileSelection<'a> {
    /// All packages with all of their files.
    All,
    /// All packages, without files.
    NoFiles,
    /// The packages that own one of these files or links. Lists of files are read until the owners
    /// are known; in `/etc`, dpkg's conffiles are looked up.
    Paths(&'a BTreeSet<ImagePath>),
    /// The packages that own one of these paths, which may be directories: several packages may own
    /// one. All lists of files are read.
    PathsOrDirectories(&'a BTreeSet<ImagePath>),
}

/// Which paths of a database are wanted.
pub(crate) struct PathKeys<'a> {
    pub(crate) selection: FileSelection<'a>,
    /// Selected paths by their key. `None` if all paths are wanted.
    selected: Option<SelectedPaths>,
    /// The directories of [`MERGED_DIRECTORIES`] that are no directories of their own.
    merged: BTreeSet<&'static [u8]>,
    /// The directories among these that are links.
    linked: BTreeSet<&'static [u8]>,
}

struct SelectedPaths {
    by_key: BTreeMap<Vec<u8>, Vec<ImagePath>>,
    /// A bit for each hash of the end of a key. Most lines of a database end here.
    ends: Vec<u64>,
}

impl<'a> PathKeys<'a> {
    /// Creates the keys of `selection`.
    ///
    /// # Errors
    /// Fails if the top directories of `file_system` cannot be read.
    pub(crate) fn new(file_system: &dyn FileSystem, selection: FileSelection<'a>) -> fs::Result<Self> {
        let (mut merged, mut linked) = (BTreeSet::new(), BTreeSet::new());
        for name in MERGED_DIRECTORIES {
            match file_system.node(&ImagePath::root().join(name))? {
                Some(FsNode::Directory) => continue,
                Some(FsNode::Link(_)) => drop(linked.insert(name)),
                _ => {}
            }
            merged.insert(name);
        }
        let mut keys = Self { selection, selected: None, merged, linked };
        keys.selected = match selection {
            FileSelection::All | FileSelection::NoFiles => None,
            FileSelection::Paths(paths) | FileSelection::PathsOrDirectories(paths) => {
                Some(keys.select(paths))
            }
        };
        Ok(keys)
    }

    fn select(&self, paths: &BTreeSet<ImagePath>) -> SelectedPaths {
        let mut selected = SelectedPaths { by_key: BTreeMap::new(), ends: vec![0; END_WORDS] };
        for path in paths {
            let key = self.key(path.as_bytes());
            let (word, bit) = end_bit(key);
            selected.ends.get_mut(word).into_iter().for_each(|ends| *ends |= bit);
            selected.by_key.entry(key.to_vec()).or_default().push(path.clone());
        }
        selected
    }

    /// Returns whether all paths are wanted.
    pub(crate) fn selects_all(&self) -> bool {
        self.selected.is_none()
    }

    /// Returns the selected path that the database has as `path`, absolute and without a trailing
    /// slash. `None` if it is not selected, or no path of a file system.
    pub(crate) fn find(&self, path: &[u8]) -> Option<ImagePath> {
        if matches!(self.selection, FileSelection::NoFiles) {
            return None;
        }
        let Some(selected) = &self.selected else { return self.canonical(path) };
        let key = self.key(path);
        let (word, bit) = end_bit(key);
        if selected.ends.get(word).is_none_or(|ends| ends & bit == 0) {
            return None;
        }
        let paths = selected.by_key.get(key)?;
        paths.iter().find(|selected| selected.as_bytes() == path).or_else(|| paths.first()).cloned()
    }

    /// Returns `path` as the file system has it.
    fn canonical(&self, path: &[u8]) -> Option<ImagePath> {
        let parsed = ImagePath::parse(path).ok()?;
        let is_linked = parsed.components().next().is_some_and(|name| self.linked.contains(name));
        if !is_linked {
            return Some(parsed);
        }
        Some(ImagePath::root().join(b"usr").join_components(parsed.components()))
    }

    /// Returns `path` without `/usr`, where that makes no difference.
    fn key<'p>(&self, path: &'p [u8]) -> &'p [u8] {
        let below_usr = path.strip_prefix(b"/usr").and_then(|rest| {
            let name = rest.strip_prefix(b"/")?.split(|byte| *byte == b'/').next()?;
            self.merged.contains(name).then_some(rest)
        });
        below_usr.unwrap_or(path)
    }
}

/// The number of words of [`SelectedPaths::ends`].
const END_WORDS: usize = 1 << 10;

/// Returns the word and the bit for the last eight bytes of `path`.
fn end_bit(path: &[u8]) -> (usize, u64) {
    let end = path.last_chunk::<8>().copied().unwrap_or_default();
    // Fibonacci hashing: the upper bits depend on all bytes.
    let hash = u64::from_le_bytes(end).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    (usize::try_from(hash >> 6).unwrap_or_default(), 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::file_system::MemoryFs;

    fn found(tree: &str, selected: &[&str], path: &str) -> Option<String> {
        let selected = selected.iter().map(|path| path.parse().unwrap()).collect();
        let keys = PathKeys::new(&MemoryFs::from_text(tree), FileSelection::Paths(&selected)).unwrap();
        keys.find(path.as_bytes()).map(|path| path.to_string())
    }

    #[test]
    fn looks_up_merged_paths_both_ways() {
        let merged = "/lib -> usr/lib";
        for (tree, selected, path, expected) in [
            (merged, "/usr/lib/x/libc.so.6", "/lib/x/libc.so.6", Some("/usr/lib/x/libc.so.6")),
            (merged, "/usr/lib/x/libc.so.6", "/usr/lib/x/libc.so.6", Some("/usr/lib/x/libc.so.6")),
            // An image without the link.
            ("/usr/", "/lib/x/libc.so.6", "/usr/lib/x/libc.so.6", Some("/lib/x/libc.so.6")),
            // Two directories.
            ("/lib/x/", "/usr/lib/x/libc.so.6", "/lib/x/libc.so.6", None),
            (merged, "/usr/share/lib/a", "/share/lib/a", None),
            (merged, "/a", "/a", Some("/a")),
            (merged, "/a", "/b", None),
        ] {
            assert_eq!(found(tree, &[selected], path).as_deref(), expected, "{tree} {selected} {path}");
        }
        let both = ["/lib/a/longname", "/usr/lib/a/longname"];
        for path in both {
            assert_eq!(found("/usr/", &both, path).as_deref(), Some(path));
        }
    }

    #[test]
    fn without_a_selection_links_are_followed() {
        let keys = PathKeys::new(&MemoryFs::from_text("/lib -> usr/lib\n/bin/"), FileSelection::All).unwrap();
        let found = |path: &str| keys.find(path.as_bytes()).map(|path| path.to_string());
        assert_eq!(found("/lib/x").as_deref(), Some("/usr/lib/x"));
        assert_eq!(found("/bin/x").as_deref(), Some("/bin/x"));
        assert_eq!(found("/sbin/x").as_deref(), Some("/sbin/x"));
        assert_eq!(found("/."), None);
        assert_eq!(found("x"), None);
    }
}
