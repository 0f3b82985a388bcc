//! Warns about search paths whose meaning depends on the environment: on the working directory
//! (relative and empty elements) or on the CPU (`$PLATFORM`). The builder of an image controls
//! neither.
//!
//! Source: `fillin_rpath` and `_dl_dst_substitute`, `elf/dl-load.c`. On x86-64, glibc sets
//! `AT_PLATFORM` to `haswell` or `xeon_phi` on some CPUs (`sysdeps/x86/cpu-features.c`).

use goblin::elf::header::EM_X86_64;

use crate::closure::link_map::{LinkMap, MappedObject};
use crate::closure::problem::{Problem, ProblemKind, Severity};
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
