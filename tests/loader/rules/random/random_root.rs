//! A root as a list of entries, which can be reduced, built, and printed as the source of a test.

use std::fmt;

use coracle_core::path::RawPath;
use coracle_ld::elf::Machine;
use coracle_ld::ldso::{CacheEntry, HwcapsSelection, LdCache};

use crate::rules::case::Case;
use crate::rules::elf::{self, ARM64, DF_1_NODEFLIB, DF_1_PIE, Elf, I386, S390X, library};

#[derive(Clone)]
pub(super) struct RandomRoot {
    pub(super) musl: bool,
    pub(super) entries: Vec<RootEntry>,
    /// The files whose listings are compared.
    pub(super) files: Vec<String>,
}

/// One entry of a root. Entries are created in this order: files before links, so that no file is
/// written through a link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RootEntry {
    WorkingDir(String),
    Directory(String),
    Elf {
        path: String,
        is_program: bool,
        features: Vec<ElfFeature>,
    },
    File {
        path: String,
        text: String,
    },
    /// A library that is truncated to this size.
    Cut {
        path: String,
        size: usize,
    },
    HardLink {
        first: String,
        second: String,
    },
    Link {
        path: String,
        target: String,
    },
    Hwcaps(&'static str),
    LibraryPath(String),
    Preload(String),
    /// Directories from which `ldconfig` writes the cache.
    Ldconfig(String),
    /// Names and paths of a cache that we write.
    Cache(Vec<(String, String)>),
    /// A file that is removed after the cache is written.
    Without(String),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ElfFeature {
    Needed(String),
    Soname(String),
    Rpath(String),
    Runpath(String),
    Filter(String),
    Auxiliary(String),
    Nodeflib,
    Pie,
    Executable,
    Export(&'static str),
    Machine(&'static str),
    Byte(usize, u8),
}

/// Paths that exist in every root.
pub(super) const LOADER: &str = "/lib/ld-musl-x86_64.so.1";

const AMD64: Machine = Machine { is_64: true, is_little_endian: true, e_machine: 62, e_flags: 0 };

impl ElfFeature {
    fn put(&self, elf: Elf) -> Elf {
        match self {
            Self::Needed(name) => elf.needed(name),
            Self::Soname(name) => elf.soname(name),
            Self::Rpath(list) => elf.rpath(list),
            Self::Runpath(list) => elf.runpath(list),
            Self::Filter(name) => elf.filter(name),
            Self::Auxiliary(name) => elf.auxiliary(name),
            Self::Nodeflib => elf.flags_1(DF_1_NODEFLIB),
            Self::Pie => elf.flags_1(DF_1_PIE),
            Self::Executable => elf.executable(),
            Self::Export(symbol) => elf.exports(symbol),
            Self::Machine("I386") => elf.machine(I386),
            Self::Machine("S390X") => elf.machine(S390X),
            Self::Machine(_) => elf.machine(ARM64),
            Self::Byte(at, value) => elf.byte(*at, *value),
        }
    }
}

impl RootEntry {
    /// Returns the path that the entry creates.
    pub(super) fn path(&self) -> Option<&str> {
        match self {
            Self::WorkingDir(path) | Self::Directory(path) => Some(path),
            Self::Elf { path, .. } | Self::File { path, .. } | Self::Cut { path, .. } => Some(path),
            Self::Link { path, .. } | Self::HardLink { second: path, .. } => Some(path),
            _ => None,
        }
    }

    fn put(&self, case: Case, musl: bool) -> Case {
        match self {
            Self::WorkingDir(path) => case.working_dir(path),
            Self::Directory(path) => case.directory(path),
            Self::Elf { path, is_program, features } => {
                let start = match (is_program, musl) {
                    (false, _) => library(),
                    (true, false) => elf::program(),
                    (true, true) => elf::musl_program(),
                };
                case.elf(path, &features.iter().fold(start, |elf, own| own.put(elf)))
            }
            Self::File { path, text } => case.file(path, text),
            Self::Cut { path, size } => case.file(path, &library().image()[..*size]),
            Self::HardLink { first, second } => case.hard_link(first, second),
            Self::Link { path, target } => case.link(path, target),
            Self::Hwcaps("") => case.hwcaps(HwcapsSelection::None),
            Self::Hwcaps(name) => case.hwcaps(HwcapsSelection::UpTo(name.as_bytes().to_vec())),
            Self::LibraryPath(list) => case.library_path(list),
            Self::Preload(list) => case.preload(list),
            Self::Ldconfig(directories) => case.ldconfig(directories),
            Self::Cache(entries) => {
                let entry = |(name, path): &(String, String)| CacheEntry {
                    name: name.as_bytes().to_vec(),
                    path: RawPath::new(path.as_bytes()),
                };
                case.file(
                    "/etc/ld.so.cache",
                    LdCache::serialize(entries.iter().map(entry).collect(), AMD64).unwrap(),
                )
            }
            Self::Without(path) => case.without(path),
        }
    }
}

impl RandomRoot {
    pub(super) fn build(&self) -> Case {
        let case = if self.musl { Case::musl() } else { Case::glibc() };
        self.entries.iter().fold(case, |case, entry| entry.put(case, self.musl))
    }

    /// Returns whether a file can be created at `path`: no entry is there, above it (except directories)
    /// or below it.
    pub(super) fn is_free(&self, path: &str) -> bool {
        let below = |path: &str, above: &str| {
            path.strip_prefix(above).is_some_and(|rest| above == "/" || rest.starts_with('/'))
        };
        let is_directory =
            |entry: &RootEntry| matches!(entry, RootEntry::WorkingDir(_) | RootEntry::Directory(_));
        !(self.musl && below(LOADER, path))
            && self.entries.iter().all(|entry| {
                entry.path().is_none_or(|other| {
                    other != path && !below(other, path) && (is_directory(entry) || !below(path, other))
                })
            })
    }
}

impl fmt::Display for RandomRoot {
    /// Formats the root as the source of a test.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case::{}()", if self.musl { "musl" } else { "glibc" })?;
        for entry in &self.entries {
            write!(f, "\n    .")?;
            match entry {
                RootEntry::WorkingDir(path) => write!(f, "working_dir({path:?})"),
                RootEntry::Directory(path) => write!(f, "directory({path:?})"),
                RootEntry::Elf { path, is_program, features } => {
                    let start = match (is_program, self.musl) {
                        (false, _) => "library",
                        (true, false) => "program",
                        (true, true) => "musl_program",
                    };
                    write!(f, "elf({path:?}, &{start}()")?;
                    features.iter().try_for_each(|own| write!(f, ".{own}"))?;
                    write!(f, ")")
                }
                RootEntry::File { path, text } => write!(f, "file({path:?}, {text:?})"),
                RootEntry::Cut { path, size } => write!(f, "file({path:?}, &library().image()[..{size}])"),
                RootEntry::HardLink { first, second } => write!(f, "hard_link({first:?}, {second:?})"),
                RootEntry::Link { path, target } => write!(f, "link({path:?}, {target:?})"),
                RootEntry::Hwcaps("") => write!(f, "hwcaps(Hwcaps::None)"),
                RootEntry::Hwcaps(name) => write!(f, "hwcaps(Hwcaps::UpTo(b{name:?}.into()))"),
                RootEntry::LibraryPath(list) => write!(f, "library_path({list:?})"),
                RootEntry::Preload(list) => write!(f, "preload({list:?})"),
                RootEntry::Ldconfig(directories) => write!(f, "ldconfig({directories:?})"),
                RootEntry::Cache(entries) => {
                    write!(f, "file(\"/etc/ld.so.cache\", Cache::write({entries:?}))")
                }
                RootEntry::Without(path) => write!(f, "without({path:?})"),
            }?;
        }
        self.files.iter().try_for_each(|file| write!(f, "\n    .maps({file:?}, …)"))
    }
}

impl fmt::Display for ElfFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needed(name) => write!(f, "needed({name:?})"),
            Self::Soname(name) => write!(f, "soname({name:?})"),
            Self::Rpath(list) => write!(f, "rpath({list:?})"),
            Self::Runpath(list) => write!(f, "runpath({list:?})"),
            Self::Filter(name) => write!(f, "filter({name:?})"),
            Self::Auxiliary(name) => write!(f, "auxiliary({name:?})"),
            Self::Nodeflib => f.write_str("flags_1(DF_1_NODEFLIB)"),
            Self::Pie => f.write_str("flags_1(DF_1_PIE)"),
            Self::Executable => f.write_str("executable()"),
            Self::Export(symbol) => write!(f, "exports({symbol:?})"),
            Self::Machine(machine) => write!(f, "machine({machine})"),
            Self::Byte(at, value) => write!(f, "byte({at}, {value})"),
        }
    }
}
