//! Names in a program's own text: libraries that it may open, programs that it may start, where it looks for
//! certificates. Text proves nothing, so this is for hints alone.

use std::collections::BTreeSet;

use super::Error;
use super::imports::{self, Need};
use super::program::Program;
use crate::closure::{Executed, Mapped, Opener, Tracer};
use crate::elf;
use crate::fs;
use crate::path::{Spelled, printable};
use crate::tree::{self, End};

/// A library that is named in an object.
pub(super) struct Literal {
    pub(super) name: String,
    pub(super) by: Spelled,
}

/// Libraries that distributions' libraries open only for what hardly any program asks them for: the start of the
/// opener's soname, the start of the name.
const KNOWN: &[(&str, &str)] = &[
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
/// Names that are tried: more are noise.
const MOST: usize = 64;

/// Libraries that are named in an object that opens libraries, that are there, and that nothing has mapped.
pub(super) fn libraries(
    program: &Program<'_>,
    tracer: &Tracer<'_>,
    executed: &Executed,
) -> Result<Vec<Literal>, Error> {
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    let openers: Vec<Vec<&Mapped>> =
        program.maps.iter().map(|map| imports::openers(map)).collect::<fs::Result<_>>()?;
    for mapped in openers.into_iter().flatten() {
        let soname = mapped.object.dynamic.soname.clone();
        for word in elf::words_with(&mapped.file.content.open()?, &[".so"])? {
            let Some(name) = library_name(&word).filter(|name| !is_known(soname.as_deref(), name)) else {
                continue;
            };
            if known.len() >= MOST || !known.insert(name.to_owned()) {
                continue;
            }
            let by = soname.clone().map_or(Opener::Program, Opener::Library);
            if tracer.brings(executed, &by, name.as_bytes())? {
                found.push(Literal { name: name.to_owned(), by: mapped.spelled.clone() });
            }
        }
    }
    Ok(found)
}

/// The word as a name that `dlopen` could be given: `libx.so`, `libx.so.1`, or a path to one.
fn library_name(word: &[u8]) -> Option<&str> {
    let word = std::str::from_utf8(word).ok()?;
    let name = word.rsplit('/').next()?;
    let (stem, version) = name.strip_prefix("lib")?.split_once(".so")?;
    let is_version = |version: &str| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_plain = |text: &str| !text.contains(['%', ':', '=', '@', '~']);
    let is_path = word == name || word.starts_with('/');
    (!stem.is_empty() && is_version(version) && !version.ends_with('.') && is_plain(word) && is_path)
        .then_some(word)
}

fn is_known(soname: Option<&[u8]>, name: &str) -> bool {
    let Some(soname) = soname else { return false };
    KNOWN.iter().any(|(opener, start)| soname.starts_with(opener.as_bytes()) && name.starts_with(start))
}

/// What the program itself names.
#[derive(Default)]
pub(super) struct Named {
    /// Where it looks for certificates.
    pub(super) certificates: Option<String>,
    /// Programs that are there.
    pub(super) programs: Vec<String>,
    /// It is static and has glibc's code that opens NSS modules.
    pub(super) opens_nss: bool,
}

pub(super) fn of_program(program: &Program<'_>) -> Result<Named, Error> {
    let Some(itself) = program.itself() else { return Ok(Named::default()) };
    let is_static = program.maps.first().is_some_and(|map| map.loader.is_none());
    let starts_others = is_static || program.imports.of(Need::Child).is_some();
    let words = elf::words_with(&itself.file.content.open()?, &["ssl/certs", "/bin/", "libnss_"])?;
    let mut named = Named::default();
    for word in &words {
        let text = printable(word);
        if text.contains("ssl/certs") {
            named.certificates.get_or_insert(text);
        } else if is_static && text.starts_with("libnss_") {
            named.opens_nss = true;
        } else if starts_others && !is_static && is_program(program, word)? {
            named.programs.push(text);
        }
    }
    Ok(named)
}

/// Whether a word is the path of a program that is there.
fn is_program(program: &Program<'_>, word: &[u8]) -> fs::Result<bool> {
    if !["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/"].iter().any(|start| word.starts_with(start.as_bytes()))
    {
        return Ok(false);
    }
    let walk = tree::walk(program.places.tree, &program.places.around.working_dir, word)?;
    Ok(matches!(walk.end, End::File(_, file) if file.stat.is_executable()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_libraries() {
        for name in ["libx.so", "libx.so.1", "/usr/lib/libx-1.2.so.3.4"] {
            assert_eq!(library_name(name.as_bytes()), Some(name));
        }
        for word in
            ["lib%s.so", "x.so", "lib.so", "libx.so.", "libx.sock", "a/libx.so", "libx.so.x", "$LIB/libx.so"]
        {
            assert_eq!(library_name(word.as_bytes()), None, "{word}");
        }
    }
}
