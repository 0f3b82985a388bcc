//! Warns about programs that depend on where they run: search paths that depend on the working
//! directory (relative and empty elements) or on the CPU (`$PLATFORM`), and objects that need a newer
//! CPU than the baseline. The builder of an image controls neither.
//!
//! On a CPU that is too old glibc refuses to start the program; musl starts it, and it may crash.
//!
//! Source: `dl_isa_level_check`, `sysdeps/x86/dl-prop.h`; `fillin_rpath` and `_dl_dst_substitute`,
//! `elf/dl-load.c`. On x86-64, glibc sets
//! `AT_PLATFORM` to `haswell` or `xeon_phi` on some CPUs (`sysdeps/x86/cpu-features.c`).

use goblin::elf::header::EM_X86_64;

use crate::closure::link_map::{LinkMap, MappedObject};
use crate::closure::problem::{Problem, ProblemKind, Severity};
use crate::elf::{self, IsaLevel, required_isa_level};
use coracle_core::fs;
use coracle_core::path::escape_bytes;

/// Returns a problem for each `DT_RPATH` or `DT_RUNPATH` in `map` that depends on the environment.
pub fn check_environment_dependence(map: &LinkMap) -> Vec<Problem> {
    let Some(loader) = &map.loader else { return Vec::new() };
    let is_glibc = loader.is_glibc();
    let mut problems = Vec::new();
    for (_, mapped) in map.new_objects() {
        for (tag, list) in search_paths(mapped) {
            let mut elements = list.split(|&byte| byte == b':');
            if is_glibc
                && mapped.object.header.machine.e_machine == EM_X86_64
                && contains_platform_token(list)
            {
                problems.push(environment_problem(
                    mapped,
                    list,
                    format!(
                        "{tag} of `{}` contains `$PLATFORM`, which depends on the CPU: `{}`",
                        mapped.raw_path,
                        escape_bytes(list)
                    ),
                ));
            }
            // musl skips empty elements.
            if elements.any(|element| is_relative(element) && (is_glibc || !element.is_empty())) {
                problems.push(environment_problem(
                    mapped,
                    list,
                    format!(
                        "{tag} of `{}` has a relative element, which depends on the working directory: `{}`",
                        mapped.raw_path,
                        escape_bytes(list)
                    ),
                ));
            }
        }
    }
    problems
}

/// Returns the search paths of an object that are not empty, with their names.
fn search_paths(mapped: &MappedObject) -> impl Iterator<Item = (&'static str, &[u8])> {
    let dynamic = &mapped.object.dynamic;
    let both = [("RPATH", dynamic.rpath.as_deref()), ("RUNPATH", dynamic.runpath.as_deref())];
    both.into_iter().filter_map(|(tag, list)| Some((tag, list.filter(|list| !list.is_empty())?)))
}

/// Returns whether a path element depends on the working directory.
fn is_relative(element: &[u8]) -> bool {
    let starts = [&b"/"[..], b"$ORIGIN", b"${ORIGIN}"];
    !starts.iter().any(|start| element.starts_with(start))
}

fn contains_platform_token(list: &[u8]) -> bool {
    [&b"$PLATFORM"[..], b"${PLATFORM}"]
        .iter()
        .any(|token| list.windows(token.len()).any(|part| part == *token))
}

fn environment_problem(mapped: &MappedObject, list: &[u8], message: String) -> Problem {
    Problem {
        kind: ProblemKind::EnvironmentDependence,
        severity: Severity::Warning,
        object: mapped.raw_path.clone(),
        needed_name: escape_bytes(list),
        message,
    }
}

/// Returns one warning with the highest ISA level that an object of `map` needs. Objects below
/// `glibc-hwcaps` are ignored: older CPUs do not load them.
///
/// # Errors
/// Fails if a file can't be read.
pub fn check_isa_level(map: &LinkMap) -> fs::Result<Vec<Problem>> {
    let mut highest: Option<(IsaLevel, &MappedObject)> = None;
    let mut count = 0;
    for mapped in map.objects.iter().filter(|mapped| !mapped.is_below_glibc_hwcaps()) {
        let level = match required_isa_level(&mapped.file.content.open()?, &mapped.object) {
            Ok(level) => level,
            Err(elf::Error::Io(error)) => return Err(error),
            // Truncated properties are ignored.
            Err(_) => None,
        };
        let Some(level) = level else { continue };
        match highest {
            Some((other, _)) if other > level => {}
            Some((other, _)) if other == level => count += 1,
            _ => (highest, count) = (Some((level, mapped)), 0),
        }
    }
    Ok(highest.map(|(level, mapped)| isa_problem(level, mapped, count)).into_iter().collect())
}

fn isa_problem(level: IsaLevel, mapped: &MappedObject, more: usize) -> Problem {
    let (object, level) = (&mapped.raw_path, level.name());
    let more = match more {
        0 => String::new(),
        1 => ", and so does one more object".into(),
        more => format!(", and so do {more} more objects"),
    };
    Problem {
        kind: ProblemKind::CpuLevel,
        severity: Severity::Warning,
        object: object.clone(),
        needed_name: level.into(),
        message: format!("`{object}` needs a CPU of {level}{more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_relative_elements_and_platform() {
        for element in ["", "lib", ".", "$LIB/x"] {
            assert!(is_relative(element.as_bytes()), "{element:?}");
        }
        for element in ["/lib", "$ORIGIN", "${ORIGIN}/../lib"] {
            assert!(!is_relative(element.as_bytes()), "{element:?}");
        }
        assert!(contains_platform_token(b"/a:/b/${PLATFORM}") && !contains_platform_token(b"$PLAT"));
    }
}
