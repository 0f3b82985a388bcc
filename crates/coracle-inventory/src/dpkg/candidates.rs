//! The order in which packages are searched for the owners of files.
//!
//! A list of files has to be opened for each package, and a system has thousands. Most owners are
//! found in the first few: packages that are named after a file, and their dependencies.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use coracle_core::path::ImagePath;

use super::stanza::Stanza;

/// Packages that are still to be searched.
pub(super) struct CandidateQueue<'a> {
    stanzas: Vec<Stanza<'a>>,
    by_name: BTreeMap<&'a [u8], Vec<usize>>,
    waiting: VecDeque<usize>,
    seen: BTreeSet<usize>,
    /// `true` if what is left of the paths has been looked up in other ways.
    was_exhausted: bool,
}

impl<'a> CandidateQueue<'a> {
    /// Starts with the packages that are named after one of `paths`.
    pub(super) fn new(stanzas: &[Stanza<'a>], paths: &BTreeSet<ImagePath>) -> Self {
        let mut by_name: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
        for (index, stanza) in stanzas.iter().enumerate() {
            by_name.entry(stanza.name()).or_default().push(index);
        }
        let mut queue = Self {
            stanzas: stanzas.to_vec(),
            by_name,
            waiting: VecDeque::new(),
            seen: BTreeSet::new(),
            was_exhausted: false,
        };
        for path in paths {
            for name in package_names(path) {
                queue.push_name(&name);
            }
        }
        queue
    }

    pub(super) fn next(&mut self) -> Option<usize> {
        self.waiting.pop_front()
    }

    /// Returns whether no package is left. True at most once.
    pub(super) fn is_exhausted(&mut self) -> bool {
        let is_exhausted = self.waiting.is_empty() && !self.was_exhausted;
        self.was_exhausted |= is_exhausted;
        is_exhausted
    }

    /// Adds the dependencies of the package with this index.
    pub(super) fn push_dependencies(&mut self, index: usize) {
        let Some(stanza) = self.stanzas.get(index).copied() else { return };
        stanza.dependencies().for_each(|name| self.push_name(name));
    }

    pub(super) fn push_all(&mut self, indices: impl IntoIterator<Item = usize>) {
        for index in indices {
            if self.seen.insert(index) {
                self.waiting.push_back(index);
            }
        }
    }

    fn push_name(&mut self, name: &[u8]) {
        let indices = self.by_name.get(name).cloned().unwrap_or_default();
        self.push_all(indices);
    }
}

/// Returns the likely names of the package of a file: the name of a library with its version, as
/// `debian-policy`, 8.1, has it, or the name of a program.
fn package_names(path: &ImagePath) -> Vec<Vec<u8>> {
    let name = path.file_name().unwrap_or_default().to_ascii_lowercase();
    let name: Vec<u8> = name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
    let Some(at) = memchr::memmem::find(&name, b".so") else {
        let base = name.strip_suffix(b".py").unwrap_or(&name).to_vec();
        let minimal = [&base, b"-minimal".as_slice()].concat();
        return vec![base, minimal];
    };
    let (base, rest) = name.split_at_checked(at).unwrap_or((&name, b""));
    let version = rest.strip_prefix(b".so.").unwrap_or_default();
    let separator: &[u8] = if base.last().is_some_and(u8::is_ascii_digit) { b"-" } else { b"" };
    let mut names = vec![base.to_vec()];
    for end in memchr::memchr_iter(b'.', version).chain([version.len()]) {
        let version = version.get(..end).unwrap_or_default();
        let versioned = [base, separator, version].concat();
        // The suffix of packages that were rebuilt with 64-bit times.
        names.push([&versioned, b"t64".as_slice()].concat());
        names.push(versioned);
    }
    names
}
