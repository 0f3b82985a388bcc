//! CPU levels that glibc up to 2.36 distinguishes, with the platform and the features of each.
//!
//! Source: `HWCAP_IMPORTANT`, `_DL_FIRST_PLATFORM` and the tables of names in
//! `sysdeps/*/dl-procinfo.[ch]` of 2.36, and the kernel's values of `AT_PLATFORM`. A level has the
//! features that all of its CPUs have; on x86-64, all of Intel's.

use goblin::elf::header as h;

use crate::elf::Machine;

/// The name of a directory, and its bit in masks of cache entries (zero if it has none).
pub(super) type CpuFeature = (&'static str, u64);

/// One CPU level.
#[derive(Debug)]
pub(super) struct CpuLevel {
    /// The name for `--hwcaps`; empty for the baseline.
    pub(super) name: &'static str,
    /// `AT_PLATFORM`, if all CPUs of this level have the same.
    pub(super) platform: Option<CpuFeature>,
    /// The features beyond the oldest machine, highest bit first.
    pub(super) features: &'static [CpuFeature],
}

const fn cpu_level(
    name: &'static str,
    platform: Option<CpuFeature>,
    features: &'static [CpuFeature],
) -> CpuLevel {
    CpuLevel { name, platform, features }
}

const HASWELL: Option<CpuFeature> = Some(("haswell", 1 << 50));
const AVX512_1: CpuFeature = ("avx512_1", 1 << 2);
const X86_64: CpuFeature = ("x86_64", 1 << 1);
/// The platform `x86_64`. It has no bit, and its directory precedes the directory of the feature of
/// the same name.
const PLAIN_X86_64: Option<CpuFeature> = Some(("x86_64", 0));

const LEVELS_X86_64: &[CpuLevel] = &[
    cpu_level("x86-64-v4", HASWELL, &[AVX512_1, X86_64]),
    cpu_level("x86-64-v3", HASWELL, &[X86_64]),
    cpu_level("x86-64-v2", PLAIN_X86_64, &[X86_64]),
    cpu_level("", PLAIN_X86_64, &[X86_64]),
];

const I686: Option<CpuFeature> = Some(("i686", 1 << 49));

const LEVELS_I386: &[CpuLevel] = &[cpu_level("sse2", I686, &[("sse2", 1)]), cpu_level("", I686, &[])];

const AARCH64: Option<CpuFeature> = Some(("aarch64", 0));

const LEVELS_AARCH64: &[CpuLevel] =
    &[cpu_level("atomics", AARCH64, &[("atomics", 1 << 8)]), cpu_level("", AARCH64, &[])];

const NEON: CpuFeature = ("neon", 1 << 12);
const VFP: CpuFeature = ("vfp", 1 << 6);

/// The platform is `v7l`, or `v8l` with a 64-bit kernel.
const LEVELS_ARMHF: &[CpuLevel] = &[cpu_level("neon", None, &[NEON, VFP]), cpu_level("", None, &[VFP])];
const LEVELS_ARMEL: &[CpuLevel] =
    &[cpu_level("neon", None, &[NEON, VFP]), cpu_level("vfp", None, &[VFP]), cpu_level("", None, &[])];

const POWER: &[CpuFeature] = &[("altivec", 1 << 28), ("dfp", 1 << 10)];

const LEVELS_PPC64LE: &[CpuLevel] = &[
    cpu_level("power10", Some(("power10", 1 << 47)), POWER),
    cpu_level("power9", Some(("power9", 1 << 46)), POWER),
    cpu_level("", Some(("power8", 1 << 45)), POWER),
];

const VXE2: CpuFeature = ("vxe2", 1 << 15);
const VXE: CpuFeature = ("vxe", 1 << 13);
const VX: CpuFeature = ("vx", 1 << 11);
const DFP: CpuFeature = ("dfp", 1 << 6);
const EIMM: CpuFeature = ("eimm", 1 << 5);
const LDISP: CpuFeature = ("ldisp", 1 << 4);
const ZARCH: CpuFeature = ("zarch", 1 << 1);

/// Below z13 the platform is `z196` or `zEC12`.
const LEVELS_S390X: &[CpuLevel] = &[
    cpu_level("z16", Some(("z16", 1 << 42)), &[VXE2, VXE, VX, DFP, EIMM, LDISP, ZARCH]),
    cpu_level("z15", Some(("z15", 1 << 41)), &[VXE2, VXE, VX, DFP, EIMM, LDISP, ZARCH]),
    cpu_level("z14", Some(("z14", 1 << 40)), &[VXE, VX, DFP, EIMM, LDISP, ZARCH]),
    cpu_level("z13", Some(("z13", 1 << 39)), &[VX, DFP, EIMM, LDISP, ZARCH]),
    cpu_level("", None, &[DFP, EIMM, LDISP, ZARCH]),
];

const BASELINE_ONLY: &[CpuLevel] = &[cpu_level("", None, &[])];

/// Returns the levels of `machine`, best first, the baseline last.
pub(super) fn cpu_levels(machine: Machine) -> &'static [CpuLevel] {
    match (machine.e_machine, machine.is_64, machine.is_little_endian) {
        (h::EM_X86_64, true, true) => LEVELS_X86_64,
        (h::EM_386, ..) => LEVELS_I386,
        (h::EM_AARCH64, true, true) => LEVELS_AARCH64,
        (h::EM_ARM, _, true) if machine.has_hard_float() => LEVELS_ARMHF,
        (h::EM_ARM, _, true) => LEVELS_ARMEL,
        (h::EM_PPC64, true, true) => LEVELS_PPC64LE,
        (h::EM_S390, true, _) => LEVELS_S390X,
        _ => BASELINE_ONLY,
    }
}
