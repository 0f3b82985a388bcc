//! musl's library search. Source: `load_library`, `path_open` and `fixup_rpath`, `ldso/dynlink.c`.

use super::candidate::{Manner, Outcome, Search};
use super::{Environment, Error, Found, Missed, Place, Refusal, Requester, Rule};
use coracle_core::content::Reader;
use crate::elf::{self, Exports, Manner as ExportManner, Object};
use coracle_core::fs;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Tree, TreeFile};

/// A musl loader in one file system.
#[derive(Debug)]
pub(super) struct Musl {
    library_path: Vec<Place>,
    system: Vec<Place>,
    path_file: Option<(Spelled, Vec<u8>)>,
}

/// Prefixes of names that mean the loader itself (`reserved` in `load_library`).
const LIBC: [&[u8]; 7] = [b"libc.", b"libpthread.", b"librt.", b"libm.", b"libdl.", b"libutil.", b"libxnet."];

/// Maximum size of a path file.
const MAX_PATH_FILE: u64 = 1 << 20;

/// Returns whether `name` means the loader itself.
pub(super) fn is_libc(name: &[u8]) -> bool {
    LIBC.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns whether `object` is a C library, which musl replaces with the running loader. It is one
/// if it exports `__libc_start_main` and `stdin` (`load_library`).
pub fn is_musl_libc(file: &TreeFile, object: &Object) -> bool {
    let exports = |reader: &Reader| -> elf::Result<bool> {
        let mut exports = Exports::of(reader, object, ExportManner::Musl)?;
        Ok(exports.defines(b"__libc_start_main")? && exports.defines(b"stdin")?)
    };
    // An unreadable file is not treated as a C library: loading it reports the error.
    file.content.open().is_ok_and(|reader| exports(&reader).unwrap_or_default())
}

impl Musl {
    pub(super) fn read(
        tree: &dyn Tree,
        interpreter: &Spelled,
        environment: &Environment,
    ) -> Result<Self, Error> {
        let path_file = path_file(tree, interpreter)?;
        let (list, rule) = match &path_file {
            Some((_, list)) => (list.as_slice(), Rule::PathFile),
            None => (&b"/lib:/usr/local/lib:/usr/lib"[..], Rule::DefaultDirectory),
        };
        let places = |list: &[u8], rule: &Rule| {
            split(list).map(|directory| Place { directory, rule: rule.clone(), origin: None }).collect()
        };
        Ok(Self {
            library_path: places(&environment.library_path, &Rule::LibraryPath),
            system: places(list, &rule),
            path_file,
        })
    }

    /// Returns the path file and its content, if there is one.
    pub(super) fn path_file(&self) -> Option<(&Spelled, &[u8])> {
        self.path_file.as_ref().map(|(path, list)| (path, list.as_slice()))
    }

    /// Returns the search path in order:
    /// - `LD_LIBRARY_PATH`
    /// - `DT_RUNPATH`, else `DT_RPATH`, of the object and of its ancestors
    /// - the system path
    pub(super) fn places(&self, requester: &Requester) -> Vec<Place> {
        let own = requester.chain().flat_map(|object| {
            let (list, rule) = match (&object.runpath, &object.rpath) {
                (Some(list), _) => (list, Rule::Runpath(object.spelled.clone())),
                (None, Some(list)) => (list, Rule::Rpath(object.spelled.clone())),
                (None, None) => return Vec::new(),
            };
            let Some(expanded) = expand(list, origin(object)) else { return Vec::new() };
            let origin = (expanded != *list).then(|| object.origin.clone());
            split(&expanded)
                .map(|directory| Place { directory, rule: rule.clone(), origin: origin.clone() })
                .collect()
        });
        self.library_path.iter().cloned().chain(own).chain(self.system.iter().cloned()).collect()
    }

    /// The first file that opens ends the search, whether or not it is accepted.
    pub(super) fn find(
        &self,
        search: &Search<'_>,
        name: &[u8],
        places: Vec<Place>,
    ) -> fs::Result<Result<Found, Missed>> {
        let mut missed = Missed::default();
        if name.is_empty() {
            return Ok(Err(missed));
        }
        for place in places {
            let path = Spelled::new([place.directory.as_bytes(), b"/", name].concat());
            missed.places.push(place.clone());
            match search.open(&path, Manner::First)? {
                Outcome::Absent => {}
                Outcome::Loop => {
                    missed.refused.push((path, Refusal::Loop));
                    missed.fatal = true;
                    return Ok(Err(missed));
                }
                Outcome::Taken(candidate) => {
                    let Place { rule, origin, .. } = place;
                    return Ok(Ok(Found { candidate: *candidate, rule, origin, passed: missed }));
                }
                Outcome::Refused { refusal, fatal } => {
                    missed.refused.push((path, refusal));
                    if fatal {
                        missed.fatal = true;
                        return Ok(Err(missed));
                    }
                }
            }
        }
        Ok(Err(missed))
    }
}

/// Returns `PREFIX/etc/ld-musl-ARCH.path` and its content. PREFIX is the interpreter's path without
/// its last two components.
fn path_file(tree: &dyn Tree, interpreter: &Spelled) -> Result<Option<(Spelled, Vec<u8>)>, Error> {
    let name = interpreter.name();
    let name = name.iter().position(|&byte| byte == b'.').and_then(|dot| name.get(..dot)).unwrap_or(name);
    let prefix = interpreter.directory().directory();
    let path = Spelled::in_directory(prefix.as_bytes(), &[b"etc/", name, b".path"].concat());
    let End::File(_, file) = file_system::walk(tree, &ImagePath::root(), path.as_bytes())?.end else {
        return Ok(None);
    };
    let size = usize::try_from(file.content.size().min(MAX_PATH_FILE)).unwrap_or_default();
    let list = file.content.open()?.bytes_at(0, size)?;
    Ok(Some((path, list)))
}

/// Splits a path list at colons and line feeds. Empty elements are skipped.
fn split(list: &[u8]) -> impl Iterator<Item = Spelled> {
    let elements = list.split(|&byte| byte == b':' || byte == b'\n');
    elements.filter(|element| !element.is_empty()).map(Spelled::new)
}

/// Returns the text before the last slash of the object's path: empty for a file in the root.
fn origin(object: &Requester) -> &[u8] {
    let origin = object.origin.as_bytes();
    let is_in_root =
        origin == b"/" && (object.parent.is_none() || !object.spelled.as_bytes().starts_with(b"//"));
    if is_in_root { b"" } else { origin }
}

/// Expands `$ORIGIN`. `None` if there is any other `$`: musl then ignores the whole list.
fn expand(list: &[u8], origin: &[u8]) -> Option<Vec<u8>> {
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
