//! The symbols that an object's relocations refer to, and the kind of each reference.
//!
//! Source: `_dl_relocate_object`, `elf/dl-reloc.c`, and `elf_dynamic_do_Rel`, `elf/do-rel.h`.
//! `DT_RELR` refers to no symbols. On MIPS the global offset table is bound without relocations, so
//! its symbols are not reported.

use goblin::elf::header as h;

use super::dynamic::RelocationTable;
use super::elf_object::ElfObject;
use super::error::{Error, Result};
use super::machine::{EM_LOONGARCH, Machine};
use super::mapped_file::MappedFile;

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
    collector.read_table(
        memory,
        exclude_plt_relocations(tables.rela, tables.plt),
        true,
        RelocationClass::Data,
    )?;
    collector.read_table(
        memory,
        exclude_plt_relocations(tables.rel, tables.plt),
        false,
        RelocationClass::Data,
    )?;
    collector.read_table(memory, tables.plt, tables.plt_has_addends, RelocationClass::Plt)?;
    collector.deduplicate()?;
    Ok(collector.symbols)
}

/// Removes the PLT relocations from the end of `all`, where some linkers count them too
/// (`_ELF_DYNAMIC_DO_RELOC`, `elf/dynamic-link.h`).
fn exclude_plt_relocations(all: RelocationTable, plt: RelocationTable) -> RelocationTable {
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
        has_addends: bool,
        class: RelocationClass,
    ) -> Result<()> {
        let word_size: u8 = if self.machine.is_64 { 8 } else { 4 };
        let entry_size = word_size * if has_addends { 3 } else { 2 };
        let entry = u64::from(entry_size);
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
            for relocation in bytes.chunks_exact(entry_size.into()) {
                self.add_relocation(relocation, class)?;
            }
            if self.symbols.len() > 2 * self.sorted_len.max(1 << 16) {
                self.deduplicate()?;
            }
            at += count;
        }
        Ok(())
    }

    /// Records one relocation: `r_offset`, then `r_info` with symbol and type. With 64 bits the symbol
    /// is the upper half of `r_info`.
    fn add_relocation(&mut self, relocation: &[u8], class: RelocationClass) -> Result<()> {
        let (symbol, kind) = match (self.machine.is_64, self.machine.is_little_endian) {
            (true, true) => (self.read_u32(relocation, 12)?, self.read_u32(relocation, 8)?),
            (true, false) => (self.read_u32(relocation, 8)?, self.read_u32(relocation, 12)?),
            (false, _) => {
                let info = self.read_u32(relocation, 4)?;
                (info >> 8, info & 0xff)
            }
        };
        let class =
            if Some(kind) == copy_relocation_type(self.machine) { RelocationClass::Copy } else { class };
        if symbol != 0 && self.symbols.last() != Some(&(symbol, class)) {
            self.symbols.push((symbol, class));
        }
        Ok(())
    }

    /// Reads a number of a relocation. A relocation that is too short is an error.
    fn read_u32(&self, relocation: &[u8], offset: usize) -> Result<u32> {
        let bytes = relocation.get(offset..).and_then(|rest| rest.first_chunk().copied());
        let bytes = bytes.ok_or(Error::Truncated("relocation"))?;
        Ok(if self.machine.is_little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
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
fn copy_relocation_type(machine: Machine) -> Option<u32> {
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

    /// Returns the symbols of a collector for these relocations of symbol and type, as 32-bit words.
    fn collect(machine: Machine, relocations: &[&[u32]]) -> Result<Vec<(u32, RelocationClass)>> {
        let mut collector = SymbolCollector { machine, symbols: Vec::new(), sorted_len: 0 };
        for words in relocations {
            let to_bytes = if machine.is_little_endian { u32::to_le_bytes } else { u32::to_be_bytes };
            let bytes: Vec<u8> = words.iter().copied().flat_map(to_bytes).collect();
            collector.add_relocation(&bytes, RelocationClass::Data)?;
        }
        collector.deduplicate()?;
        Ok(collector.symbols)
    }

    #[test]
    fn collects_each_symbol_once() {
        let amd64 = Machine { is_64: true, is_little_endian: true, e_machine: h::EM_X86_64, e_flags: 0 };
        let s390x = Machine { is_64: true, is_little_endian: false, e_machine: h::EM_S390, e_flags: 0 };
        let i386 = Machine { is_64: false, is_little_endian: true, e_machine: h::EM_386, e_flags: 0 };
        let pairs = |copy: u32| [(7, 6), (0, 8), (3, copy), (7, 6), (3, 6)];
        let little = pairs(5).map(|(symbol, kind)| [0, 0, kind, symbol, 0, 0]);
        let big = pairs(9).map(|(symbol, kind)| [0, 0, symbol, kind, 0, 0]);
        let short = pairs(5).map(|(symbol, kind)| [0, symbol << 8 | kind]);
        let expected = [(3, RelocationClass::Data), (3, RelocationClass::Copy), (7, RelocationClass::Data)];
        assert_eq!(collect(amd64, &little.each_ref().map(|words| &words[..])).unwrap(), expected);
        assert_eq!(collect(s390x, &big.each_ref().map(|words| &words[..])).unwrap(), expected);
        assert_eq!(collect(i386, &short.each_ref().map(|words| &words[..])).unwrap(), expected);
    }

    #[test]
    fn a_short_relocation_is_an_error() {
        for is_64 in [true, false] {
            let machine = Machine { is_64, is_little_endian: true, e_machine: h::EM_X86_64, e_flags: 0 };
            assert!(matches!(collect(machine, &[&[0]]), Err(Error::Truncated(_))), "{is_64}");
        }
    }
}
