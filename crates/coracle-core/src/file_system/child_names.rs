//! The names in one directory of a tree that is stored by path.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::path::ImagePath;

/// Returns the names of the entries of `directory` in `tree`, in their order. The cost is that of a
/// look-up for each name: what is deeper is skipped.
pub fn child_names<T>(tree: &BTreeMap<ImagePath, T>, directory: &ImagePath) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut from = Bound::Excluded(directory.clone());
    while let Some((path, _)) = tree.range((from, Bound::Unbounded)).next() {
        let Some(name) = path.strip_prefix(directory).and_then(|mut below| below.next()) else { break };
        names.push(name.to_vec());
        // The first path after the subtree of this name: `/` sorts before any other byte.
        from = Bound::Included(directory.join(&[name, b"\x01"].concat()));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tree: &BTreeMap<ImagePath, ()>, directory: &str) -> Vec<String> {
        let names = child_names(tree, &directory.parse().unwrap());
        names.into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn lists_children_and_skips_what_is_deeper() {
        let paths = ["/", "/a", "/a/b", "/a/b/c", "/a/b\x01", "/a/b.d", "/a/b.d/e", "/a.b", "/ab", "/z"];
        let tree = paths.iter().map(|path| (path.parse().unwrap(), ())).collect();
        assert_eq!(names(&tree, "/"), ["a", "a.b", "ab", "z"]);
        assert_eq!(names(&tree, "/a"), ["b", "b\x01", "b.d"]);
        assert_eq!(names(&tree, "/a/b"), ["c"]);
        assert_eq!(names(&tree, "/a/b/c"), [""; 0]);
        assert_eq!(names(&tree, "/none"), [""; 0]);
    }

    /// Listing each directory of a chain would take 10^10 steps if it read all that is deeper.
    #[test]
    fn listing_a_directory_does_not_read_its_subtree() {
        let mut tree = BTreeMap::new();
        for index in 0..100_000 {
            tree.insert(format!("/a/b/c/{index}").parse().unwrap(), ());
        }
        tree.insert("/a/z".parse().unwrap(), ());
        for _ in 0..100_000 {
            assert_eq!(child_names(&tree, &"/a".parse().unwrap()).len(), 2);
        }
    }
}
