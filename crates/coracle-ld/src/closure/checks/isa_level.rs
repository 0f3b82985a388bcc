//! Warns about objects that need a newer CPU than the baseline. On older CPUs glibc refuses to
//! start the program; musl starts it, and it may crash.
//!
//! Source: `dl_isa_level_check`, `sysdeps/x86/dl-prop.h`.

use crate::closure::link_map::{LinkMap, MappedObject};
use crate::closure::problem::{Problem, ProblemKind, Severity};
use crate::elf::{self, IsaLevel, required_isa_level};
use coracle_core::fs;

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
