//! SQLite, the format of Fedora, and RHEL from 9 on: reads the table `Packages`. Source: SQLite,
//! "Database File Format". Changes in a write-ahead log are not read.

use coracle_core::content::OpenContent;

use super::bytes::{u16_be, u32_be};
use super::{MAX_HEADER_SIZE, ReadError};

const MAGIC: &[u8] = b"SQLite format 3\0";
const FILE_HEADER_SIZE: usize = 100;
const INTERIOR_TABLE: u8 = 5;
const LEAF_TABLE: u8 = 13;
const TABLE: &[u8] = b"Packages";
/// The maximum depth of a tree. 20 levels have more pages than a file may have.
const MAX_DEPTH: usize = 20;

const DAMAGED: ReadError = ReadError::Damaged("a page of its tables is invalid");

/// Calls `add` with the header of each package.
pub(super) fn read_headers(
    file: &OpenContent,
    add: &mut dyn FnMut(&[u8]) -> Option<()>,
) -> Result<(), ReadError> {
    let mut database = Database::open(file)?;
    let mut root = None;
    database.visit_rows(1, 0, &mut |record| {
        // Columns of the schema: type, name, table, root page, statement.
        let columns = columns(record)?;
        if columns.first() == Some(&&b"table"[..]) && columns.get(1) == Some(&TABLE) {
            let number = columns.get(3)?.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            root = u32::try_from(number).ok();
        }
        Some(())
    })?;
    let Some(root) = root else { return Err(ReadError::Damaged("it has no table `Packages`")) };
    database.visit_rows(root, 0, &mut |record| add(columns(record)?.get(1)?))?;
    Ok(())
}

struct Database<'a> {
    file: &'a OpenContent,
    page_size: usize,
    /// The bytes of a page without those that are reserved.
    usable_size: usize,
    /// The number of pages that may still be visited: circular trees end.
    pages_left: u64,
}

impl<'a> Database<'a> {
    fn open(file: &'a OpenContent) -> Result<Self, ReadError> {
        let header = file.read_bytes_at(0, FILE_HEADER_SIZE)?;
        let page_size = match u16_be(&header, 16) {
            Some(1) => Some(65_536),
            Some(page) if page.is_power_of_two() && page >= 512 => Some(usize::from(page)),
            _ => None,
        };
        let Some(page_size) = page_size.filter(|_| header.starts_with(MAGIC)) else {
            return Err(ReadError::Damaged("it is no SQLite database"));
        };
        let reserved = header.get(20).copied().map(usize::from).unwrap_or_default();
        let pages_left = file.size() / page_size as u64 * 2 + 2;
        Ok(Self { file, page_size, usable_size: page_size.saturating_sub(reserved), pages_left })
    }

    fn page(&mut self, number: u32) -> Result<Vec<u8>, ReadError> {
        self.pages_left = self.pages_left.checked_sub(1).ok_or(DAMAGED)?;
        let offset = u64::from(number.checked_sub(1).ok_or(DAMAGED)?) * self.page_size as u64;
        let page = self.file.read_bytes_at(offset, self.page_size)?;
        if page.len() == self.page_size { Ok(page) } else { Err(DAMAGED) }
    }

    /// Calls `visit` with the record of each row below a page, until it returns `None`. Returns whether all
    /// rows were visited.
    fn visit_rows(
        &mut self,
        number: u32,
        depth: usize,
        visit: &mut dyn FnMut(&[u8]) -> Option<()>,
    ) -> Result<bool, ReadError> {
        if depth > MAX_DEPTH {
            return Err(DAMAGED);
        }
        let page = self.page(number)?;
        let start = if number == 1 { FILE_HEADER_SIZE } else { 0 };
        let (kind, count) = (page.get(start).copied(), u16_be(&page, start + 3).unwrap_or_default());
        let cells = |header_size: usize| {
            (0..usize::from(count)).map_while(move |index| Some(start + header_size + index * 2))
        };
        match kind {
            Some(INTERIOR_TABLE) => {
                let mut children = Vec::new();
                for pointer in cells(12) {
                    let cell = u16_be(&page, pointer).ok_or(DAMAGED)?;
                    children.push(u32_be(&page, usize::from(cell)).ok_or(DAMAGED)?);
                }
                children.push(u32_be(&page, start + 8).ok_or(DAMAGED)?);
                for child in children {
                    if !self.visit_rows(child, depth + 1, visit)? {
                        return Ok(false);
                    }
                }
            }
            Some(LEAF_TABLE) => {
                for pointer in cells(8) {
                    let cell = u16_be(&page, pointer).ok_or(DAMAGED)?;
                    let record = self.record(page.get(usize::from(cell)..).ok_or(DAMAGED)?)?;
                    if visit(&record).is_none() {
                        return Ok(false);
                    }
                }
            }
            _ => return Err(DAMAGED),
        }
        Ok(true)
    }

    /// Returns the record of a cell, part of which may be on overflow pages.
    fn record(&mut self, cell: &[u8]) -> Result<Vec<u8>, ReadError> {
        let (length, rest) = varint(cell).ok_or(DAMAGED)?;
        let (_, rest) = varint(rest).ok_or(DAMAGED)?;
        let length =
            usize::try_from(length).ok().filter(|length| *length <= MAX_HEADER_SIZE).ok_or(DAMAGED)?;
        let usable = self.usable_size;
        let max_local = usable.saturating_sub(35);
        if length <= max_local {
            return Ok(rest.get(..length).ok_or(DAMAGED)?.to_vec());
        }
        let overflow_size = usable.checked_sub(4).filter(|size| *size > 0).ok_or(DAMAGED)?;
        let min_local = (usable.saturating_sub(12) * 32 / 255).saturating_sub(23);
        let candidate = min_local + length.saturating_sub(min_local) % overflow_size;
        let local = if candidate <= max_local { candidate } else { min_local };
        let (start, rest) = rest.split_at_checked(local).ok_or(DAMAGED)?;
        let mut record = start.to_vec();
        let mut next = u32_be(rest, 0).ok_or(DAMAGED)?;
        while record.len() < length {
            let page = self.page(next)?;
            next = u32_be(&page, 0).ok_or(DAMAGED)?;
            let take = overflow_size.min(length - record.len());
            record.extend_from_slice(page.get(4..4 + take).ok_or(DAMAGED)?);
        }
        Ok(record)
    }
}

/// Returns the bytes of each column of a record.
fn columns(record: &[u8]) -> Option<Vec<&[u8]>> {
    let (header_size, mut types) = varint(record)?;
    let header_size = usize::try_from(header_size).ok()?;
    let types_size = header_size.checked_sub(record.len() - types.len())?;
    types = types.get(..types_size)?;
    let mut body = record.get(header_size..)?;
    let mut columns = Vec::new();
    while !types.is_empty() {
        let (kind, rest) = varint(types)?;
        types = rest;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            _ => usize::try_from(kind.checked_sub(12)? / 2).ok()?,
        };
        let (column, rest) = body.split_at_checked(length)?;
        columns.push(column);
        body = rest;
    }
    Some(columns)
}

/// Splits a number of one to nine bytes from the rest.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some((number << 8 | u64::from(*byte), bytes.get(9..)?));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index + 1..)?));
        }
    }
    None
}
