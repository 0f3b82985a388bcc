//! File names in the strings of a program: libraries that it may open, programs that it may start,
//! directories of certificates. Strings prove nothing, so they are only used for hints.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::function_calls::{self, FunctionNeed};
use super::program_context::ProgramContext;
use crate::closure::{DlopenCaller, ExecutedFile, MappedObject, Resolver};
use crate::elf;
use coracle_core::file_system::{self, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath, escape_bytes};

/// A library name in the strings of an object.
pub(super) struct NamedLibrary {
    pub(super) name: String,
    pub(super) named_in: RawPath,
}

/// Libraries that distributions' libraries open only for rare features: the prefix of the opener's
/// soname, and the prefix of the name.
const RARELY_NEEDED: &[(&str, &str)] = &[
    ("libselinux.so", "libsepol"),
    ("libmount.so", "libcryptsetup"),
    ("libblkid.so", "lib"),
    ("libsystemd.so", "lib"),
    ("libsystemd-shared", "lib"),
    ("libudev.so", "lib"),
    ("libX11.so", "libXcursor"),
    ("libdw.so", "libdebuginfod"),
    ("libcrypto.so", "lib"),
    ("libp11-kit.so", "lib"),
    ("libgcrypt.so", "lib"),
    ("libc.so", "lib"),
    ("ld-linux", "lib"),
];
/// Maximum number of names that are tried.
const MAX_TRIED_NAMES: usize = 64;

/// The names in the strings of a program and of its libraries.
#[derive(Default)]
pub(super) struct NamesInStrings {
    /// Libraries that exist and are not mapped, named by an object that calls `dlopen`.
    pub(super) libraries: Vec<NamedLibrary>,
    /// Whether the program contains the path of a directory of certificates.
    pub(super) names_certificates: bool,
    /// Existing programs whose paths are in the program.
    pub(super) programs: Vec<String>,
    /// Whether the program is static and contains glibc's code that opens NSS modules.
    pub(super) opens_nss: bool,
}

/// Reads the strings of the program and of the libraries that call `dlopen`, each file once.
pub(super) fn find_names_in_strings(
    program: &ProgramContext<'_>,
    tracer: &Resolver<'_>,
    executed: &ExecutedFile,
) -> Result<NamesInStrings, Error> {
    let (mut named, mut names) = (NamesInStrings::default(), Vec::new());
    let openers = dlopen_callers(program)?;
    if let Some(itself) = program.program_object() {
        let words = matching_words(itself, &[".so", "ssl/certs", "/bin/", "libnss_"])?;
        find_names_in_program(program, &words, &mut named)?;
        if openers.contains_key(&itself.path) {
            names.push((itself, words));
        }
    }
    let is_itself =
        |mapped: &MappedObject| program.program_object().is_some_and(|itself| itself.path == mapped.path);
    for mapped in openers.into_values().filter(|mapped| !is_itself(mapped)) {
        names.push((mapped, matching_words(mapped, &[".so"])?));
    }
    let mut tried = BTreeSet::new();
    for (mapped, words) in names {
        let soname = mapped.object.dynamic.soname.as_deref();
        let by = soname.map_or(DlopenCaller::Program, |soname| DlopenCaller::Library(soname.to_vec()));
        let known = |name: &&str| is_rarely_needed(soname, name);
        for name in words.iter().filter_map(|word| as_library_name(word)).filter(|name| !known(name)) {
            if tried.len() < MAX_TRIED_NAMES
                && tried.insert(name.to_owned())
                && tracer.would_map_new_file(executed, &by, name.as_bytes())?
            {
                named
                    .libraries
                    .push(NamedLibrary { name: name.to_owned(), named_in: mapped.raw_path.clone() });
            }
        }
    }
    Ok(named)
}

fn matching_words(mapped: &MappedObject, parts: &[&str]) -> fs::Result<BTreeSet<Vec<u8>>> {
    elf::data_strings_containing(&mapped.file.content.open()?, &mapped.object, parts)
}

/// Returns the objects that call `dlopen`, each once.
fn dlopen_callers<'a>(program: &ProgramContext<'a>) -> fs::Result<BTreeMap<&'a ImagePath, &'a MappedObject>> {
    let mut openers = BTreeMap::new();
    for map in &program.maps {
        openers.extend(function_calls::dlopen_callers(map)?.into_iter().map(|mapped| (&mapped.path, mapped)));
    }
    Ok(openers)
}

/// Returns `word` if it may be an argument of `dlopen`: `libx.so`, `libx.so.1`, or an absolute path
/// to one.
fn as_library_name(word: &[u8]) -> Option<&str> {
    let word = std::str::from_utf8(word).ok()?;
    let name = word.rsplit('/').next()?;
    let (stem, version) = name.strip_prefix("lib")?.split_once(".so")?;
    let is_version = |version: &str| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_plain = |text: &str| !text.contains(['%', ':', '=', '@', '~']);
    let is_path = word == name || word.starts_with('/');
    (!stem.is_empty() && is_version(version) && !version.ends_with('.') && is_plain(word) && is_path)
        .then_some(word)
}

fn is_rarely_needed(soname: Option<&[u8]>, name: &str) -> bool {
    let Some(soname) = soname else { return false };
    RARELY_NEEDED
        .iter()
        .any(|(opener, start)| soname.starts_with(opener.as_bytes()) && name.starts_with(start))
}

/// Evaluates the strings of the program itself.
fn find_names_in_program(
    program: &ProgramContext<'_>,
    words: &BTreeSet<Vec<u8>>,
    named: &mut NamesInStrings,
) -> Result<(), Error> {
    let is_static = program.maps.first().is_some_and(|map| map.loader.is_none());
    let starts_others = program.calls.first_call(FunctionNeed::Child).is_some();
    for word in words {
        let has = |part: &[u8]| word.windows(part.len()).any(|bytes| bytes == part);
        if has(b"ssl/certs") {
            named.names_certificates = true;
        } else if is_static && word.starts_with(b"libnss_") {
            named.opens_nss = true;
        } else if starts_others && is_existing_program(program, word)? {
            named.programs.push(escape_bytes(word));
        }
    }
    Ok(())
}

/// Returns whether `word` is the path of an existing program.
fn is_existing_program(program: &ProgramContext<'_>, word: &[u8]) -> fs::Result<bool> {
    if !["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/"].iter().any(|start| word.starts_with(start.as_bytes()))
    {
        return Ok(false);
    }
    let walk = file_system::resolve_path(program.sources.tree, &program.sources.options.working_dir, word)?;
    Ok(matches!(walk.end, ResolutionEnd::File(_, file) if file.stat.is_executable()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_library_names() {
        for name in ["libx.so", "libx.so.1", "/usr/lib/libx-1.2.so.3.4"] {
            assert_eq!(as_library_name(name.as_bytes()), Some(name));
        }
        for word in
            ["lib%s.so", "x.so", "lib.so", "libx.so.", "libx.sock", "a/libx.so", "libx.so.x", "$LIB/libx.so"]
        {
            assert_eq!(as_library_name(word.as_bytes()), None, "{word}");
        }
    }
}
