//! The modules that compilers record in ELF files: crates of Rust programs, modules of Go programs.

mod cargo_auditable;
mod go_build_info;

use coracle_core::content::Content;
use coracle_core::escape::escape_bytes;
use coracle_core::fs;
use coracle_ld::elf::{self, Header, Toolchain};
use std::fmt;

use crate::checksum::Checksum;

/// The maximum number of modules that are read of one program.
const MAX_MODULES: usize = 20_000;

/// What a program says about the modules that it was built from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProgramModules {
    /// The program has a list of its modules.
    Listed(ModuleList),
    /// The program is of this toolchain, which can record modules, but has no list.
    Missing(Toolchain),
    /// The file is no ELF file, or of another toolchain.
    Unknown,
}

/// The modules of one program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModuleList {
    /// The toolchain.
    pub toolchain: Toolchain,
    /// The version of the compiler, if it is recorded.
    pub compiler: Option<String>,
    /// The modules; sorted as the compiler has them.
    pub modules: Vec<Module>,
}

/// A crate, or a Go module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Module {
    /// The name of the crate, or the path of the module.
    pub name: String,
    /// The version. Empty if it is not recorded, as for a local Go module.
    pub version: String,
    /// The checksum of Go's module.
    pub checksum: Option<Checksum>,
    /// `true` if it comes from the public registry of its language.
    pub is_from_registry: bool,
    /// `true` if it is the module of the program itself.
    pub is_main: bool,
    /// The indices of the modules that it needs. Go does not record them.
    pub dependencies: Vec<usize>,
}

impl ProgramModules {
    /// Reads the modules of a file. A list that is damaged counts as missing.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn read(content: &Content) -> fs::Result<Self> {
        let file = content.open()?;
        let header = match Header::read(&file) {
            Ok(header) => header,
            Err(elf::Error::Io(error)) => return Err(error),
            Err(_) => return Ok(Self::Unknown),
        };
        if let Some(section) = elf::read_section(&file, &header, b".dep-v0", MAX_SECTION_SIZE)? {
            let modules = cargo_auditable::parse(&section);
            let list = |modules| ModuleList { toolchain: Toolchain::Rust, compiler: None, modules };
            return Ok(modules.map_or(Self::Missing(Toolchain::Rust), |modules| Self::Listed(list(modules))));
        }
        Ok(match elf::detect_toolchain(&file, &header)? {
            None => Self::Unknown,
            Some(Toolchain::Rust) => Self::Missing(Toolchain::Rust),
            Some(Toolchain::Go) => {
                let section = elf::read_section(&file, &header, b".go.buildinfo", MAX_SECTION_SIZE)?;
                let list = section.and_then(|section| go_build_info::parse(&section));
                list.map_or(Self::Missing(Toolchain::Go), Self::Listed)
            }
        })
    }
}

/// The maximum size of a section with modules, in bytes.
const MAX_SECTION_SIZE: u64 = 8 << 20;

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", escape_bytes(self.name.as_bytes()), escape_bytes(self.version.as_bytes()))
    }
}
