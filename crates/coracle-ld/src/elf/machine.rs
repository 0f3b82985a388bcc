//! Machine architectures and ABIs of ELF files, and their names in images and messages.

use std::fmt;

use goblin::elf::header as h;

use coracle_core::platform::Platform;

/// Class, byte order, `e_machine` and `e_flags` of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Machine {
    /// `ELFCLASS64` rather than `ELFCLASS32`.
    pub is_64: bool,
    /// `ELFDATA2LSB` rather than `ELFDATA2MSB`.
    pub is_little_endian: bool,
    /// `e_machine`.
    pub e_machine: u16,
    /// `e_flags`, which distinguish the float ABIs of ARM, RISC-V and LoongArch.
    pub e_flags: u32,
}

/// `EF_ARM_ABI_FLOAT_HARD`.
const ARM_HARD_FLOAT: u32 = 0x400;
/// `EF_ARM_ABI_FLOAT_HARD` and `EF_ARM_ABI_FLOAT_SOFT`.
const ARM_FLOAT: u32 = 0x600;
/// `EF_RISCV_FLOAT_ABI`.
const RISCV_FLOAT_ABI: u32 = 6;
/// `EF_RISCV_FLOAT_ABI_DOUBLE`.
const RISCV_DOUBLE_FLOAT: u32 = 4;
/// `EF_PPC64_ABI`.
const PPC64_ABI: u32 = 3;
/// `EM_LOONGARCH`.
pub(crate) const EM_LOONGARCH: u16 = 258;

impl Machine {
    /// Returns whether class, byte order and `e_machine` are equal. Loaders ignore other files without
    /// further checks.
    pub fn has_same_architecture(self, other: Self) -> bool {
        (self.is_64, self.is_little_endian, self.e_machine)
            == (other.is_64, other.is_little_endian, other.e_machine)
    }

    /// Returns whether a loader for this machine accepts a file for `other`: the same architecture, and the
    /// same float ABI if the flags define one. Source: `elf_machine_matches_host`,
    /// `sysdeps/*/dl-machine.h`.
    pub fn accepts(self, other: Self) -> bool {
        let differ = |mask: u32| self.e_flags & mask != other.e_flags & mask;
        let has_other_abi = match self.e_machine {
            h::EM_ARM => {
                self.e_flags & other.e_flags & ARM_FLOAT == 0
                    && differ(ARM_FLOAT)
                    && other.e_flags & ARM_FLOAT != 0
            }
            h::EM_RISCV => differ(RISCV_FLOAT_ABI),
            h::EM_PPC64 => other.e_flags & PPC64_ABI != 0 && differ(PPC64_ABI),
            _ => false,
        };
        self.has_same_architecture(other) && !has_other_abi
    }

    /// `EF_ARM_ABI_FLOAT_HARD`: floating-point arguments are passed in FP registers.
    pub fn has_hard_float(self) -> bool {
        self.e_machine == h::EM_ARM && self.e_flags & ARM_HARD_FLOAT != 0
    }

    /// `EF_RISCV_FLOAT_ABI_DOUBLE`.
    pub fn has_double_float(self) -> bool {
        self.e_machine == h::EM_RISCV && self.e_flags & RISCV_FLOAT_ABI == RISCV_DOUBLE_FLOAT
    }

    /// The OCI platform of this machine; `None` if the image specification does not define one.
    pub fn platform(self) -> Option<Platform> {
        let (architecture, variant) = match (self.e_machine, self.is_64, self.is_little_endian) {
            (h::EM_X86_64, true, true) => ("amd64", None),
            (h::EM_386, false, true) => ("386", None),
            (h::EM_AARCH64, true, true) => ("arm64", None),
            (h::EM_ARM, false, true) => ("arm", Some(if self.has_hard_float() { "v7" } else { "v5" })),
            (h::EM_PPC64, true, true) => ("ppc64le", None),
            (h::EM_PPC64, true, false) => ("ppc64", None),
            (h::EM_S390, true, false) => ("s390x", None),
            (h::EM_RISCV, true, true) => ("riscv64", None),
            (EM_LOONGARCH, true, true) => ("loong64", None),
            (h::EM_MIPS, true, true) => ("mips64le", None),
            (h::EM_MIPS, true, false) => ("mips64", None),
            (h::EM_MIPS, false, true) => ("mipsle", None),
            (h::EM_MIPS, false, false) => ("mips", None),
            _ => return None,
        };
        Some(Platform::linux(architecture, variant))
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.e_machine, self.is_64) {
            (h::EM_X86_64, true) => f.write_str("x86-64"),
            (h::EM_X86_64, false) => f.write_str("x32"),
            (h::EM_386, _) => f.write_str("i386"),
            (h::EM_AARCH64, _) => f.write_str("aarch64"),
            (h::EM_ARM, _) => f.write_str("arm"),
            _ => match self.platform() {
                Some(platform) => f.write_str(&platform.architecture),
                None => {
                    let bits = if self.is_64 { 64 } else { 32 };
                    let order = if self.is_little_endian { "little" } else { "big" };
                    write!(f, "machine {} ({bits} bits, {order}-endian)", self.e_machine)
                }
            },
        }
    }
}
