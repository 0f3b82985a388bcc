//! Addresses of the symbol, version and relocation tables from the dynamic section.
//!
//! If a tag occurs twice, the last entry is used, as in `elf_get_dynamic_info`,
//! `elf/get-dynamic-info.h`.

use goblin::elf::dynamic as d;
use goblin::elf::dynamic::Dyn;

/// Addresses of tables; `None` if absent.
#[derive(Clone, Default, Debug)]
pub(super) struct TableAddresses {
    /// `DT_STRTAB`.
    pub(super) strings: Option<u64>,
    /// `DT_SYMTAB`.
    pub(super) symbols: Option<u64>,
    /// `DT_VERSYM`.
    pub(super) symbol_versions: Option<u64>,
    /// `DT_VERNEED`.
    pub(super) versions_needed: Option<u64>,
    /// `DT_VERDEF`.
    pub(super) versions_defined: Option<u64>,
    /// `DT_GNU_HASH`.
    pub(super) gnu_hash: Option<u64>,
    /// `DT_HASH`.
    pub(super) hash: Option<u64>,
    /// `DT_RELA`, with `DT_RELACOUNT`.
    pub(super) rela: RelocationTable,
    /// `DT_REL`, with `DT_RELCOUNT`.
    pub(super) rel: RelocationTable,
    /// `DT_JMPREL`, which can be bound lazily.
    pub(super) plt: RelocationTable,
    /// Whether `DT_PLTREL` is `DT_RELA`: entries of `DT_JMPREL` have addends.
    pub(super) plt_has_addends: bool,
    /// `DT_RELR`.
    pub(super) has_relr: bool,
    /// `DT_BIND_NOW`.
    pub(super) bind_now: bool,
}

/// A relocation table.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct RelocationTable {
    pub(super) address: u64,
    pub(super) size: u64,
    /// Number of leading entries that refer to no symbol.
    pub(super) relative_count: u64,
}

const DT_RELR: u64 = 36;

impl TableAddresses {
    /// Collects the addresses from the entries of the dynamic section.
    pub(super) fn from_entries(entries: &[Dyn]) -> Self {
        let mut tables = Self::default();
        for Dyn { d_tag, d_val } in entries.iter().cloned() {
            match d_tag {
                d::DT_STRTAB => tables.strings = Some(d_val),
                d::DT_SYMTAB => tables.symbols = Some(d_val),
                d::DT_VERSYM => tables.symbol_versions = Some(d_val),
                d::DT_VERNEED => tables.versions_needed = Some(d_val),
                d::DT_VERDEF => tables.versions_defined = Some(d_val),
                d::DT_GNU_HASH => tables.gnu_hash = Some(d_val),
                d::DT_HASH => tables.hash = Some(d_val),
                d::DT_RELA => tables.rela.address = d_val,
                d::DT_RELASZ => tables.rela.size = d_val,
                d::DT_RELACOUNT => tables.rela.relative_count = d_val,
                d::DT_REL => tables.rel.address = d_val,
                d::DT_RELSZ => tables.rel.size = d_val,
                d::DT_RELCOUNT => tables.rel.relative_count = d_val,
                d::DT_JMPREL => tables.plt.address = d_val,
                d::DT_PLTRELSZ => tables.plt.size = d_val,
                d::DT_PLTREL => tables.plt_has_addends = d_val == d::DT_RELA,
                DT_RELR => tables.has_relr = true,
                d::DT_BIND_NOW => tables.bind_now = true,
                _ => {}
            }
        }
        tables
    }
}
