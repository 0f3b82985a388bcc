//! Parser for single ELF files: headers, dynamic section, symbols, versions, notes, and stripping.
//!
//! Like a loader, it follows program headers and addresses. Section headers are used only for
//! stripping, notes and advice. Every offset, count and string length is bounded. Source: the gABI,
//! and `elf.h` of glibc.

mod build_id;
mod data_search;
mod dlopen_notes;
mod dynamic;
mod elf_object;
mod embedded_strings;
mod error;
mod exported_symbols;
mod file_reader;
mod header;
mod isa_level;
mod machine;
mod mapped_file;
mod notes;
mod relocations;
mod sections;
mod strip;
mod symbol_hash_table;
mod symbol_matching;
mod symbol_versions;
mod symbols;
#[cfg(test)]
mod tests;
mod toolchain;

pub use build_id::build_id;
pub use data_search::{
    DataMatches, DataQuery, PathLiteralForm, WordFilter, absolute_paths_in_text, search_data,
};
pub use dlopen_notes::{DlopenNote, DlopenPriority, dlopen_notes};
pub use dynamic::{DynamicDependency, DynamicSection};
pub use elf_object::ElfObject;
pub use embedded_strings::{data_strings_containing, printable_data_strings_containing, strings_containing};
pub use error::{Error, Result};
pub use exported_symbols::ExportedSymbols;
pub use header::{ElfType, Header};
pub use isa_level::{IsaLevel, required_isa_level};
pub(crate) use machine::EM_LOONGARCH;
pub use machine::Machine;
pub use notes::{ElfNote, read_notes};
pub use relocations::RelocationClass;
pub use sections::{SectionRange, list_sections};
pub use strip::{StripResult, strip};
pub use symbol_matching::{LookupResult, LookupRules};
pub use symbol_versions::{DefinedVersion, NeededVersion, SymbolVersion, SymbolVersions};
pub use symbols::{SymbolReference, gnu_hash, symbol_references};
pub use toolchain::{RustTargets, Toolchain, detect_toolchain, has_section, read_section, rust_targets};
