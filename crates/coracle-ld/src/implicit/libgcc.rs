//! `libgcc_s.so.1`, which glibc opens to unwind the stack when a thread ends or a backtrace is
//! printed. If it is missing, the program aborts. Source: `__libc_unwind_link_get`,
//! `misc/unwind-link.c`.

use super::c_library;
use super::function_calls::FunctionNeed;
use super::policy::Inclusion;
use super::program_context::ProgramContext;
use super::requests::Requests;
use crate::closure::DlopenRequest;
use crate::elf::DlopenPriority;

const LIBGCC_SONAME: &str = "libgcc_s.so.1";

pub(super) fn add_libgcc(program: &ProgramContext<'_>, wants: &mut Requests) {
    let Some(libc) = program.glibc() else { return };
    let import = program.calls.first_call(FunctionNeed::Libgcc);
    let (why, priority) = match (program.policy.libgcc, import) {
        (Inclusion::Never, _) | (Inclusion::Auto, None) => return,
        (Inclusion::Always, _) => ("requested".to_owned(), DlopenPriority::Required),
        (Inclusion::Auto, Some(import)) => {
            (format!("for `{}`, which {} calls", import.function, import.caller), DlopenPriority::Recommended)
        }
    };
    wants.dlopens.push(DlopenRequest {
        caller: c_library::dlopen_caller(libc),
        names: vec![LIBGCC_SONAME.into()],
        purpose: why,
        priority,
    });
}
