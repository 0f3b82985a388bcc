//! `/etc/ld.so.conf`: the directories that `ldconfig` would put into the cache.
//!
//! No loader reads this file. It explains why an installed library is not found: the cache is out
//! of date. Source: `parse_conf`, `parse_conf_include` and `add_dir_1`, `elf/ldconfig.c`.

mod pattern;

use std::collections::BTreeSet;

use coracle_core::content::Content;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Tree};

use pattern::Pattern;

const FILE: &[u8] = b"/etc/ld.so.conf";

/// Maximum size of all files together. A distribution's files have some hundred bytes.
const MAX_BYTES: u64 = 4 << 20;
/// Maximum nesting of includes. `ldconfig` has no limit.
const MAX_DEPTH: usize = 16;
/// Maximum number of files.
const MAX_FILES: usize = 1000;
/// Maximum number of directory entries that are compared with patterns.
const MAX_NAMES: usize = 4096;
/// `PATH_MAX`: longer paths are ignored.
const MAX_PATH: usize = 4096;

/// A directory that `ldconfig` would scan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The absolute path of the directory.
    pub directory: Spelled,
    /// The configuration file that lists it.
    pub file: Spelled,
}

/// One directive of a configuration file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line<'a> {
    /// A directory, without a type after `=` and without trailing slashes.
    Directory(&'a [u8]),
    /// Include the files that this pattern matches.
    Include(&'a [u8]),
}

/// Returns the directories that `/etc/ld.so.conf` and the files that it includes list, in order and
/// without duplicates. Files that can't be read are skipped, as `ldconfig` does.
pub fn directories(tree: &dyn Tree) -> Vec<Listed> {
    let mut reading = Reading {
        tree,
        bytes_left: MAX_BYTES,
        names_left: MAX_NAMES,
        files: BTreeSet::new(),
        directories: BTreeSet::new(),
        listed: Vec::new(),
    };
    reading.file(&Spelled::new(FILE), 0);
    reading.listed
}

/// Parses the directives of a configuration file. Comments and empty lines are skipped.
pub fn parse(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    bytes.split(|&byte| byte == b'\n').flat_map(|line| {
        let line = until(until(line, 0), b'#');
        let start = line.iter().position(|byte| !is_space(*byte)).unwrap_or(line.len());
        let line = line.get(start..).unwrap_or_default();
        let patterns = argument(line, b"include");
        let is_hwcap = argument(&line.to_ascii_lowercase(), b"hwcap").is_some();
        let directory = directory(line).filter(|_| patterns.is_none() && !is_hwcap);
        let patterns = patterns.unwrap_or_default().split(|byte| is_blank(*byte));
        let patterns = patterns.filter(|pattern| !pattern.is_empty()).map(Line::Include);
        patterns.chain(directory.map(Line::Directory))
    })
}

/// Returns `text` up to the first `end`.
fn until(text: &[u8], end: u8) -> &[u8] {
    text.split(|&byte| byte == end).next().unwrap_or_default()
}

/// Returns the arguments of a directive: what follows the keyword and a blank.
fn argument<'a>(line: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(word).filter(|rest| rest.first().is_some_and(|byte| is_blank(*byte)))
}

/// Parses a line as one directory. `None` for the root, which has no text after trimming.
fn directory(line: &[u8]) -> Option<&[u8]> {
    let path = until(line, b'=');
    let end = path.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
    let path = path.get(..end).unwrap_or_default();
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    path.get(..end).filter(|path| !path.is_empty())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

/// A traversal of the configuration files, with what remains of its limits.
struct Reading<'a> {
    tree: &'a dyn Tree,
    bytes_left: u64,
    names_left: usize,
    /// Files read already. Each is read once, so circular includes end.
    files: BTreeSet<ImagePath>,
    directories: BTreeSet<Spelled>,
    listed: Vec<Listed>,
}

impl Reading<'_> {
    fn file(&mut self, path: &Spelled, depth: usize) {
        if depth > MAX_DEPTH || self.files.len() >= MAX_FILES {
            return;
        }
        let Some(End::File(own, file)) = self.end(path) else { return };
        if !self.files.insert(own) {
            return;
        }
        for line in parse(&self.bytes(&file.content)) {
            match line {
                Line::Directory(directory) => self.directory(directory, path),
                Line::Include(pattern) => {
                    for included in self.matching(pattern, path) {
                        self.file(&included, depth + 1);
                    }
                }
            }
        }
    }

    /// Returns the content of a file, cut off at the remaining size limit.
    fn bytes(&mut self, content: &Content) -> Vec<u8> {
        let size = content.size().min(self.bytes_left);
        self.bytes_left -= size;
        let read =
            content.open().and_then(|reader| reader.bytes_at(0, usize::try_from(size).unwrap_or_default()));
        read.unwrap_or_default()
    }

    /// Returns where a path leads, or `None` if it can't be read.
    fn end(&self, path: &Spelled) -> Option<End> {
        file_system::walk(self.tree, &ImagePath::root(), path.as_bytes()).ok().map(|walk| walk.end)
    }

    /// Relative directories are skipped: they depend on where `ldconfig` is started.
    fn directory(&mut self, directory: &[u8], file: &Spelled) {
        let is_path = directory.starts_with(b"/") && directory.len() < MAX_PATH;
        let directory = Spelled::new(directory);
        if is_path && self.directories.insert(directory.clone()) {
            self.listed.push(Listed { directory, file: file.clone() });
        }
    }

    /// Returns the paths that `pattern` in `file` matches, in the order of glob(3) in the C locale.
    fn matching(&mut self, pattern: &[u8], file: &Spelled) -> Vec<Spelled> {
        let whole = match pattern {
            [b'/', ..] => pattern.to_vec(),
            _ => Spelled::in_directory(file.directory().as_bytes(), pattern).as_bytes().to_vec(),
        };
        if whole.len() >= MAX_PATH {
            return Vec::new();
        }
        let mut paths = vec![Spelled::default()];
        for part in whole.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            let pattern = Pattern::new(part);
            paths = match pattern.literal() {
                Some(name) => {
                    paths.iter().map(|path| Spelled::in_directory(path.as_bytes(), &name)).collect()
                }
                None => paths.iter().flat_map(|path| self.names(path, &pattern)).collect(),
            };
        }
        paths.retain(|path| matches!(self.end(path), Some(End::File(..))));
        paths.sort();
        paths
    }

    /// Returns the entries of a directory that `pattern` matches.
    fn names(&mut self, directory: &Spelled, pattern: &Pattern) -> Vec<Spelled> {
        let path = if directory.as_bytes().is_empty() { Spelled::new(*b"/") } else { directory.clone() };
        let Some(End::Directory(path)) = self.end(&path) else { return Vec::new() };
        let mut names = self.tree.list(&path).unwrap_or_default();
        names.truncate(self.names_left);
        self.names_left -= names.len();
        names.retain(|name| pattern.matches(name));
        names.iter().map(|name| Spelled::in_directory(directory.as_bytes(), name)).collect()
    }
}

#[cfg(test)]
mod tests;
