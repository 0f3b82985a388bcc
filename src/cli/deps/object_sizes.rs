//! The sizes of the objects of a link map in an image.

use std::cell::RefCell;
use std::collections::BTreeMap;

use coracle_core::fs::FileId;
use coracle_ld::closure::LinkMap;
use coracle_oci::layer;
use indicatif::DecimalBytes;
use serde::Serialize;

use crate::cli::error::CliError;

/// A cache of compressed sizes: a library that many programs map is compressed once.
#[derive(Default)]
pub(super) struct SizeCache {
    /// The compressed sizes, by file and by whether the file's layer is small: small layers have a
    /// higher compression level.
    by_file: RefCell<BTreeMap<(FileId, bool), u64>>,
}

/// The size of one or more objects, in bytes.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct SizeAndCompressed {
    pub(super) size: u64,
    /// The compressed size; `None` unless requested.
    pub(super) compressed: Option<u64>,
}

/// The size of a tar header, and the unit that contents are padded to, in bytes.
const TAR_BLOCK: u64 = 512;

impl SizeCache {
    /// Returns the size and the compressed size of an object of `map`. The program has its own
    /// layer.
    pub(super) fn compressed_size(&self, map: &LinkMap, index: usize) -> Result<SizeAndCompressed, CliError> {
        let Some(object) = map.objects.get(index) else { return Ok(SizeAndCompressed::default()) };
        let size = object.file.stat.size;
        let layer_size = match index {
            0 => size_in_tar(size),
            _ => map.objects.iter().skip(1).map(|object| size_in_tar(object.file.stat.size)).sum(),
        };
        let key = (object.file.stat.file_id, layer_size <= layer::SMALL_TAR_SIZE);
        let known = self.by_file.borrow().get(&key).copied();
        let compressed = match known {
            Some(compressed) => compressed,
            None => layer::compressed_size(&object.file.content, layer_size)
                .map_err(CliError::from_layer_error)?,
        };
        self.by_file.borrow_mut().insert(key, compressed);
        Ok(SizeAndCompressed { size, compressed: Some(compressed) })
    }

    /// Returns the size of each object, in order. Compressed sizes only `with_compressed`, because
    /// that is slow.
    pub(super) fn object_sizes(
        &self,
        map: &LinkMap,
        with_compressed: bool,
    ) -> Result<Vec<SizeAndCompressed>, CliError> {
        if !with_compressed {
            let sizes = map.objects.iter().map(|object| object.file.stat.size);
            return Ok(sizes.map(|size| SizeAndCompressed { size, compressed: None }).collect());
        }
        (0..map.objects.len()).map(|index| self.compressed_size(map, index)).collect()
    }
}

/// Returns the size of a file of `size` bytes in a tar, with its header.
fn size_in_tar(size: u64) -> u64 {
    TAR_BLOCK + size.next_multiple_of(TAR_BLOCK)
}

impl SizeAndCompressed {
    /// Returns the sum of `sizes`.
    pub(super) fn sum<'a>(sizes: impl IntoIterator<Item = &'a Self>) -> Self {
        sizes.into_iter().fold(Self::default(), |sum, size| Self {
            size: sum.size + size.size,
            compressed: size.compressed.map(|compressed| sum.compressed.unwrap_or_default() + compressed),
        })
    }

    /// Formats the size for people.
    pub(super) fn to_text(self) -> String {
        let size = DecimalBytes(self.size);
        match self.compressed {
            Some(compressed) => format!("{size}, {} compressed", DecimalBytes(compressed)),
            None => size.to_string(),
        }
    }
}
