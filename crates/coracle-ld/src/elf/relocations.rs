//! The symbols that an object's relocations refer to, and the kind of each reference.
//!
//! Source: `_dl_relocate_object`, `elf/dl-reloc.c`, and `elf_dynamic_do_Rel`, `elf/do-rel.h`.
//! `DT_RELR` refers to no symbols. On MIPS the global offset table is bound without relocations, so
//! its symbols are not reported.

use goblin::elf::header as h;

use super::elf_object::ElfObject;
use super::error::{Error, Result};
use super::machine::{EM_LOONGARCH, Machine};
use super::mapped_file::MappedFile;
use super::table_addresses::RelocationTable;

/// How a relocation uses its symbol (`elf_machine_type_class`, `sysdeps/*/dl-machine.h`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RelocationClass {
    /// Call through the procedure linkage table, which can be bound lazily.
    Plt,
    /// Use of its address.
    Data,
    /// Copy of its data into the program. The program's own definition is skipped.
    Copy,
}

/// Maximum size of a table in bytes. The largest browsers have about 50 MiB.
const MAX_TABLE: u64 = 1 << 29;
/// Maximum number of distinct symbol references of one object.
const MAX_SYMBOLS: usize = 1 << 22;
/// Number of entries to read at once.
const BATCH: u64 = 4096;

/// Returns the indices of the symbols that the relocations of `object` refer to, sorted and without
/// duplicates per class.
pub(super) fn referenced_symbols(
    memory: &MappedFile<'_>,
    object: &ElfObject,
) -> Result<Vec<(u32, RelocationClass)>> {
    let (tables, machine) = (&object.dynamic.tables, object.header.machine);
    let mut collector = SymbolCollector { machine, symbols: Vec::new(), sorted_len: 0 };
    if machine.e_machine == h::EM_MIPS {
        return Ok(collector.symbols);
    }
    collector.read_table(memory, exclude_plt(tables.rela, tables.plt), true, RelocationClass::Data)?;
    collector.read_table(memory, exclude_plt(tables.rel, tables.plt), false, RelocationClass::Data)?;
    collector.read_table(memory, tables.plt, tables.plt_has_addends, RelocationClass::Plt)?;
    collector.deduplicate()?;
    Ok(collector.symbols)
}

/// Removes the PLT relocations from the end of `all`, where some linkers count them too
/// (`_ELF_DYNAMIC_DO_RELOC`, `elf/dynamic-link.h`).
fn exclude_plt(all: RelocationTable, plt: RelocationTable) -> RelocationTable {
    let same_end = all.address.checked_add(all.size) == plt.address.checked_add(plt.size);
    let size = if same_end { all.size.saturating_sub(plt.size) } else { all.size };
    RelocationTable { size, ..all }
}

/// Collects the symbols of relocation tables.
struct SymbolCollector {
    machine: Machine,
    symbols: Vec<(u32, RelocationClass)>,
    /// Number of leading elements that are sorted and distinct.
    sorted_len: usize,
}

impl SymbolCollector {
    /// Records the symbols in one table.
    fn read_table(
        &mut self,
        memory: &MappedFile<'_>,
        table: RelocationTable,
        addends: bool,
        class: RelocationClass,
    ) -> Result<()> {
        let word: u64 = if self.machine.is_64 { 8 } else { 4 };
        let entry = word * if addends { 3 } else { 2 };
        if table.size > MAX_TABLE {
            return Err(Error::Damaged("it has too many relocations"));
        }
        let end = table.size / entry;
        let mut at = table.relative_count.min(end);
        while at < end {
            let count = BATCH.min(end - at);
            let address = table.address.checked_add(at * entry);
            let address = address.ok_or(Error::Damaged("its relocations are outside the loaded segments"))?;
            let bytes = memory.read_table(address, count * entry, MAX_TABLE)?;
            for relocation in bytes.chunks_exact(usize::try_from(entry).unwrap_or(usize::MAX)) {
                self.add_relocation(relocation, class);
            }
            if self.symbols.len() > 2 * self.sorted_len.max(1 << 16) {
                self.deduplicate()?;
            }
            at += count;
        }
        Ok(())
    }

    /// Records one relocation: `r_offset`, then `r_info` with symbol and type.
    fn add_relocation(&mut self, relocation: &[u8], class: RelocationClass) {
        let (symbol, kind) = if self.machine.is_64 {
            let info = relocation.get(8..16).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
            let info = if self.machine.is_little_endian {
                u64::from_le_bytes(info)
            } else {
                u64::from_be_bytes(info)
            };
            (u32::try_from(info >> 32).unwrap_or_default(), info & 0xffff_ffff)
        } else {
            let info = relocation.get(4..8).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
            let info = if self.machine.is_little_endian {
                u32::from_le_bytes(info)
            } else {
                u32::from_be_bytes(info)
            };
            (info >> 8, u64::from(info & 0xff))
        };
        let class = if Some(kind) == copy_type(self.machine) { RelocationClass::Copy } else { class };
        if symbol != 0 && self.symbols.last() != Some(&(symbol, class)) {
            self.symbols.push((symbol, class));
        }
    }

    /// Sorts the symbols and removes duplicates.
    fn deduplicate(&mut self) -> Result<()> {
        self.symbols.sort_unstable();
        self.symbols.dedup();
        self.sorted_len = self.symbols.len();
        if self.sorted_len > MAX_SYMBOLS {
            return Err(Error::Damaged("its relocations refer to too many symbols"));
        }
        Ok(())
    }
}

/// `R_*_COPY`.
fn copy_type(machine: Machine) -> Option<u64> {
    Some(match machine.e_machine {
        h::EM_X86_64 | h::EM_386 => 5,
        h::EM_AARCH64 => 1024,
        h::EM_ARM => 20,
        h::EM_PPC | h::EM_PPC64 | h::EM_SPARC | h::EM_SPARCV9 | h::EM_68K => 19,
        h::EM_S390 => 9,
        h::EM_RISCV | EM_LOONGARCH => 4,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collects_each_symbol_once() {
        let machine = Machine { is_64: true, is_little_endian: true, e_machine: h::EM_X86_64, e_flags: 0 };
        let mut collector = SymbolCollector { machine, symbols: Vec::new(), sorted_len: 0 };
        for (symbol, kind) in [(7_u64, 6_u64), (0, 8), (3, 5), (7, 6), (3, 6)] {
            let words = [0, symbol << 32 | kind, 0];
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            collector.add_relocation(&bytes, RelocationClass::Data);
        }
        collector.deduplicate().unwrap();
        assert_eq!(
            collector.symbols,
            [(3, RelocationClass::Data), (3, RelocationClass::Copy), (7, RelocationClass::Data)]
        );
    }
}
