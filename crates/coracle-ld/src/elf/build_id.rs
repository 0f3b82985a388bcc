//! The build ID of a file, by which debuggers find its symbols: the note `NT_GNU_BUILD_ID`.
//!
//! Source: the GNU linker's manual, `--build-id`; GDB's manual, "Separate Debug Files".

use super::elf_object::ElfObject;
use super::error::Result;
use super::notes::read_notes;
use coracle_core::content::OpenContent;

const NT_GNU_BUILD_ID: u32 = 3;

/// Returns the build ID of `object`, read from `file`, in hexadecimal; `None` if it has none.
///
/// # Errors
/// Fails if the notes cannot be read.
pub fn build_id(file: &OpenContent, object: &ElfObject) -> Result<Option<String>> {
    let notes = read_notes(file, object)?;
    let found = notes.iter().find(|note| note.note_type == NT_GNU_BUILD_ID && note.owner == b"GNU");
    Ok(found.map(|note| note.description.iter().map(|byte| format!("{byte:02x}")).collect()))
}
