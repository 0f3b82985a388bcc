//! CPU levels that glibc up to 2.36 distinguishes, with the platform and the features of each.
//!
//! Source: `HWCAP_IMPORTANT`, `_DL_FIRST_PLATFORM` and the tables of names in
//! `sysdeps/*/dl-procinfo.[ch]` of 2.36, and the kernel's values of `AT_PLATFORM`. A level has the
//! features that all of its CPUs have; on x86-64, all of Intel's.

use goblin::elf::header as h;

use crate::elf::Machine;

/// The name of a directory, and its bit in masks of cache entries (zero if it has none).
pub(super) type Feature = (&'static str, u64);

/// One CPU level.
#[derive(Debug)]
pub(super) struct Level {
    /// The name for `--hwcaps`; empty for the baseline.
    pub(super) name: &'static str,
    /// `AT_PLATFORM`, if all CPUs of this level have the same.
    pub(super) platform: Option<Feature>,
    /// The features beyond the oldest machine, highest bit first.
    pub(super) features: &'static [Feature],
}

const fn level(name: &'static str, platform: Option<Feature>, features: &'static [Feature]) -> Level {
    Level { name, platform, features }
}

const HASWELL: Option<Feature> = Some(("haswell", 1 << 50));
const AVX512_1: Feature = ("avx512_1", 1 << 2);
const X86_64: Feature = ("x86_64", 1 << 1);
/// As a platform it has no bit, and its directory precedes that of the feature of the same name.
const PLAIN_X86_64: Option<Feature> = Some(("x86_64", 0));

const LEVELS_X86_64: &[Level] = &[
    level("x86-64-v4", HASWELL, &[AVX512_1, X86_64]),
    level("x86-64-v3", HASWELL, &[X86_64]),
    level("x86-64-v2", PLAIN_X86_64, &[X86_64]),
    level("", PLAIN_X86_64, &[X86_64]),
];

const I686: Option<Feature> = Some(("i686", 1 << 49));

const LEVELS_I386: &[Level] = &[level("sse2", I686, &[("sse2", 1)]), level("", I686, &[])];

const AARCH64: Option<Feature> = Some(("aarch64", 0));

const LEVELS_AARCH64: &[Level] =
    &[level("atomics", AARCH64, &[("atomics", 1 << 8)]), level("", AARCH64, &[])];

const NEON: Feature = ("neon", 1 << 12);
const VFP: Feature = ("vfp", 1 << 6);

/// The platform is `v7l`, or `v8l` with a 64-bit kernel.
const LEVELS_ARMHF: &[Level] = &[level("neon", None, &[NEON, VFP]), level("", None, &[VFP])];
const LEVELS_ARMEL: &[Level] =
    &[level("neon", None, &[NEON, VFP]), level("vfp", None, &[VFP]), level("", None, &[])];

const POWER: &[Feature] = &[("altivec", 1 << 28), ("dfp", 1 << 10)];

const LEVELS_PPC64LE: &[Level] = &[
    level("power10", Some(("power10", 1 << 47)), POWER),
    level("power9", Some(("power9", 1 << 46)), POWER),
    level("", Some(("power8", 1 << 45)), POWER),
];

const VXE2: Feature = ("vxe2", 1 << 15);
const VXE: Feature = ("vxe", 1 << 13);
const VX: Feature = ("vx", 1 << 11);
const DFP: Feature = ("dfp", 1 << 6);
const EIMM: Feature = ("eimm", 1 << 5);
const LDISP: Feature = ("ldisp", 1 << 4);
const ZARCH: Feature = ("zarch", 1 << 1);

/// Below z13 the platform is `z196` or `zEC12`.
const LEVELS_S390X: &[Level] = &[
    level("z16", Some(("z16", 1 << 42)), &[VXE2, VXE, VX, DFP, EIMM, LDISP, ZARCH]),
    level("z15", Some(("z15", 1 << 41)), &[VXE2, VXE, VX, DFP, EIMM, LDISP, ZARCH]),
    level("z14", Some(("z14", 1 << 40)), &[VXE, VX, DFP, EIMM, LDISP, ZARCH]),
    level("z13", Some(("z13", 1 << 39)), &[VX, DFP, EIMM, LDISP, ZARCH]),
    level("", None, &[DFP, EIMM, LDISP, ZARCH]),
];

const ONE_LEVEL: &[Level] = &[level("", None, &[])];

/// Returns the levels of `machine`, best first, the baseline last.
pub(super) fn levels(machine: Machine) -> &'static [Level] {
    match (machine.number, machine.is_64, machine.is_little_endian) {
        (h::EM_X86_64, true, true) => LEVELS_X86_64,
        (h::EM_386, ..) => LEVELS_I386,
        (h::EM_AARCH64, true, true) => LEVELS_AARCH64,
        (h::EM_ARM, _, true) if machine.has_hard_float() => LEVELS_ARMHF,
        (h::EM_ARM, _, true) => LEVELS_ARMEL,
        (h::EM_PPC64, true, true) => LEVELS_PPC64LE,
        (h::EM_S390, true, _) => LEVELS_S390X,
        _ => ONE_LEVEL,
    }
}
