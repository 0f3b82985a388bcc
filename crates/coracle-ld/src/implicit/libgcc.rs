//! `libgcc_s.so.1`, which glibc opens to unwind the stack when a thread ends or a backtrace is
//! printed. If it is missing, the program aborts. Source: `__libc_unwind_link_get`,
//! `misc/unwind-link.c`.

use super::c_library;
use super::imports::Need;
use super::policy::When;
use super::program::Program;
use super::wants::Wants;
use crate::closure::Opening;
use crate::elf::Priority;

const NAME: &str = "libgcc_s.so.1";

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) {
    let Some(libc) = program.glibc() else { return };
    let import = program.imports.of(Need::Libgcc);
    let (why, priority) = match (program.policy.libgcc, import) {
        (When::Never, _) | (When::Auto, None) => return,
        (When::Always, _) => ("requested".to_owned(), Priority::Required),
        (When::Auto, Some(import)) => {
            (format!("for `{}`, which {} calls", import.function, import.by), Priority::Recommended)
        }
    };
    wants.openings.push(Opening { by: c_library::opener(libc), names: vec![NAME.into()], why, priority });
}
