//! `/etc/ld.so.conf`: the directories that `ldconfig` would put into the cache.
//!
//! No loader reads this file. It explains why an installed library is not found: the cache is out
//! of date. Source: `parse_conf`, `parse_conf_include` and `add_dir_1`, `elf/ldconfig.c`.

mod glob_pattern;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use coracle_core::content::Content;
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::path::{ImagePath, RawPath};

use glob_pattern::GlobPattern;

const LD_SO_CONF: &[u8] = b"/etc/ld.so.conf";

/// Maximum size of all files together. A distribution's files have some hundred bytes.
const MAX_BYTES: u64 = 4 << 20;
/// Maximum nesting of includes. `ldconfig` has no limit.
const MAX_DEPTH: usize = 16;
/// Maximum number of files.
const MAX_FILES: usize = 1000;
/// Maximum number of directory entries that are compared with patterns.
const MAX_GLOB_ENTRIES: usize = 4096;
/// `PATH_MAX`: longer paths are ignored.
const PATH_MAX: usize = 4096;

/// A directory that `ldconfig` would scan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfDirectory {
    /// The absolute path of the directory.
    pub directory: RawPath,
    /// The configuration file that lists it.
    pub listed_in: RawPath,
}

/// One directive of a configuration file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Directive<'a> {
    /// A directory, without a type after `=` and without trailing slashes.
    Directory(&'a [u8]),
    /// Include the files that this pattern matches.
    Include(&'a [u8]),
}

/// Returns the directories that `/etc/ld.so.conf` and the files that it includes list, in order and
/// without duplicates. Files that can't be read are skipped, as `ldconfig` does.
pub fn read_directories(tree: &dyn FileSystem) -> Vec<ConfDirectory> {
    let mut reader = ConfTraversal {
        tree,
        bytes_left: MAX_BYTES,
        entries_left: MAX_GLOB_ENTRIES,
        visited_files: BTreeSet::new(),
        seen_directories: BTreeSet::new(),
        found: Vec::new(),
    };
    reader.read_file(&RawPath::new(LD_SO_CONF), 0);
    reader.found
}

/// Parses the directives of a configuration file. Comments and empty lines are skipped.
pub fn parse_directives(bytes: &[u8]) -> impl Iterator<Item = Directive<'_>> {
    bytes.split(|&byte| byte == b'\n').flat_map(|line| {
        let line = text_before(text_before(line, 0), b'#');
        let start = line.iter().position(|byte| !is_space(*byte)).unwrap_or(line.len());
        let line = line.get(start..).unwrap_or_default();
        let patterns = directive_arguments(line, b"include");
        let is_hwcap = directive_arguments(&line.to_ascii_lowercase(), b"hwcap").is_some();
        let directory = parse_directory(line).filter(|_| patterns.is_none() && !is_hwcap);
        let patterns = patterns.unwrap_or_default().split(|byte| is_blank(*byte));
        let patterns = patterns.filter(|pattern| !pattern.is_empty()).map(Directive::Include);
        patterns.chain(directory.map(Directive::Directory))
    })
}

/// Returns `text` up to the first `end`.
fn text_before(text: &[u8], end: u8) -> &[u8] {
    text.split(|&byte| byte == end).next().unwrap_or_default()
}

/// Returns the arguments of a directive: what follows the keyword and a blank.
fn directive_arguments<'a>(line: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(word).filter(|rest| rest.first().is_some_and(|byte| is_blank(*byte)))
}

/// Parses a line as one directory. `None` for the root, which has no text after trimming.
fn parse_directory(line: &[u8]) -> Option<&[u8]> {
    let path = text_before(line, b'=');
    let end = path.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
    let path = path.get(..end).unwrap_or_default();
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    path.get(..end).filter(|path| !path.is_empty())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `isspace` in the C locale, without line feeds.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

/// A traversal of the configuration files, with what remains of its limits.
struct ConfTraversal<'a> {
    tree: &'a dyn FileSystem,
    bytes_left: u64,
    entries_left: usize,
    /// Files read already. Each is read once, so circular includes end.
    visited_files: BTreeSet<ImagePath>,
    seen_directories: BTreeSet<RawPath>,
    found: Vec<ConfDirectory>,
}

impl ConfTraversal<'_> {
    /// Reads a file and the files that it includes.
    fn read_file(&mut self, path: &RawPath, depth: usize) {
        if depth > MAX_DEPTH || self.visited_files.len() >= MAX_FILES {
            return;
        }
        let Some(ResolutionEnd::File(own, file)) = self.resolve(path) else { return };
        if !self.visited_files.insert(own) {
            return;
        }
        for line in parse_directives(&self.read_limited(&file.content)) {
            match line {
                Directive::Directory(directory) => self.add_directory(directory, path),
                Directive::Include(pattern) => {
                    for included in self.expand_include(pattern, path) {
                        self.read_file(&included, depth + 1);
                    }
                }
            }
        }
    }

    /// Returns the content of a file, cut off at the remaining size limit.
    fn read_limited(&mut self, content: &Content) -> Vec<u8> {
        let size = content.size().min(self.bytes_left);
        self.bytes_left -= size;
        let read = content
            .open()
            .and_then(|reader| reader.read_bytes_at(0, usize::try_from(size).unwrap_or_default()));
        read.unwrap_or_default()
    }

    /// Returns where a path leads, or `None` if it can't be read.
    fn resolve(&self, path: &RawPath) -> Option<ResolutionEnd> {
        file_system::resolve_path(self.tree, &ImagePath::root(), path.as_bytes()).ok().map(|walk| walk.end)
    }

    /// Relative directories are skipped: they depend on where `ldconfig` is started.
    fn add_directory(&mut self, directory: &[u8], file: &RawPath) {
        let is_path = directory.starts_with(b"/") && directory.len() < PATH_MAX;
        let directory = RawPath::new(directory);
        if is_path && self.seen_directories.insert(directory.clone()) {
            self.found.push(ConfDirectory { directory, listed_in: file.clone() });
        }
    }

    /// Returns the paths that `pattern` in `file` matches, in the order of glob(3) in the C locale.
    fn expand_include(&mut self, pattern: &[u8], file: &RawPath) -> Vec<RawPath> {
        let whole = match pattern {
            [b'/', ..] => pattern.to_vec(),
            _ => RawPath::join_bytes(file.dirname().as_bytes(), pattern).as_bytes().to_vec(),
        };
        if whole.len() >= PATH_MAX {
            return Vec::new();
        }
        let mut paths = vec![RawPath::default()];
        for part in whole.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            let pattern = GlobPattern::parse(part);
            paths = match pattern.as_literal() {
                Some(name) => paths.iter().map(|path| RawPath::join_bytes(path.as_bytes(), &name)).collect(),
                None => paths.iter().flat_map(|path| self.matching_entries(path, &pattern)).collect(),
            };
        }
        paths.retain(|path| matches!(self.resolve(path), Some(ResolutionEnd::File(..))));
        paths.sort();
        paths
    }

    /// Returns the entries of a directory that `pattern` matches.
    fn matching_entries(&mut self, directory: &RawPath, pattern: &GlobPattern) -> Vec<RawPath> {
        if self.entries_left == 0 {
            return Vec::new();
        }
        let path = if directory.as_bytes().is_empty() { RawPath::new(*b"/") } else { directory.clone() };
        let Some(ResolutionEnd::Directory(path)) = self.resolve(&path) else { return Vec::new() };
        let mut names = self.tree.list(&path).unwrap_or_default();
        names.truncate(self.entries_left);
        self.entries_left -= names.len();
        names.retain(|name| pattern.matches(name));
        names.iter().map(|name| RawPath::join_bytes(directory.as_bytes(), name)).collect()
    }
}
