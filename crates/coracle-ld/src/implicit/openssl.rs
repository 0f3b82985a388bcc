//! OpenSSL's configuration, providers and engines.
//!
//! Their directories are strings in libcrypto, which `openssl version -a` prints. Source:
//! `crypto/cversion.c`.

use super::error::Error;
use super::implicit_policy::Inclusion;
use super::plugins;
use super::program_context::ProgramContext;
use super::requests::Requests;
use crate::closure::{DlopenCaller, MappedObject};
use crate::elf;
use coracle_core::path::RawPath;

/// Adds OpenSSL's configuration, and if requested its providers and engines.
pub(super) fn add_openssl(program: &ProgramContext<'_>, requests: &mut Requests) -> Result<(), Error> {
    let policy = program.policy.openssl;
    let Some(libcrypto) = program.library("libcrypto.so").filter(|_| policy != Inclusion::Never) else {
        if policy == Inclusion::Always {
            let why = "`openssl` has no effect: no libcrypto is mapped";
            requests.mark_unused("openssl", why, "leave `openssl` at `auto`");
        }
        return Ok(());
    };
    requests.mark_used("openssl");
    if let Some(directory) = built_in_directory(libcrypto, "OPENSSLDIR")? {
        let configuration = RawPath::join_bytes(directory.as_bytes(), b"openssl.cnf");
        requests.data_files.extend(program.data_file(&configuration, "OpenSSL's configuration")?);
    }
    if policy == Inclusion::Always {
        for name in ["MODULESDIR", "ENGINESDIR"] {
            let Some(directory) = built_in_directory(libcrypto, name)? else { continue };
            let by = DlopenCaller::from_library(libcrypto);
            plugins::add_plugin_directory(program, &directory, &by, "OpenSSL provider or engine", requests)?;
        }
    }
    Ok(())
}

/// Returns a directory that is compiled into libcrypto as in `OPENSSLDIR: "/usr/lib/ssl"`.
pub(super) fn built_in_directory(libcrypto: &MappedObject, name: &str) -> Result<Option<RawPath>, Error> {
    let start = format!("{name}: \"");
    let strings = elf::printable_data_strings_containing(
        &libcrypto.file.content.open()?,
        &libcrypto.object,
        &[&start],
    )?;
    let directory = strings.iter().find_map(|string| {
        let value = string.strip_prefix(start.as_bytes())?.strip_suffix(b"\"")?;
        value.starts_with(b"/").then(|| RawPath::new(value))
    });
    Ok(directory)
}
