//! Libraries that glibc itself opens.

use super::function_calls::FunctionNeed;
use super::implicit_policy::Inclusion;
use super::program_context::ProgramContext;
use super::requests::Requests;
use crate::closure::{DlopenCaller, DlopenRequest, MappedObject};
use crate::elf::{self, DlopenPriority, SymbolVersions};

const LIBGCC_SONAME: &str = "libgcc_s.so.1";

/// Opens `libgcc_s.so.1` if the program may end a thread or print a backtrace: glibc then opens it
/// to unwind the stack, and aborts if it is missing. Source: `__libc_unwind_link_get`,
/// `misc/unwind-link.c`.
pub(super) fn add_libgcc(program: &ProgramContext<'_>, requests: &mut Requests) {
    let Some(libc) = program.glibc() else { return };
    let call = program.calls.first_call(FunctionNeed::Libgcc);
    let (purpose, priority) = match (program.policy.libgcc, call) {
        (Inclusion::Never, _) | (Inclusion::Auto, None) => return,
        (Inclusion::Always, _) => ("requested".to_owned(), DlopenPriority::Required),
        (Inclusion::Auto, Some(call)) => {
            (format!("for `{}`, which {} calls", call.function, call.caller), DlopenPriority::Recommended)
        }
    };
    requests.dlopens.push(DlopenRequest {
        caller: DlopenCaller::from_library(libc),
        names: vec![LIBGCC_SONAME.into()],
        purpose,
        priority,
    });
}

/// Returns whether glibc defines the version `name`, and is therefore at least that new.
pub(super) fn defines_version(libc: &MappedObject, name: &[u8]) -> elf::Result<bool> {
    let versions = SymbolVersions::read(&libc.file.content.open()?, &libc.object)?;
    Ok(versions.defined.iter().any(|defined| defined.name == name))
}
