//! Splits lists of directories, and joins directories with names.

use coracle_core::path::RawPath;

/// Joins `directory` and `name`. An empty directory is the working directory.
pub(super) fn join_directory(directory: &RawPath, name: &[u8]) -> RawPath {
    let directory = directory.as_bytes();
    if directory.is_empty() { RawPath::new(name) } else { RawPath::join_bytes(directory, name) }
}

/// Trims trailing slashes, but keeps the root's.
pub(super) fn trim_trailing_slashes(directory: &[u8]) -> Vec<u8> {
    let end = directory.iter().rposition(|&byte| byte != b'/').map_or(1, |last| last + 1);
    directory.iter().copied().take(end).collect()
}

/// Splits a path list as glibc does, at any of `separators`. Empty elements are kept: they mean the
/// working directory. An empty list has no elements.
pub(super) fn split_glibc_path_list<'a>(
    list: &'a [u8],
    separators: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> {
    list.split(|byte| separators.contains(byte)).filter(|_| !list.is_empty())
}

/// Splits a path list as musl does, at colons and line feeds. Empty elements are skipped.
pub(super) fn split_musl_path_list(list: &[u8]) -> impl Iterator<Item = RawPath> {
    let elements = list.split(|&byte| byte == b':' || byte == b'\n');
    elements.filter(|element| !element.is_empty()).map(RawPath::new)
}
