//! Hash tables of Berkeley DB, the format of RHEL up to 8. Source: Berkeley DB, `dbinc/db_page.h`.
//!
//! Headers are larger than a page, so each is a chain of overflow pages.

use coracle_core::content::OpenContent;

use super::bytes::{size, u16_le, u32_le};
use super::{MAX_HEADER_SIZE, ReadError};

const HASH_MAGIC: u32 = 0x0006_1561;
const PAGE_HEADER_SIZE: usize = 26;
const HASH_PAGE_TYPES: [u8; 2] = [2, 13];
const OVERFLOW_PAGE_TYPE: u8 = 7;
/// The type of a value on overflow pages.
const OFF_PAGE: u8 = 3;

/// Calls `add` with the header of each package.
pub(super) fn read_headers(
    file: &OpenContent,
    add: &mut dyn FnMut(&[u8]) -> Option<()>,
) -> Result<(), ReadError> {
    let meta = file.read_bytes_at(0, 72)?;
    let page_size = u32_le(&meta, 20).map(size).filter(|page| (512..=65_536).contains(page));
    let is_hash = u32_le(&meta, 12) == Some(HASH_MAGIC);
    let Some(page_size) = page_size.filter(|_| is_hash) else {
        return Err(ReadError::Damaged("it is no little-endian hash table of Berkeley DB"));
    };
    let last = u64::from(u32_le(&meta, 32).unwrap_or_default()).min(file.size() / page_size as u64);
    for number in 1..=last {
        let page = file.read_bytes_at(number * page_size as u64, page_size)?;
        if !page.get(25).is_some_and(|kind| HASH_PAGE_TYPES.contains(kind)) {
            continue;
        }
        let count = usize::from(u16_le(&page, 20).unwrap_or_default());
        // Keys and values alternate.
        for index in (1..count).step_by(2) {
            let Some(offset) = u16_le(&page, PAGE_HEADER_SIZE + index * 2) else { break };
            let entry = page.get(usize::from(offset)..).unwrap_or_default();
            if entry.first() != Some(&OFF_PAGE) {
                continue;
            }
            let (Some(first), Some(length)) = (u32_le(entry, 4), u32_le(entry, 8)) else { continue };
            if add(&read_chain(file, page_size, first, size(length))?).is_none() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads `length` bytes from a chain of overflow pages.
fn read_chain(file: &OpenContent, page_size: usize, first: u32, length: usize) -> Result<Vec<u8>, ReadError> {
    const DAMAGED: ReadError = ReadError::Damaged("a chain of overflow pages is broken");
    if length > MAX_HEADER_SIZE {
        return Err(ReadError::Damaged("the header of a package is too large"));
    }
    let (mut bytes, mut number) = (Vec::new(), first);
    // Each page adds bytes, so a circular chain ends.
    while bytes.len() < length {
        let page = file.read_bytes_at(u64::from(number) * page_size as u64, page_size)?;
        let used = u16_le(&page, 22).map(usize::from).filter(|used| *used > 0);
        let data = used.and_then(|used| page.get(PAGE_HEADER_SIZE..)?.get(..used));
        let is_overflow = page.get(25) == Some(&OVERFLOW_PAGE_TYPE);
        let Some(data) = data.filter(|_| is_overflow) else { return Err(DAMAGED) };
        bytes.extend_from_slice(data);
        number = u32_le(&page, 16).unwrap_or_default();
    }
    bytes.truncate(length);
    Ok(bytes)
}
