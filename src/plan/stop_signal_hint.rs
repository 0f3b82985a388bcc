//! A hint about servers that do not stop when they are asked to.
//!
//! The entrypoint is process 1 of its container. For that process the kernel ignores signals without a handler, so that
//! SIGTERM has no effect, and engines kill it after a while. Source: pid_namespaces(7).

use crate::recipe::Recipe;
use crate::rootfs::PlannedProgram;
use coracle_core::fs;
use coracle_core::note::Note;
use coracle_core::path::escape_bytes;
use coracle_ld::closure::{ElfProgram, ExecutedKind};

/// Functions that install a handler of a signal, or wait for one.
const SIGNAL_FUNCTIONS: [&[u8]; 13] = [
    b"bsd_signal",
    b"__sigaction",
    b"__sysv_signal",
    b"sigaction",
    b"signal",
    b"signalfd",
    b"sigset",
    b"sigtimedwait",
    b"sigvec",
    b"sigwait",
    b"sigwaitinfo",
    b"ssignal",
    b"syscall",
];
/// Functions that open other libraries, which may have handlers.
const DLOPEN_FUNCTIONS: [&[u8]; 2] = [b"dlopen", b"dlmopen"];
/// Libraries that use these functions for other purposes, by the start of their names.
const C_LIBRARIES: [&[u8]; 5] = [b"libc.", b"libpthread.", b"librt.", b"libgcc_s.", b"ld-"];
const SHELLS: [&[u8]; 5] = [b"ash", b"bash", b"busybox", b"dash", b"sh"];
/// The largest script that is searched, in bytes.
const MAX_SCRIPT_SIZE: usize = 1 << 16;

/// Returns a hint if the entrypoint is a server that certainly does not handle its stop signal.
///
/// # Errors
/// Fails if a program cannot be read.
pub(super) fn stop_signal_hint(recipe: &Recipe, programs: &[PlannedProgram]) -> fs::Result<Option<Note>> {
    let signal = recipe.image.stop_signal.as_ref().map_or_else(|| "SIGTERM".to_owned(), ToString::to_string);
    let Some(closure) = programs.first().map(|program| &program.closure) else { return Ok(None) };
    let (Some(first), Some(last)) = (closure.executed.first(), closure.executed.last()) else {
        return Ok(None);
    };
    if recipe.image.exposed_ports.is_empty() || signal == "SIGKILL" {
        return Ok(None);
    }
    let name = escape_bytes(first.raw_path.file_name());
    let (fault, advice) = match (&first.kind, &last.kind) {
        (ExecutedKind::Elf(elf), _) if !may_handle_signals(elf)? => {
            (format!("`{name}` has no handler of signals"), "handle the signal")
        }
        (ExecutedKind::Script, _) if SHELLS.contains(&last.raw_path.file_name()) => {
            let text = first.file.content.open()?.read_bytes_at(0, MAX_SCRIPT_SIZE)?;
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let mut words = text.split(|byte| !is_word(byte));
            if words.any(|word| [b"exec".as_slice(), b"trap"].contains(&word)) {
                return Ok(None);
            }
            (format!("`{name}` waits for its last command in a shell"), "start that command with `exec`")
        }
        _ => return Ok(None),
    };
    Ok(Some(Note::Hint(format!(
        "{fault}, so that {signal} has no effect on it as process 1, and engines kill it after ten seconds\n\
         {advice}, or run it with an init process: `docker run --init`"
    ))))
}

/// Returns whether the program or one of its own libraries can handle signals. True if that is unknown.
fn may_handle_signals(elf: &ElfProgram) -> fs::Result<bool> {
    let map = &elf.link_map;
    if map.loader.is_none() {
        return Ok(true);
    }
    let is_own = |index: &usize| {
        map.objects.get(*index).is_some_and(|object| {
            !C_LIBRARIES.iter().any(|library| object.raw_path.file_name().starts_with(library))
        })
    };
    let references = map.symbol_references()?;
    Ok(references.symbols.iter().filter(|wanted| wanted.used_by.iter().any(is_own)).any(|wanted| {
        let name = wanted.reference.name.as_slice();
        SIGNAL_FUNCTIONS.contains(&name) || DLOPEN_FUNCTIONS.contains(&name)
    }))
}
