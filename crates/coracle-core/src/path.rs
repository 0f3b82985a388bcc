//! Paths inside a root: bytes with `/` between names, as Linux sees them, on whatever host this runs.
//!
//! An [`ImagePath`] can't leave its root and can't be handed to the host by accident. A [`Spelled`] path is what a
//! loader or a link wrote (`/a/l1/../l2/libb.so`); only [`crate::file_system`] turns it into an `ImagePath`.

use std::fmt;
use std::str::FromStr;

/// An absolute path without `.`, `..`, empty names or NUL, inside some root.
///
/// Ordered by its names, so a directory stands before what is in it and before its longer-named siblings.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ImagePath(Vec<u8>);

/// Bytes that are no [`ImagePath`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{path}` is not a path inside an image: {why}")]
pub struct ParsePathError {
    path: String,
    why: &'static str,
}

impl ImagePath {
    /// The root itself, `/`.
    pub fn root() -> Self {
        Self(Vec::new())
    }

    /// Parses an absolute path; repeated and trailing slashes are folded.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParsePathError> {
        let error = |why| ParsePathError { path: Spelled::new(bytes).to_string(), why };
        if !bytes.starts_with(b"/") {
            return Err(error("it must start with `/`"));
        }
        if bytes.contains(&0) {
            return Err(error("it holds a NUL byte"));
        }
        let mut path = Self::root();
        for name in bytes.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            if name == b"." || name == b".." {
                return Err(error("it holds `.` or `..`"));
            }
            path = path.join(name);
        }
        Ok(path)
    }

    /// This directory's entry `name`, which is one name without a slash.
    pub fn join(&self, name: &[u8]) -> Self {
        debug_assert!(!name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..");
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        bytes.extend_from_slice(&self.0);
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    /// This path followed by the names of `tail`, as [`ImagePath::strip_prefix`] gives them.
    pub fn join_all<'a>(&self, tail: impl IntoIterator<Item = &'a [u8]>) -> Self {
        tail.into_iter().fold(self.clone(), |path, name| path.join(name))
    }

    /// The names from the root down.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    /// The directory that holds this path; nothing for the root.
    pub fn parent(&self) -> Option<Self> {
        let slash = self.0.iter().rposition(|&byte| byte == b'/')?;
        Some(Self(self.0.iter().copied().take(slash).collect()))
    }

    /// The last name; nothing for the root.
    pub fn name(&self) -> Option<&[u8]> {
        self.names().next_back()
    }

    /// The directories above this path, from the root down, without the path itself.
    pub fn ancestors(&self) -> Vec<Self> {
        let mut above: Vec<Self> = std::iter::successors(self.parent(), Self::parent).collect();
        above.reverse();
        above
    }

    /// The names below `directory`, or nothing when this path is not inside it (or it itself).
    pub fn strip_prefix(&self, directory: &Self) -> Option<impl Iterator<Item = &[u8]>> {
        let rest = self.0.strip_prefix(directory.0.as_slice())?;
        (rest.is_empty() || rest.starts_with(b"/")).then(|| rest.split(|&byte| byte == b'/').skip(1))
    }

    /// Whether this is `directory` or inside it.
    pub fn is_within(&self, directory: &Self) -> bool {
        self.strip_prefix(directory).is_some()
    }

    /// The path as a container sees it, `/` for the root.
    pub fn as_bytes(&self) -> &[u8] {
        if self.0.is_empty() { b"/" } else { &self.0 }
    }

    /// The path without its leading slash, as a tar names it; empty for the root.
    pub fn relative(&self) -> &[u8] {
        self.0.strip_prefix(b"/").unwrap_or(&self.0)
    }
}

impl FromStr for ImagePath {
    type Err = ParsePathError;

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
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.names().cmp(other.names())
    }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_bytes(f, self.as_bytes())
    }
}

impl fmt::Debug for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A path as somebody spelled it: a loader's search, a link's target, a script's first line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Spelled(Vec<u8>);

impl Spelled {
    /// Takes the bytes as they are.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes as they were spelled.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What stands after the last slash.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|&byte| byte == b'/').next().unwrap_or(&self.0)
    }

    /// What stands before the last slash, as a loader takes it for `$ORIGIN`: `/` for `/lib`, `.` without a slash.
    pub fn directory(&self) -> Spelled {
        match self.0.iter().rposition(|&byte| byte == b'/') {
            Some(0) => Self::new(*b"/"),
            Some(slash) => Self(self.0.iter().copied().take(slash).collect()),
            None => Self::new(*b"."),
        }
    }

    /// The same from the root on, when it starts at `directory`.
    pub fn from_directory(&self, directory: &Spelled) -> Spelled {
        if self.0.starts_with(b"/") { self.clone() } else { Self::in_directory(&directory.0, &self.0) }
    }

    /// `directory/name`, with one slash between them.
    pub fn in_directory(directory: &[u8], name: &[u8]) -> Spelled {
        let mut bytes = directory.to_vec();
        if !bytes.ends_with(b"/") {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        Self(bytes)
    }
}

impl From<&ImagePath> for Spelled {
    fn from(path: &ImagePath) -> Self {
        Self::new(path.as_bytes())
    }
}

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_bytes(f, &self.0)
    }
}

impl fmt::Debug for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes bytes for people: text as it is, control characters and what is not UTF-8 escaped, so that a hostile name
/// can't write to the terminal.
fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    f.pad(&text)
}

/// Bytes for people, escaped as paths are.
pub fn printable(bytes: &[u8]) -> String {
    Spelled::new(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ImagePath {
        text.parse().unwrap()
    }

    #[test]
    fn parsing_folds_slashes_and_refuses_what_could_leave() {
        assert_eq!(path("//usr///lib/").to_string(), "/usr/lib");
        assert_eq!(path("/").to_string(), "/");
        for text in ["", "usr", "/a/../b", "/.", "/a\0b"] {
            assert!(text.parse::<ImagePath>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn parts() {
        assert_eq!(path("/usr/lib").parent(), Some(path("/usr")));
        assert_eq!(path("/usr").parent(), Some(ImagePath::root()));
        assert_eq!(ImagePath::root().parent(), None);
        assert_eq!(path("/usr/lib").name(), Some(&b"lib"[..]));
        assert_eq!(path("/usr/lib/x").ancestors(), [path("/"), path("/usr"), path("/usr/lib")]);
        assert!(path("/usr/lib").is_within(&path("/usr")));
        assert!(path("/usr").is_within(&path("/")));
        assert!(!path("/usrlib").is_within(&path("/usr")));
    }

    #[test]
    fn a_directory_sorts_before_its_entries_and_those_before_longer_siblings() {
        let mut paths = ["/a.b", "/a/c", "/a", "/"].map(path);
        paths.sort();
        assert_eq!(paths.map(|path| path.to_string()), ["/", "/a", "/a/c", "/a.b"]);
    }

    #[test]
    fn spelled_directories_are_those_of_the_loader() {
        for (spelled, directory) in [("/lib/x", "/lib"), ("/x", "/"), ("x", "."), ("/a/../x", "/a/..")] {
            assert_eq!(Spelled::new(spelled).directory().to_string(), directory);
        }
    }

    #[test]
    fn hostile_names_are_escaped() {
        assert_eq!(Spelled::new(&b"a\x1b[2J\xff"[..]).to_string(), "a\\u{1b}[2J\\xff");
    }
}
