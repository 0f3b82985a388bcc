//! The header of a package: an index of tags and a store of their data. Source: RPM,
//! `docs/manual/format_header.md`, `include/rpm/rpmtag.h`.

use std::collections::BTreeMap;

use super::bytes::{size, u32_be};
use crate::checksum::{Checksum, ChecksumAlgorithm};
use crate::database_file::text;
use crate::package::{Package, PackageKind};
use crate::path_keys::PathKeys;
use coracle_core::path::ImagePath;

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const VENDOR: u32 = 1011;
const LICENSE: u32 = 1014;
const ARCHITECTURE: u32 = 1022;
const FILE_DIGESTS: u32 = 1035;
const SOURCE_RPM: u32 = 1044;
const DIRECTORY_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORY_NAMES: u32 = 1118;
const ENTRY_SIZE: usize = 16;
/// The name of packages that stand for keys.
const KEY_PACKAGE: &str = "gpg-pubkey";

/// A header with its index.
pub(super) struct Header<'a> {
    /// Offset and count of the data of each tag.
    entries: BTreeMap<u32, (usize, usize)>,
    store: &'a [u8],
}

impl<'a> Header<'a> {
    /// Parses a header as databases have it, without a magic number. `None` if it is truncated.
    pub(super) fn parse(blob: &'a [u8]) -> Option<Self> {
        let (count, store_size) = (size(u32_be(blob, 0)?), size(u32_be(blob, 4)?));
        let index_end = count.checked_mul(ENTRY_SIZE)?.checked_add(8)?;
        let index = blob.get(8..index_end)?;
        let store = blob.get(index_end..)?.get(..store_size)?;
        let mut entries = BTreeMap::new();
        for entry in index.chunks_exact(ENTRY_SIZE) {
            let (tag, offset, count) = (u32_be(entry, 0)?, u32_be(entry, 8)?, u32_be(entry, 12)?);
            entries.insert(tag, (size(offset), size(count)));
        }
        Some(Self { entries, store })
    }

    /// Returns the package. `None` if it is a key, or owns none of the selected files.
    pub(super) fn to_package(&self, keys: &PathKeys<'_>) -> Option<Package> {
        let name = self.string(NAME).filter(|name| name != KEY_PACKAGE)?;
        let files = self.files(keys);
        if files.is_empty() && !keys.selects_all() {
            return None;
        }
        let version = [self.string(VERSION), self.string(RELEASE)];
        let version = version.into_iter().flatten().collect::<Vec<_>>().join("-");
        let epoch = self.entries.get(&EPOCH).and_then(|(offset, _)| u32_be(self.store, *offset));
        Some(Package {
            kind: PackageKind::Rpm,
            name,
            version: match epoch {
                Some(epoch) if epoch > 0 => format!("{epoch}:{version}"),
                _ => version,
            },
            architecture: self.string(ARCHITECTURE).unwrap_or_default(),
            source: self.string(SOURCE_RPM).and_then(|source| super::source_package(&source)),
            supplier: self.string(VENDOR),
            licence: self.string(LICENSE),
            files,
        })
    }

    fn files(&self, keys: &PathKeys<'_>) -> BTreeMap<ImagePath, Option<Checksum>> {
        let directories: Vec<&[u8]> = self.strings(DIRECTORY_NAMES).collect();
        let indexes = self.numbers(DIRECTORY_INDEXES);
        // Empty for directories and links, so that digests stay in step with names.
        let digests = self.strings(FILE_DIGESTS).chain(std::iter::repeat(&b""[..]));
        let mut files = BTreeMap::new();
        for ((name, index), digest) in self.strings(BASE_NAMES).zip(indexes).zip(digests) {
            let Some(directory) = directories.get(size(index)) else { continue };
            let path = [directory, name].concat();
            if let Some(path) = keys.find(path.strip_suffix(b"/").unwrap_or(&path)) {
                files.insert(path, Checksum::parse(ChecksumAlgorithm::Sha256, digest));
            }
        }
        files
    }

    fn string(&self, tag: u32) -> Option<String> {
        self.strings(tag).next().map(text).filter(|value| !value.is_empty())
    }

    /// Iterates over the strings of a tag, each of which a NUL byte ends.
    fn strings(&self, tag: u32) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (offset, count) = self.entries.get(&tag).copied().unwrap_or_default();
        let store: &'a [u8] = self.store;
        store.get(offset..).unwrap_or_default().split(|byte| *byte == 0).take(count)
    }

    fn numbers(&self, tag: u32) -> impl Iterator<Item = u32> {
        let (offset, count) = self.entries.get(&tag).copied().unwrap_or_default();
        (0..count).map_while(move |index| u32_be(self.store, offset.checked_add(index.checked_mul(4)?)?))
    }
}
