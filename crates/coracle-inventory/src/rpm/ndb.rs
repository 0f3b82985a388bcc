//! ndb, the format of SUSE. Source: RPM, `lib/backend/ndb/rpmpkg.cc`.

use coracle_core::content::OpenContent;

use super::bytes::{size, u32_le};
use super::{MAX_HEADER_SIZE, ReadError};

const MAGIC: &[u8] = b"RpmP";
const SLOT_MAGIC: &[u8] = b"Slot";
const BLOB_MAGIC: &[u8] = b"BlbS";
const HEADER_SIZE: usize = 32;
const SLOT_SIZE: usize = 16;
const PAGE_SIZE: usize = 4096;
const BLOCK_SIZE: u64 = 16;
/// The maximum number of pages with slots: 256 slots each.
const MAX_SLOT_PAGES: usize = 4096;

/// Calls `add` with the header of each package.
pub(super) fn read_headers(
    file: &OpenContent,
    add: &mut dyn FnMut(&[u8]) -> Option<()>,
) -> Result<(), ReadError> {
    let header = file.read_bytes_at(0, HEADER_SIZE)?;
    let pages = u32_le(&header, 12).map(size).filter(|pages| *pages <= MAX_SLOT_PAGES);
    let Some(pages) = pages.filter(|_| header.starts_with(MAGIC)) else {
        return Err(ReadError::Damaged("it is no ndb file"));
    };
    let slots = file.read_bytes_at(HEADER_SIZE as u64, (pages * PAGE_SIZE).saturating_sub(HEADER_SIZE))?;
    for slot in slots.chunks_exact(SLOT_SIZE).filter(|slot| slot.starts_with(SLOT_MAGIC)) {
        let (index, block) = (u32_le(slot, 4).unwrap_or_default(), u32_le(slot, 8).unwrap_or_default());
        if index == 0 {
            continue;
        }
        let offset = u64::from(block) * BLOCK_SIZE;
        let blob = file.read_bytes_at(offset, SLOT_SIZE)?;
        let length = u32_le(&blob, 12).map(size).filter(|length| *length <= MAX_HEADER_SIZE);
        let Some(length) = length.filter(|_| blob.starts_with(BLOB_MAGIC)) else {
            return Err(ReadError::Damaged("a slot leads to no package"));
        };
        if add(&file.read_bytes_at(offset + BLOCK_SIZE, length)?).is_none() {
            return Ok(());
        }
    }
    Ok(())
}
