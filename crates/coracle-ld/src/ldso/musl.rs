//! musl's library search. Source: `load_library`, `path_open` and `fixup_rpath`, `ldso/dynlink.c`.

use super::candidate::{CandidateOutcome, MismatchPolicy, Rejection, SearchContext};
use super::error::Error;
use super::loader_environment::LoaderEnvironment;
use super::search::{Dependent, FoundLibrary, SearchLocation, SearchRule, SearchTrace};
use crate::elf::{self, ElfObject, ExportedSymbols, LookupRules};
use coracle_core::content::OpenContent;
use coracle_core::file_system::{self, FileSystem, FsFile, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// A musl loader in one file system.
#[derive(Debug)]
pub(super) struct MuslLoader {
    /// The directories of `LD_LIBRARY_PATH`.
    library_path: Vec<SearchLocation>,
    /// The directories of the path file, or the default directories.
    system_path: Vec<SearchLocation>,
    /// The path file and its content.
    path_file: Option<(RawPath, Vec<u8>)>,
}

/// Prefixes of names that mean the loader itself (`reserved` in `load_library`).
const LIBC_NAME_PREFIXES: [&[u8]; 7] =
    [b"libc.", b"libpthread.", b"librt.", b"libm.", b"libdl.", b"libutil.", b"libxnet."];

/// Maximum size of a path file.
const MAX_PATH_FILE_SIZE: u64 = 1 << 20;

/// Returns whether `name` means the loader itself.
pub(super) fn is_libc_name(name: &[u8]) -> bool {
    LIBC_NAME_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns whether `object` is a C library, which musl replaces with the running loader. It is one
/// if it exports `__libc_start_main` and `stdin` (`load_library`).
///
/// # Errors
/// Fails if the file cannot be read.
pub fn is_c_library(file: &FsFile, object: &ElfObject) -> fs::Result<bool> {
    let exports = |reader: &OpenContent| -> elf::Result<bool> {
        let mut exports = ExportedSymbols::new(reader, object, LookupRules::Musl)?;
        Ok(exports.defines(b"__libc_start_main")? && exports.defines(b"stdin")?)
    };
    match exports(&file.content.open()?) {
        Err(elf::Error::Io(error)) => Err(error),
        // A file with damaged tables is not a C library: checking its symbols reports the error.
        exports => Ok(exports.unwrap_or(false)),
    }
}

impl MuslLoader {
    /// Reads musl's path file, next to the interpreter.
    pub(super) fn read(
        tree: &dyn FileSystem,
        interpreter: &RawPath,
        environment: &LoaderEnvironment,
    ) -> Result<Self, Error> {
        let path_file = read_path_file(tree, interpreter)?;
        let (list, rule) = match &path_file {
            Some((_, list)) => (list.as_slice(), SearchRule::PathFile),
            None => (&b"/lib:/usr/local/lib:/usr/lib"[..], SearchRule::DefaultDirectory),
        };
        let locations = |list: &[u8], rule: &SearchRule| {
            split_path_list(list)
                .map(|directory| SearchLocation { raw_path: directory, rule: rule.clone(), origin: None })
                .collect()
        };
        Ok(Self {
            library_path: locations(&environment.library_path, &SearchRule::LibraryPath),
            system_path: locations(list, &rule),
            path_file,
        })
    }

    /// Returns the path file and its content, if there is one.
    pub(super) fn path_file(&self) -> Option<(&RawPath, &[u8])> {
        self.path_file.as_ref().map(|(path, list)| (path, list.as_slice()))
    }

    /// Returns the search path in order:
    /// - `LD_LIBRARY_PATH`
    /// - `DT_RUNPATH`, else `DT_RPATH`, of the object and of its ancestors
    /// - the system path
    pub(super) fn search_path(&self, dependent: &Dependent) -> Vec<SearchLocation> {
        let own = dependent.chain().flat_map(|object| {
            let (list, rule) = match (&object.runpath, &object.rpath) {
                (Some(list), _) => (list, SearchRule::Runpath(object.raw_path.clone())),
                (None, Some(list)) => (list, SearchRule::Rpath(object.raw_path.clone())),
                (None, None) => return Vec::new(),
            };
            let Some(expanded) = expand_origin(list, origin_value(object)) else { return Vec::new() };
            let origin = (expanded != *list).then(|| object.origin.clone());
            split_path_list(&expanded)
                .map(|directory| SearchLocation {
                    raw_path: directory,
                    rule: rule.clone(),
                    origin: origin.clone(),
                })
                .collect()
        });
        self.library_path.iter().cloned().chain(own).chain(self.system_path.iter().cloned()).collect()
    }

    /// Finds `name` in `locations`. The first file that opens ends the search, whether or not it is
    /// accepted.
    pub(super) fn find_library(
        &self,
        search: &SearchContext<'_>,
        name: &[u8],
        locations: Vec<SearchLocation>,
    ) -> fs::Result<Result<FoundLibrary, SearchTrace>> {
        let mut trace = SearchTrace::default();
        if name.is_empty() {
            return Ok(Err(trace));
        }
        for location in locations {
            let path = RawPath::new([location.raw_path.as_bytes(), b"/", name].concat());
            trace.searched.push(location.clone());
            match search.try_path(&path, MismatchPolicy::EndSearch)? {
                CandidateOutcome::Absent => {}
                CandidateOutcome::Loop => {
                    trace.rejected.push((path, Rejection::LinkLoop));
                    trace.is_fatal = true;
                    return Ok(Err(trace));
                }
                CandidateOutcome::Accepted(candidate) => {
                    let SearchLocation { rule, origin, .. } = location;
                    return Ok(Ok(FoundLibrary { candidate: *candidate, rule, origin, trace }));
                }
                CandidateOutcome::Rejected { rejection, is_fatal } => {
                    trace.rejected.push((path, rejection));
                    if is_fatal {
                        trace.is_fatal = true;
                        return Ok(Err(trace));
                    }
                }
            }
        }
        Ok(Err(trace))
    }
}

/// Returns `PREFIX/etc/ld-musl-ARCH.path` and its content. PREFIX is the interpreter's path without
/// its last two components.
fn read_path_file(tree: &dyn FileSystem, interpreter: &RawPath) -> Result<Option<(RawPath, Vec<u8>)>, Error> {
    let name = interpreter.file_name();
    let name = name.iter().position(|&byte| byte == b'.').and_then(|dot| name.get(..dot)).unwrap_or(name);
    let prefix = interpreter.dirname().dirname();
    let path = RawPath::join_bytes(prefix.as_bytes(), &[b"etc/", name, b".path"].concat());
    let ResolutionEnd::File(_, file) =
        file_system::resolve_path(tree, &ImagePath::root(), path.as_bytes())?.end
    else {
        return Ok(None);
    };
    let list = file.content.read_whole(path.as_bytes(), MAX_PATH_FILE_SIZE)?;
    Ok(Some((path, list)))
}

/// Returns musl's value of `$ORIGIN`: the text before the last slash of the object's path, which is
/// empty for a file in the root.
fn origin_value(object: &Dependent) -> &[u8] {
    let origin = object.origin.as_bytes();
    let is_in_root =
        origin == b"/" && (object.parent.is_none() || !object.raw_path.as_bytes().starts_with(b"//"));
    if is_in_root { b"" } else { origin }
}

/// Expands `$ORIGIN`. `None` if there is any other `$`: musl then ignores the whole list.
fn expand_origin(list: &[u8], origin: &[u8]) -> Option<Vec<u8>> {
    let mut expanded = Vec::new();
    let mut rest = list;
    while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
        let (plain, from) = rest.split_at(dollar);
        expanded.extend_from_slice(plain);
        expanded.extend_from_slice(origin);
        rest = from.strip_prefix(b"$ORIGIN").or_else(|| from.strip_prefix(b"${ORIGIN}"))?;
    }
    expanded.extend_from_slice(rest);
    Some(expanded)
}

/// Splits a list of directories at colons and line feeds. Empty elements are skipped.
fn split_path_list(list: &[u8]) -> impl Iterator<Item = RawPath> {
    let elements = list.split(|&byte| byte == b':' || byte == b'\n');
    elements.filter(|element| !element.is_empty()).map(RawPath::new)
}
