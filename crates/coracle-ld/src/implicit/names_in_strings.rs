//! Names in the strings of a program: libraries that it may open, directories of certificates and time
//! zones. Strings prove nothing, so they are only used for hints.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::function_calls;
use super::program_context::{ProgramContext, path_literal_form};
use crate::closure::{DlopenCaller, MappedObject};
use crate::elf::{self, PathLiteralForm};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// A library name in the strings of an object.
pub(super) struct LibraryNameInText {
    pub(super) name: String,
    pub(super) named_in: RawPath,
    pub(super) caller: DlopenCaller,
}

/// Libraries that distributions' libraries open only for rare features: the prefix of the caller's
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
/// Libraries that compute the names of others: the prefix of the soname or file name, and the names that are tried. Source: Qt's
/// `qsslsocket_openssl_symbols.cpp`, which tries the version of its own build first.
const COMPUTED_NAMES: [(&str, [&str; 2]); 2] = [
    ("libQt5Network.so", ["libssl.so.3", "libssl.so.1.1"]),
    ("libqopensslbackend.so", ["libssl.so.3", "libssl.so.1.1"]),
];
/// Maximum number of names that are tried.
const MAX_TRIED_NAMES: usize = 64;

/// The names in the strings of a program and of its libraries.
#[derive(Default)]
pub(super) struct NamesInStrings {
    /// Libraries named by an object that calls `dlopen`.
    pub(super) libraries: Vec<LibraryNameInText>,
    /// `true` if the program contains the path of a directory of certificates.
    pub(super) names_certificates: bool,
    /// `true` if the program contains the directory of time zones.
    pub(super) names_time_zones: bool,
    /// `true` if the program is static and contains glibc's code that opens NSS modules.
    pub(super) opens_nss: bool,
}

/// Reads the strings of the program and of the libraries that call `dlopen`, each file once.
pub(super) fn find_names_in_strings(program: &ProgramContext<'_>) -> Result<NamesInStrings, Error> {
    let (mut named, mut strings_by_object) = (NamesInStrings::default(), Vec::new());
    let callers = dlopen_callers(program)?;
    let own = program.program_object();
    let own_strings = program.own_data.strings.clone();
    find_names_in_program(program, &mut named);
    if callers.contains_key(&own.path) {
        strings_by_object.push((own, own_strings, path_literal_form(own)?));
    }
    for mapped in callers.into_values().filter(|mapped| mapped.path != own.path) {
        strings_by_object.push((mapped, library_names(mapped)?, PathLiteralForm::Terminated));
    }
    named.libraries.extend(computed_names(program));
    let mut tried = BTreeSet::new();
    for (mapped, strings, form) in strings_by_object {
        let soname = mapped.object.dynamic.soname.as_deref();
        let caller = program.as_dlopen_caller(mapped);
        let is_rare = |name: &&str| is_rarely_needed(soname, name);
        let names = strings.iter().flat_map(|text| match form {
            PathLiteralForm::Concatenated => concatenated_library_names(text),
            _ => as_library_name(text).into_iter().collect(),
        });
        for name in names.filter(|name| !is_rare(name)) {
            if tried.len() < MAX_TRIED_NAMES && tried.insert(name.to_owned()) {
                named.libraries.push(LibraryNameInText {
                    name: name.to_owned(),
                    named_in: mapped.raw_path.clone(),
                    caller: caller.clone(),
                });
            }
        }
    }
    Ok(named)
}

/// Returns the names in [`COMPUTED_NAMES`] of the mapped libraries.
fn computed_names(program: &ProgramContext<'_>) -> Vec<LibraryNameInText> {
    let pairs =
        COMPUTED_NAMES.iter().flat_map(|(library, names)| names.iter().map(move |name| (library, name)));
    let found = pairs.filter_map(|(library, name)| {
        let mapped = program.library_with_prefix(library)?;
        Some(LibraryNameInText {
            name: (*name).to_owned(),
            named_in: mapped.raw_path.clone(),
            caller: program.as_dlopen_caller(mapped),
        })
    });
    found.collect()
}

/// Returns the strings in the data of an object that may be names of libraries.
fn library_names(mapped: &MappedObject) -> fs::Result<BTreeSet<Vec<u8>>> {
    elf::data_strings_containing(&mapped.file.content.open()?, &mapped.object, &[".so"])
}

/// Returns the objects that call `dlopen`, each once.
fn dlopen_callers<'a>(program: &ProgramContext<'a>) -> fs::Result<BTreeMap<&'a ImagePath, &'a MappedObject>> {
    let mut callers = BTreeMap::new();
    for map in &program.maps {
        callers.extend(function_calls::dlopen_callers(map)?.into_iter().map(|mapped| (&mapped.path, mapped)));
    }
    Ok(callers)
}

/// Returns `text` if it may be an argument of `dlopen`: `libx.so`, `libx.so.1`, or an absolute path
/// to one.
fn as_library_name(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let name = text.rsplit('/').next()?;
    let (stem, version) = name.strip_prefix("lib")?.split_once(".so")?;
    let is_version = |version: &str| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_plain = |text: &str| !text.contains(['%', ':', '=', '@', '~']);
    let is_path = text == name || text.starts_with('/');
    (!stem.is_empty() && is_version(version) && !version.ends_with('.') && is_plain(text) && is_path)
        .then_some(text)
}

/// Returns the names of libraries in literals that follow each other directly: `libx.so.1` of `errorlibx.so.1open`. A
/// number of another literal can look like a part of the version.
fn concatenated_library_names(text: &[u8]) -> Vec<&str> {
    if let Some(name) = as_library_name(text) {
        return vec![name];
    }
    let ends = memchr::memmem::find_iter(text, b".so").map(|at| (at, at + b".so".len()));
    let names = ends.filter_map(|(at, end)| {
        let is_in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_+-.".contains(byte);
        let (before, after) = (text.get(..at)?, text.get(end..)?);
        let length = before.iter().rev().take_while(|byte| is_in_name(byte)).count();
        let stem_start = at - length;
        let start = stem_start + memchr::memmem::rfind(before.get(stem_start..)?, b"lib")?;
        let is_in_word = after.first().is_some_and(u8::is_ascii_lowercase);
        let name = text.get(start..end + version_length(after))?;
        as_library_name(name).filter(|_| !is_in_word)
    });
    names.collect()
}

/// Returns the length of a version such as `.1.2` at the start of `text`.
fn version_length(text: &[u8]) -> usize {
    let mut length = 0;
    while let Some([b'.', digits @ ..]) = text.get(length..) {
        match digits.iter().take_while(|byte| byte.is_ascii_digit()).count() {
            0 => break,
            count => length += 1 + count,
        }
    }
    length
}

/// Returns whether the library `soname` opens `name` only for rare features.
fn is_rarely_needed(soname: Option<&[u8]>, name: &str) -> bool {
    let Some(soname) = soname else { return false };
    RARELY_NEEDED
        .iter()
        .any(|(library, start)| soname.starts_with(library.as_bytes()) && name.starts_with(start))
}

/// Evaluates the data of the program itself.
fn find_names_in_program(program: &ProgramContext<'_>, named: &mut NamesInStrings) {
    let data = &program.own_data;
    named.names_certificates = data.texts.contains("ssl/certs");
    named.names_time_zones = data.texts.contains("/zoneinfo");
    named.opens_nss = program.is_static() && data.strings.iter().any(|text| text.starts_with(b"libnss_"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_library_names() {
        for name in ["libx.so", "libx.so.1", "/usr/lib/libx-1.2.so.3.4"] {
            assert_eq!(as_library_name(name.as_bytes()), Some(name));
        }
        for text in
            ["lib%s.so", "x.so", "lib.so", "libx.so.", "libx.sock", "a/libx.so", "libx.so.x", "$LIB/libx.so"]
        {
            assert_eq!(as_library_name(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn finds_library_names_between_other_literals() {
        for (text, names) in [
            ("cannot openlibz.so.1/usr/bin/head", vec!["libz.so.1"]),
            ("libssl.so.3libcrypto.so.3called", vec!["libssl.so.3", "libcrypto.so.3"]),
            ("thread panickedlibfoo-2.0.so.12.3Error", vec!["libfoo-2.0.so.12.3"]),
            ("/usr/lib/libx.so.1", vec!["/usr/lib/libx.so.1"]),
            ("what is solved by a library.some text", vec![]),
            ("library/std/src/sys.so", vec![]),
            ("lib.so.1", vec![]),
        ] {
            assert_eq!(concatenated_library_names(text.as_bytes()), names, "{text}");
        }
    }
}
