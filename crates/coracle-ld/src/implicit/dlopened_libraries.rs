//! Libraries opened at run time: those in the objects' `.note.dlopen` sections, those requested by the
//! user, and `libgcc_s.so.1`, which glibc opens.

use super::error::Error;
use super::function_calls::FunctionNeed;
use super::implicit_policy::Inclusion;
use super::program_context::{ProgramContext, ProgramRole};
use super::requested_dependencies::RequestedDependencies;
use crate::closure::{DlopenCaller, DlopenRequest, MappedObject};
use crate::elf::{self, DlopenNote, DlopenPriority};
use coracle_core::fs;
use coracle_core::path::escape_bytes;

/// Opens the libraries of the policy and of notes with a sufficient priority.
pub(super) fn add_dlopened_libraries(
    program: &ProgramContext<'_>,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    if matches!(program.role, ProgramRole::Entrypoint | ProgramRole::EntrypointInterpreter) {
        requests.dlopens.extend(program.policy.dlopen.iter().map(|name| DlopenRequest {
            caller: DlopenCaller::Program,
            names: vec![name.clone().into_bytes()],
            purpose: "requested".into(),
            priority: DlopenPriority::Required,
        }));
    }
    let Some(lowest) = program.policy.dlopen_notes else { return Ok(()) };
    for mapped in program.objects() {
        let notes = match read_dlopen_notes(mapped)? {
            Ok(notes) => notes,
            Err(error) => {
                requests
                    .add_warning(format!("cannot read the dlopen notes of `{}`: {error}", mapped.raw_path));
                continue;
            }
        };
        let wanted = notes.into_iter().filter(|note| note.priority <= lowest);
        requests.dlopens.extend(wanted.map(|note| DlopenRequest {
            caller: program.as_dlopen_caller(mapped),
            purpose: describe_note(&note),
            names: note.sonames,
            priority: note.priority,
        }));
    }
    Ok(())
}

/// Opens the program's audit modules: the modules in `LD_AUDIT`, then in `DT_AUDIT` and
/// `DT_DEPAUDIT`. The loader goes on without a missing one, but prints an error. musl has none.
/// Source: `dl_main`, `elf/rtld.c`.
pub(super) fn add_audit_modules(program: &ProgramContext<'_>, requests: &mut RequestedDependencies) {
    let loader = program.maps.first().and_then(|map| map.loader.as_ref());
    if !loader.is_some_and(|loader| loader.is_glibc()) {
        return;
    }
    let dynamic = &program.program_object().object.dynamic;
    let lists = [
        ("LD_AUDIT", Some(&program.sources.options.loader_environment.audit)),
        ("DT_AUDIT", dynamic.audit.as_ref()),
        ("DT_DEPAUDIT", dynamic.dependency_audit.as_ref()),
    ];
    for (source, list) in lists {
        let names = list.into_iter().flat_map(|list| list.split(|&byte| byte == b':'));
        requests.dlopens.extend(names.filter(|name| !name.is_empty()).map(|name| DlopenRequest {
            caller: DlopenCaller::Audit,
            names: vec![name.to_vec()],
            purpose: format!("audit module of {source}"),
            priority: DlopenPriority::Recommended,
        }));
    }
}

const LIBGCC_SONAME: &str = "libgcc_s.so.1";

/// Opens `libgcc_s.so.1` if the program may end a thread or print a backtrace: glibc then opens it
/// to unwind the stack, and aborts if it is missing. Source: `__libc_unwind_link_get`,
/// `misc/unwind-link.c`.
pub(super) fn add_libgcc(program: &ProgramContext<'_>, requests: &mut RequestedDependencies) {
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

/// Returns the dlopen notes of an object, or the error if they are damaged.
pub(super) fn read_dlopen_notes(mapped: &MappedObject) -> fs::Result<elf::Result<Vec<DlopenNote>>> {
    match elf::dlopen_notes(&mapped.file.content.open()?, &mapped.object) {
        Err(elf::Error::Io(error)) => Err(error),
        notes => Ok(notes),
    }
}

/// Maximum length of a note's text in messages.
const MAX_NOTE_TEXT: usize = 120;

/// Returns a note's description as one line.
pub(super) fn describe_note(note: &DlopenNote) -> String {
    let about = if note.description.is_empty() { &note.feature } else { &note.description };
    let start: String = about.chars().take(MAX_NOTE_TEXT).collect();
    let end = if start.len() < about.len() { "…" } else { "" };
    match escape_bytes(start.as_bytes()).as_str() {
        "" => "listed in its dlopen note".into(),
        about => format!("its dlopen note says: {about}{end}"),
    }
}
