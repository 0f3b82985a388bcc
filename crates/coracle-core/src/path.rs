//! Linux paths inside a root directory or image: bytes separated by `/`, on every host.
//!
//! An [`ImagePath`] cannot leave its root and does not convert to a host path implicitly. A
//! [`RawPath`] is an unresolved path in a link or in a loader's search path
//! (`/a/l1/../l2/libb.so`); only [`crate::file_system`] resolves it.

use std::fmt;
use std::str::FromStr;

pub use crate::escape::escape_bytes;

/// An absolute path without `.`, `..`, empty names or NUL, inside some root.
///
/// Paths are ordered by their components: a directory comes before its entries, and these come
/// before siblings whose names start with the directory's name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ImagePath(Vec<u8>);

/// The error for bytes that are not an [`ImagePath`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{path}` is not a path inside an image: {why}")]
pub struct ParseImagePathError {
    path: String,
    why: &'static str,
}

impl ImagePath {
    /// The root, `/`.
    pub fn root() -> Self {
        Self(Vec::new())
    }

    /// Parses an absolute path. Repeated and trailing slashes are removed.
    ///
    /// # Errors
    /// Fails if the path is relative, or contains `.`, `..` or a NUL byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseImagePathError> {
        let error = |why| ParseImagePathError { path: RawPath::new(bytes).to_string(), why };
        if !bytes.starts_with(b"/") {
            return Err(error("it must start with `/`"));
        }
        if bytes.contains(&0) {
            return Err(error("it contains a NUL byte"));
        }
        let mut path = Vec::with_capacity(bytes.len());
        for name in bytes.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            if name == b"." || name == b".." {
                return Err(error("it contains `.` or `..`"));
            }
            path.push(b'/');
            path.extend_from_slice(name);
        }
        Ok(Self(path))
    }

    /// Appends one component. `name` must not contain a slash.
    pub fn join(&self, name: &[u8]) -> Self {
        debug_assert!(!name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..");
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        bytes.extend_from_slice(&self.0);
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    /// Appends components, as [`ImagePath::strip_prefix`] returns them.
    pub fn join_components<'a>(&self, tail: impl IntoIterator<Item = &'a [u8]>) -> Self {
        tail.into_iter().fold(self.clone(), |path, name| path.join(name))
    }

    /// The components, from the root down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    /// The parent directory; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let slash = self.0.iter().rposition(|&byte| byte == b'/')?;
        Some(Self(self.0.iter().copied().take(slash).collect()))
    }

    /// The last component; `None` for the root.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// The parent directories, from the root down, without the path itself.
    pub fn ancestors(&self) -> Vec<Self> {
        let mut above: Vec<Self> = std::iter::successors(self.parent(), Self::parent).collect();
        above.reverse();
        above
    }

    /// The components below `directory`; `None` if this path is not `directory` or inside it.
    pub fn strip_prefix(&self, directory: &Self) -> Option<impl Iterator<Item = &[u8]>> {
        let rest = self.0.strip_prefix(directory.0.as_slice())?;
        (rest.is_empty() || rest.starts_with(b"/")).then(|| rest.split(|&byte| byte == b'/').skip(1))
    }

    /// Returns whether this path is `directory` or a path inside it.
    pub fn is_within(&self, directory: &Self) -> bool {
        self.strip_prefix(directory).is_some()
    }

    /// The absolute path, `/` for the root.
    pub fn as_bytes(&self) -> &[u8] {
        if self.0.is_empty() { b"/" } else { &self.0 }
    }

    /// The path without its leading slash, as in a tar archive; empty for the root.
    pub fn relative_bytes(&self) -> &[u8] {
        self.0.strip_prefix(b"/").unwrap_or(&self.0)
    }
}

impl FromStr for ImagePath {
    type Err = ParseImagePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

impl PartialOrd for ImagePath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ImagePath {
    /// Compares the paths component by component: `/` is less than any other byte.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (ours, theirs) = (self.as_bytes(), other.as_bytes());
        let rank = |byte: &u8| if *byte == b'/' { 0 } else { u16::from(*byte) + 1 };
        match ours.iter().zip(theirs).find(|(a, b)| a != b) {
            Some((a, b)) => rank(a).cmp(&rank(b)),
            None => ours.len().cmp(&theirs.len()),
        }
    }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&escape_bytes(self.as_bytes()))
    }
}

impl fmt::Debug for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An unresolved path, as written in a loader's search path, a link's target or a script's first
/// line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RawPath(Vec<u8>);

impl RawPath {
    /// Wraps `bytes` unchanged.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, unchanged.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The part after the last slash.
    pub fn file_name(&self) -> &[u8] {
        self.0.rsplit(|&byte| byte == b'/').next().unwrap_or(&self.0)
    }

    /// The part before the last slash, as loaders compute `$ORIGIN`: `/` for `/lib`, `.` if there
    /// is no slash.
    pub fn dirname(&self) -> RawPath {
        match self.0.iter().rposition(|&byte| byte == b'/') {
            Some(0) => Self::new(*b"/"),
            Some(slash) => Self(self.0.iter().copied().take(slash).collect()),
            None => Self::new(*b"."),
        }
    }

    /// Returns an absolute path unchanged, and a relative path appended to `directory`.
    pub fn absolute_from(&self, directory: &RawPath) -> RawPath {
        if self.0.starts_with(b"/") { self.clone() } else { Self::join_bytes(&directory.0, &self.0) }
    }

    /// Joins `directory` and `name` with one slash.
    pub fn join_bytes(directory: &[u8], name: &[u8]) -> RawPath {
        let mut bytes = directory.to_vec();
        if !bytes.ends_with(b"/") {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        Self(bytes)
    }
}

impl From<&ImagePath> for RawPath {
    fn from(path: &ImagePath) -> Self {
        Self::new(path.as_bytes())
    }
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&escape_bytes(&self.0))
    }
}

impl fmt::Debug for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ImagePath {
        text.parse().unwrap()
    }

    #[test]
    fn parse_removes_slashes_and_rejects_invalid_paths() {
        assert_eq!(path("//usr///lib/").to_string(), "/usr/lib");
        assert_eq!(path("/").to_string(), "/");
        for text in ["", "usr", "/a/../b", "/.", "/a\0b"] {
            assert!(text.parse::<ImagePath>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn returns_parts_of_paths() {
        assert_eq!(path("/usr/lib").parent(), Some(path("/usr")));
        assert_eq!(path("/usr").parent(), Some(ImagePath::root()));
        assert_eq!(ImagePath::root().parent(), None);
        assert_eq!(path("/usr/lib").file_name(), Some(&b"lib"[..]));
        assert_eq!(path("/usr/lib/x").ancestors(), [path("/"), path("/usr"), path("/usr/lib")]);
        assert!(path("/usr/lib").is_within(&path("/usr")));
        assert!(path("/usr").is_within(&path("/")));
        assert!(!path("/usrlib").is_within(&path("/usr")));
    }

    #[test]
    fn sorts_directories_before_entries_before_longer_siblings() {
        let mut paths = ["/a.b", "/a/c", "/a", "/"].map(path);
        paths.sort();
        assert_eq!(paths.map(|path| path.to_string()), ["/", "/a", "/a/c", "/a.b"]);
    }

    #[test]
    fn compares_component_by_component() {
        let texts =
            ["/", "/a", "/a/b", "/a/b/c", "/a!", "/a!/b", "/a/!", "/ab", "/b", "/\u{1}", "/a\u{1}/b", "/é"];
        for (a, b) in texts.iter().flat_map(|a| texts.map(|b| (path(a), path(b)))) {
            assert_eq!(a.cmp(&b), a.components().cmp(b.components()), "{a} {b}");
        }
    }

    #[test]
    fn computes_dirname_as_loaders_do() {
        for (raw_path, directory) in [("/lib/x", "/lib"), ("/x", "/"), ("x", "."), ("/a/../x", "/a/..")] {
            assert_eq!(RawPath::new(raw_path).dirname().to_string(), directory);
        }
    }

    #[test]
    fn escapes_hostile_names() {
        assert_eq!(RawPath::new(&b"a\x1b[2J\xff"[..]).to_string(), "a\\u{1b}[2J\\xff");
    }
}
