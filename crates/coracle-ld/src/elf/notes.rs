//! ELF notes, such as build IDs, properties and package metadata.
//!
//! Notes are located by `PT_NOTE`, as loaders do. Note sections that no segment covers are located
//! by section type. Source: the gABI, "Note Section".

use goblin::elf::section_header::SHT_NOTE;

use super::elf_object::{ElfObject, NoteRange};
use super::error::{Error, Result};
use super::file_reader::read_exact;
use super::header::Header;
use super::sections::section_headers_if_valid;
use coracle_core::content::OpenContent;
use coracle_core::fs;

/// An ELF note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElfNote {
    /// The namespace of the type, without its NUL: `GNU`, `FDO`, `Go`.
    pub owner: Vec<u8>,
    /// The type, as defined by the owner.
    pub note_type: u32,
    /// The content, as defined by the type.
    pub description: Vec<u8>,
}

/// Maximum number of note bytes to read of one file. Build IDs and properties take a few hundred.
const MAX_NOTE_BYTES: u64 = 1 << 20;
/// Maximum number of note segments and sections. Linkers write two or three.
const MAX_RANGES: usize = 64;

/// Reads the notes of `object`, which was read from `file`.
///
/// # Errors
/// Fails if a note extends past the file or its section, or the file cannot be read.
pub fn read_notes(file: &OpenContent, object: &ElfObject) -> Result<Vec<ElfNote>> {
    let mut ranges = object.notes.clone();
    let covered = |range: &NoteRange| {
        let inside = |other: &NoteRange| {
            (other.offset..other.offset.saturating_add(other.size)).contains(&range.offset)
        };
        object.notes.iter().any(inside)
    };
    ranges.extend(note_sections(file, &object.header)?.into_iter().filter(|range| !covered(range)));
    let mut left = MAX_NOTE_BYTES;
    let mut notes = Vec::new();
    for range in ranges.iter().take(MAX_RANGES) {
        left = left.checked_sub(range.size).ok_or(Error::Damaged("it has too many notes"))?;
        let size = usize::try_from(range.size).map_err(|_| Error::Truncated("notes"))?;
        let bytes = read_exact(file, range.offset, size, "notes")?;
        parse_notes(&bytes, range.align, &object.header, &mut notes)?;
    }
    Ok(notes)
}

/// Returns the note sections. Damaged section headers are ignored, because loaders do not read
/// them.
fn note_sections(file: &OpenContent, header: &Header) -> fs::Result<Vec<NoteRange>> {
    let headers = section_headers_if_valid(file, header)?;
    let notes = headers.into_iter().filter(|header| header.sh_type == SHT_NOTE);
    let ranges = notes.map(|header| NoteRange {
        offset: header.sh_offset,
        size: header.sh_size,
        align: header.sh_addralign,
    });
    Ok(ranges.collect())
}

/// Parses consecutive notes: three 32-bit words, owner and description, each padded.
pub(super) fn parse_notes(bytes: &[u8], align: u64, header: &Header, notes: &mut Vec<ElfNote>) -> Result<()> {
    const TOO_LONG: Error = Error::Damaged("one of its notes is longer than its section or segment");
    let pad = |size: usize| if align == 8 { size.next_multiple_of(8) } else { size.next_multiple_of(4) };
    let word = |at: usize| -> Result<u32> {
        let bytes = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<4>()).ok_or(TOO_LONG)?;
        Ok(if header.machine.is_little_endian {
            u32::from_le_bytes(*bytes)
        } else {
            u32::from_be_bytes(*bytes)
        })
    };
    let mut at = 0;
    while at + 12 <= bytes.len() {
        let size = |at| word(at).and_then(|size| usize::try_from(size).map_err(|_| TOO_LONG));
        let (owner_size, size, kind) = (size(at)?, size(at + 4)?, word(at + 8)?);
        if owner_size > bytes.len() || size > bytes.len() {
            return Err(TOO_LONG);
        }
        let owner = bytes.get(at + 12..at + 12 + owner_size).ok_or(TOO_LONG)?;
        let start = pad(at + 12 + owner_size);
        let description = bytes.get(start..start + size).ok_or(TOO_LONG)?.to_vec();
        let owner = owner.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
        notes.push(ElfNote { owner, note_type: kind, description });
        at = pad(start + size);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use coracle_core::content::Content;
    use coracle_testing::SyntheticElf;

    fn note(owner: &[u8], kind: u32, description: &[u8]) -> Vec<u8> {
        let sizes = [owner.len(), description.len()].map(|size| u32::try_from(size).unwrap());
        let mut bytes: Vec<u8> =
            [sizes[0], sizes[1], kind].iter().flat_map(|word| word.to_le_bytes()).collect();
        for part in [owner, description] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<ElfNote>> {
        let file = Content::from_bytes(SyntheticElf::default().bytes()).open()?;
        let mut notes = Vec::new();
        parse_notes(bytes, 4, &Header::read(&file)?, &mut notes)?;
        Ok(notes)
    }

    #[test]
    fn reads_consecutive_notes() {
        let bytes = [note(b"GNU\0", 3, b"12345"), note(b"FDO\0", 7, b"[]\0")].concat();
        let notes = read(&bytes).unwrap();
        assert_eq!(
            (notes[0].owner.as_slice(), notes[0].description.as_slice()),
            (&b"GNU"[..], &b"12345"[..])
        );
        assert_eq!((notes[1].owner.as_slice(), notes[1].note_type), (&b"FDO"[..], 7));
    }

    #[test]
    fn rejects_notes_that_are_too_long() {
        let mut bytes = note(b"GNU\0", 3, b"12345");
        bytes[4] = 255;
        assert!(read(&bytes).is_err());
        bytes[0..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
