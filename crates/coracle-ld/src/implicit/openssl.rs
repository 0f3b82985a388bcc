//! OpenSSL's configuration, providers and engines.
//!
//! Their directories are strings in libcrypto, which `openssl version -a` prints. Source:
//! `crypto/cversion.c`.

use super::policy::When;
use super::program::Program;
use super::wants::Wants;
use super::{Error, plugins};
use crate::closure::{Mapped, Opener};
use crate::elf;
use coracle_core::path::Spelled;

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    let policy = program.policy.openssl;
    let Some(libcrypto) = program.library("libcrypto.so").filter(|_| policy != When::Never) else {
        if policy == When::Always {
            let why = "`openssl` has no effect: no libcrypto is mapped";
            wants.is_useless("openssl", why, "leave `openssl` at `auto`");
        }
        return Ok(());
    };
    wants.is_used("openssl");
    if let Some(directory) = directory(libcrypto, "OPENSSLDIR")? {
        let configuration = Spelled::in_directory(directory.as_bytes(), b"openssl.cnf");
        wants.extras.extend(program.data(&configuration, "OpenSSL's configuration")?);
    }
    if policy == When::Always {
        for name in ["MODULESDIR", "ENGINESDIR"] {
            let Some(directory) = directory(libcrypto, name)? else { continue };
            let by = Opener::Library(libcrypto.object.dynamic.soname.clone().unwrap_or_default());
            plugins::open_all(program, &directory, &by, "OpenSSL provider or engine", wants)?;
        }
    }
    Ok(())
}

/// Returns a directory that is compiled into libcrypto as in `OPENSSLDIR: "/usr/lib/ssl"`.
pub(super) fn directory(libcrypto: &Mapped, name: &str) -> Result<Option<Spelled>, Error> {
    let start = format!("{name}: \"");
    let texts = elf::texts_in(&libcrypto.file.content.open()?, &libcrypto.object, &[&start])?;
    let directory = texts.iter().find_map(|text| {
        let value = text.strip_prefix(start.as_bytes())?.strip_suffix(b"\"")?;
        value.starts_with(b"/").then(|| Spelled::new(value))
    });
    Ok(directory)
}
