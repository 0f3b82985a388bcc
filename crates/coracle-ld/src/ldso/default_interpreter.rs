//! Default loader paths, for shared libraries that are resolved as roots: they have no `PT_INTERP`.
//!
//! Source: `sysdeps/unix/sysv/linux/*/shlib-versions` of glibc, `configure` of musl.

use goblin::elf::header as h;

use crate::elf::{EM_LOONGARCH, ElfObject, Machine};
use coracle_core::path::RawPath;

/// Returns the default loader paths for `object`, the most likely first. Empty if its machine is
/// unknown.
pub fn default_interpreters(object: &ElfObject) -> Vec<RawPath> {
    let machine = object.header.machine;
    let is_musl = |name: &[u8]| name.starts_with(b"libc.musl-") || name == b"libc.so";
    let mut paths = vec![default_glibc_interpreter(machine), default_musl_interpreter(machine)];
    if object.dynamic.needed().any(is_musl) {
        paths.reverse();
    }
    paths.into_iter().flatten().collect()
}

/// Returns the default path of glibc's loader.
fn default_glibc_interpreter(machine: Machine) -> Option<RawPath> {
    let path = match (machine.e_machine, machine.is_64) {
        (h::EM_X86_64, true) => "/lib64/ld-linux-x86-64.so.2",
        (h::EM_X86_64, false) => "/libx32/ld-linux-x32.so.2",
        (h::EM_386, _) => "/lib/ld-linux.so.2",
        (h::EM_AARCH64, _) if machine.is_little_endian => "/lib/ld-linux-aarch64.so.1",
        (h::EM_ARM, _) if machine.has_hard_float() => "/lib/ld-linux-armhf.so.3",
        (h::EM_ARM, _) => "/lib/ld-linux.so.3",
        (h::EM_PPC64, _) if machine.is_little_endian => "/lib64/ld64.so.2",
        (h::EM_PPC64, _) => "/lib64/ld64.so.1",
        (h::EM_S390, true) => "/lib/ld64.so.1",
        (h::EM_RISCV, true) if machine.has_double_float() => "/lib/ld-linux-riscv64-lp64d.so.1",
        (h::EM_RISCV, true) => "/lib/ld-linux-riscv64-lp64.so.1",
        (h::EM_MIPS, true) => "/lib64/ld.so.1",
        (h::EM_MIPS, false) => "/lib/ld.so.1",
        (EM_LOONGARCH, true) => "/lib64/ld-linux-loongarch-lp64d.so.1",
        _ => return None,
    };
    Some(RawPath::new(path))
}

/// Returns the default path of musl's loader.
fn default_musl_interpreter(machine: Machine) -> Option<RawPath> {
    let name = match (machine.e_machine, machine.is_64, machine.is_little_endian) {
        (h::EM_X86_64, true, _) => "x86_64",
        (h::EM_386, ..) => "i386",
        (h::EM_AARCH64, _, true) => "aarch64",
        (h::EM_ARM, _, true) if machine.has_hard_float() => "armhf",
        (h::EM_ARM, _, true) => "arm",
        (h::EM_PPC64, _, true) => "powerpc64le",
        (h::EM_S390, true, _) => "s390x",
        (h::EM_RISCV, true, _) => "riscv64",
        (EM_LOONGARCH, true, _) => "loongarch64",
        _ => return None,
    };
    Some(RawPath::new(format!("/lib/ld-musl-{name}.so.1")))
}
