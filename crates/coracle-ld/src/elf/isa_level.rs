//! The x86-64 microarchitecture level that a file requires: `GNU_PROPERTY_X86_ISA_1_NEEDED`.
//!
//! Linkers write it into a note with its own segment, which a `PT_NOTE` segment covers too. Builds
//! of glibc read one or the other. Source: the x86-64 psABI, "Program Property";
//! `_dl_process_pt_note`, `sysdeps/x86/dl-prop.h`.

use goblin::elf::header::{EM_386, EM_X86_64};
use goblin::elf::program_header::{PT_NOTE, ProgramHeader};

use super::elf_object::ElfObject;
use super::error::Result;
use super::file_reader::read_exact;
use super::header::Header;
use super::notes::{self, ElfNote};
use coracle_core::content::OpenContent;

/// An x86-64 microarchitecture level. Each level includes the lower ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum IsaLevel {
    /// `x86-64-v2`.
    V2,
    /// `x86-64-v3`.
    V3,
    /// `x86-64-v4`.
    V4,
    /// A level above v4, not named yet.
    AboveV4,
}

impl IsaLevel {
    /// The level's name in compilers.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2 => "x86-64-v2",
            Self::V3 => "x86-64-v3",
            Self::V4 => "x86-64-v4",
            Self::AboveV4 => "a level above x86-64-v4",
        }
    }

    /// Returns the highest level in the property's bits; `None` if only the baseline (lowest) bit
    /// is set.
    fn from_bits(bits: u32) -> Option<Self> {
        match 32 - bits.leading_zeros() {
            0 | 1 => None,
            2 => Some(Self::V2),
            3 => Some(Self::V3),
            4 => Some(Self::V4),
            _ => Some(Self::AboveV4),
        }
    }
}

const PT_GNU_PROPERTY: u32 = 0x6474_e553;
const NT_GNU_PROPERTY_TYPE_0: u32 = 5;
const GNU_PROPERTY_X86_ISA_1_NEEDED: u32 = 0xc000_8002;
/// Maximum number of segments to read. Linkers write two or three.
const MAX_SEGMENTS: usize = 16;
/// Maximum number of bytes to read of a segment. Properties take a few dozen.
const MAX_SEGMENT: u64 = 64 * 1024;

/// Returns the level that `object`, read from `file`, requires; `None` if it has no such
/// requirement.
///
/// # Errors
/// Fails if the file cannot be read, or ends before its properties.
pub fn required_isa_level(file: &OpenContent, object: &ElfObject) -> Result<Option<IsaLevel>> {
    if ![EM_386, EM_X86_64].contains(&object.header.machine.e_machine) {
        return Ok(None);
    }
    let segments = object.header.read_segments(file)?;
    // Old linkers wrote another alignment; their properties are invalid.
    let align = if object.header.machine.is_64 { 8 } else { 4 };
    let may_contain = |segment: &&ProgramHeader| {
        [PT_NOTE, PT_GNU_PROPERTY].contains(&segment.p_type) && segment.p_align == align as u64
    };
    for segment in segments.iter().filter(may_contain).take(MAX_SEGMENTS) {
        let size = usize::try_from(segment.p_filesz.min(MAX_SEGMENT)).unwrap_or_default();
        let bytes = read_exact(file, segment.p_offset, size, "properties")?;
        if let Some(bits) = find_isa_bits(&bytes, align, &object.header) {
            return Ok(IsaLevel::from_bits(bits));
        }
    }
    Ok(None)
}

/// Returns the property's bits from the notes of one segment.
fn find_isa_bits(bytes: &[u8], align: usize, header: &Header) -> Option<u32> {
    let mut notes = Vec::new();
    // Loaders stop at a truncated note and use the notes before it.
    let _ = notes::parse_notes(bytes, align as u64, header, &mut notes);
    let is_wanted = |note: &&ElfNote| note.owner == b"GNU" && note.note_type == NT_GNU_PROPERTY_TYPE_0;
    parse_isa_bits(&notes.iter().find(is_wanted)?.description, align)
}

/// Returns the property's bits from a note's description: a sequence of type, size and data. x86 is
/// little-endian.
fn parse_isa_bits(mut properties: &[u8], align: usize) -> Option<u32> {
    loop {
        let [kind, size] = [read_u32(properties, 0)?, read_u32(properties, 4)?];
        if kind == GNU_PROPERTY_X86_ISA_1_NEEDED {
            return (size == 4).then(|| read_u32(properties, 8)).flatten();
        }
        let end = usize::try_from(size).ok()?.checked_add(8)?.checked_next_multiple_of(align)?;
        properties = properties.get(end..)?;
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use coracle_core::content::Content;
    use coracle_testing::SyntheticElf;

    fn property(bytes: &[u8]) -> Option<u32> {
        let file = Content::from_bytes(SyntheticElf::default().bytes()).open().unwrap();
        super::find_isa_bits(bytes, 8, &Header::read(&file).unwrap())
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    const GNU: u32 = u32::from_le_bytes(*b"GNU\0");

    #[test]
    fn finds_the_property_after_others() {
        let build_id = [4, 4, 3, GNU, 0x1234_5678, 0];
        let others = [0xc000_0002, 4, 3, 0];
        let isa = [0xc000_8002, 4, 7, 0];
        let note = [&[4, 32, 5, GNU][..], &others, &isa].concat();
        assert_eq!(property(&words(&note)), Some(7));
        assert_eq!(property(&words(&[&build_id[..], &note].concat())), Some(7));
        assert_eq!(property(&words(&note[..8])), None);
        assert_eq!(property(&words(&build_id)), None);
    }

    #[test]
    fn highest_bit_is_the_level() {
        let levels = [0, 1, 2, 3, 7, 8, 0x1f].map(IsaLevel::from_bits);
        let (two, three, four) = (Some(IsaLevel::V2), Some(IsaLevel::V3), Some(IsaLevel::V4));
        assert_eq!(levels, [None, None, two, two, three, four, Some(IsaLevel::AboveV4)]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, sizes in proptest::array::uniform3(0_u32..40)) {
            property(&bytes);
            property(&[words(&[4, sizes[0], 5, GNU, sizes[1], sizes[2]]), bytes].concat());
        }
    }
}
