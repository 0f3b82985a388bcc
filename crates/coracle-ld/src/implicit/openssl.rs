//! OpenSSL's configuration, providers and engines.
//!
//! Their directories are strings in libcrypto, which `openssl version -a` prints. Source:
//! `crypto/cversion.c`.

use super::policy::Inclusion;
use super::program_context::ProgramContext;
use super::requests::Requests;
use super::{Error, plugins};
use crate::closure::{DlopenCaller, MappedObject};
use crate::elf;
use coracle_core::path::RawPath;

pub(super) fn add_openssl(program: &ProgramContext<'_>, wants: &mut Requests) -> Result<(), Error> {
    let policy = program.policy.openssl;
    let Some(libcrypto) = program.library("libcrypto.so").filter(|_| policy != Inclusion::Never) else {
        if policy == Inclusion::Always {
            let why = "`openssl` has no effect: no libcrypto is mapped";
            wants.mark_unused("openssl", why, "leave `openssl` at `auto`");
        }
        return Ok(());
    };
    wants.mark_used("openssl");
    if let Some(directory) = built_in_directory(libcrypto, "OPENSSLDIR")? {
        let configuration = RawPath::join_bytes(directory.as_bytes(), b"openssl.cnf");
        wants.data_files.extend(program.data_file(&configuration, "OpenSSL's configuration")?);
    }
    if policy == Inclusion::Always {
        for name in ["MODULESDIR", "ENGINESDIR"] {
            let Some(directory) = built_in_directory(libcrypto, name)? else { continue };
            let by = DlopenCaller::Library(libcrypto.object.dynamic.soname.clone().unwrap_or_default());
            plugins::add_plugin_directory(program, &directory, &by, "OpenSSL provider or engine", wants)?;
        }
    }
    Ok(())
}

/// Returns a directory that is compiled into libcrypto as in `OPENSSLDIR: "/usr/lib/ssl"`.
pub(super) fn built_in_directory(libcrypto: &MappedObject, name: &str) -> Result<Option<RawPath>, Error> {
    let start = format!("{name}: \"");
    let texts = elf::printable_data_strings_containing(
        &libcrypto.file.content.open()?,
        &libcrypto.object,
        &[&start],
    )?;
    let directory = texts.iter().find_map(|text| {
        let value = text.strip_prefix(start.as_bytes())?.strip_suffix(b"\"")?;
        value.starts_with(b"/").then(|| RawPath::new(value))
    });
    Ok(directory)
}
