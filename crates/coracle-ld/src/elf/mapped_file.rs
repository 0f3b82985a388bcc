//! Access to a file's bytes by virtual address, as if a loader had mapped it.
//!
//! Blocks are read on demand and a limited number is cached, so the cost does not depend on the
//! size of a table. Addresses outside the file-backed part of a segment are errors.

use std::collections::BTreeMap;

use super::elf_object::ElfObject;
use super::error::{Error, Result};
use super::file_reader::read_exact;
use super::header::file_offset;
use coracle_core::content::OpenContent;

/// Size of a block in bytes.
const BLOCK_SIZE: u64 = 16 * 1024;
/// Maximum number of cached blocks: 8 MiB, more than the tables of most libraries.
const MAX_BLOCKS: usize = 512;
/// Maximum length of a string. Compilers make far shorter symbols.
const MAX_STRING: u64 = 1 << 20;

/// The loaded segments of a file, read block by block.
pub(super) struct MappedFile<'a> {
    file: &'a OpenContent,
    object: &'a ElfObject,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl<'a> MappedFile<'a> {
    pub(super) fn new(file: &'a OpenContent, object: &'a ElfObject) -> Self {
        Self { file, object, blocks: BTreeMap::new() }
    }

    /// Reads `N` bytes at `address`.
    pub(super) fn read_bytes<const N: usize>(&mut self, address: u64) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        let last = address.checked_add((N as u64).saturating_sub(1)).ok_or(OUT_OF_BOUNDS)?;
        let mut offset = self.file_offset(address)?;
        self.file_offset(last)?;
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            let block = self.block_from(offset)?;
            let take = block.len().min(rest.len());
            let (now, later) = rest.split_at_mut(take);
            now.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
            offset += take as u64;
            rest = later;
        }
        Ok(bytes)
    }

    /// Reads `size` bytes at `address` without caching them. Fails if `size` exceeds `most`.
    pub(super) fn read_table(&self, address: u64, size: u64, most: u64) -> Result<Vec<u8>> {
        if size > most {
            return Err(Error::Damaged("one of its tables is too large"));
        }
        if size == 0 {
            return Ok(Vec::new());
        }
        let offset = self.file_offset(address)?;
        self.file_offset(address.checked_add(size - 1).ok_or(OUT_OF_BOUNDS)?)?;
        read_exact(self.file, offset, usize::try_from(size).map_err(|_| OUT_OF_BOUNDS)?, "tables")
    }

    pub(super) fn read_u16(&mut self, address: u64) -> Result<u16> {
        let bytes = self.read_bytes(address)?;
        Ok(if self.is_little_endian() { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    pub(super) fn read_u32(&mut self, address: u64) -> Result<u32> {
        let bytes = self.read_bytes(address)?;
        Ok(if self.is_little_endian() { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    pub(super) fn read_u64(&mut self, address: u64) -> Result<u64> {
        let bytes = self.read_bytes(address)?;
        Ok(if self.is_little_endian() { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }

    /// Reads the string at `address`, without its NUL.
    pub(super) fn read_string(&mut self, address: u64) -> Result<Vec<u8>> {
        let mut string = Vec::new();
        let mut offset = self.file_offset(address)?;
        loop {
            let block = self.block_from(offset)?;
            let end = block.iter().position(|&byte| byte == 0);
            let part = block.get(..end.unwrap_or(block.len())).unwrap_or_default();
            string.extend_from_slice(part);
            if end.is_some() {
                return Ok(string);
            }
            offset += part.len() as u64;
            if string.len() as u64 > MAX_STRING {
                return Err(Error::Damaged("one of its strings is too long"));
            }
        }
    }

    /// Returns whether the string at `address` is `text`, which must not contain NUL.
    pub(super) fn string_equals(&mut self, address: u64, text: &[u8]) -> Result<bool> {
        let mut offset = self.file_offset(address)?;
        let mut rest = text;
        loop {
            let block = self.block_from(offset)?;
            let take = block.len().min(rest.len());
            let (now, later) = rest.split_at(take);
            if !block.starts_with(now) {
                return Ok(false);
            }
            if later.is_empty() && take < block.len() {
                return Ok(block.get(take) == Some(&0));
            }
            offset += take as u64;
            rest = later;
        }
    }

    pub(super) fn is_64(&self) -> bool {
        self.object.header.machine.is_64
    }

    pub(super) fn is_little_endian(&self) -> bool {
        self.object.header.machine.is_little_endian
    }

    fn file_offset(&self, address: u64) -> Result<u64> {
        file_offset(address, &self.object.segments).ok_or(OUT_OF_BOUNDS)
    }

    /// Returns the bytes from `offset` to the end of its block. Fails if there are none.
    fn block_from(&mut self, offset: u64) -> Result<&[u8]> {
        let index = offset / BLOCK_SIZE;
        if !self.blocks.contains_key(&index) {
            if self.blocks.len() >= MAX_BLOCKS {
                self.blocks.clear();
            }
            let size = usize::try_from(BLOCK_SIZE).unwrap_or_default();
            self.blocks.insert(index, self.file.read_bytes_at(index * BLOCK_SIZE, size)?);
        }
        let into = usize::try_from(offset % BLOCK_SIZE).unwrap_or_default();
        let block = self.blocks.get(&index).and_then(|block| block.get(into..));
        block.filter(|bytes| !bytes.is_empty()).ok_or(OUT_OF_BOUNDS)
    }
}

const OUT_OF_BOUNDS: Error = Error::Damaged("one of its tables is outside the loaded segments");
