//! Properties of the objects of a link map: their sizes in an image, and the dependency chains
//! from the program to one of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use coracle_core::fs::FileId;
use coracle_ld::closure::{LinkMap, MapReason};
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

/// The most chains that are returned; their number grows with each library that many others need.
const MAX_CHAINS: usize = 100;

/// The most partial chains that are followed; in a dense graph most of them are redundant.
const MAX_PARTIAL_CHAINS: usize = 50_000;

/// Chains from the program to one object, as indices into the link map's objects.
pub(super) struct DependencyChains {
    /// The chains, the shortest first; no chain contains an object twice.
    pub(super) chains: Vec<Vec<usize>>,
    /// `true` if there may be more chains than these.
    pub(super) is_truncated: bool,
}

/// Returns the chains to the object `target`.
pub(super) fn chains_to(map: &LinkMap, target: usize) -> DependencyChains {
    let mut parents = vec![Vec::new(); map.objects.len()];
    for edge in &map.edges {
        if let Some(parents) = parents.get_mut(edge.to)
            && !parents.contains(&edge.from)
        {
            parents.push(edge.from);
        }
    }
    let mut chains = Vec::new();
    let mut pending = VecDeque::from([vec![target]]);
    let mut followed = 1;
    while let Some(chain) = pending.pop_front() {
        let Some(&last) = chain.last() else { continue };
        if last == 0 {
            chains.push(chain.into_iter().rev().collect());
            if chains.len() == MAX_CHAINS {
                break;
            }
            continue;
        }
        for &parent in parents.get(last).into_iter().flatten() {
            if !chain.contains(&parent) && followed < MAX_PARTIAL_CHAINS {
                followed += 1;
                pending.push_back(chain.iter().copied().chain([parent]).collect());
            }
        }
    }
    let is_truncated = !pending.is_empty() || followed == MAX_PARTIAL_CHAINS;
    DependencyChains { chains, is_truncated }
}

/// Returns the objects that only `target` needs, directly or indirectly.
pub(super) fn exclusive_dependencies(map: &LinkMap, target: usize) -> Vec<usize> {
    // Everything that the program and the interpreter reach without `target` is needed by others, too.
    let mut is_needed_by_others = vec![false; map.objects.len()];
    let interpreter = map.objects.iter().position(|object| object.reason == MapReason::Interpreter);
    let mut pending: Vec<usize> = [Some(0), interpreter].into_iter().flatten().collect();
    while let Some(index) = pending.pop() {
        let needed = is_needed_by_others.get_mut(index).filter(|needed| !**needed && index != target);
        let Some(needed) = needed else { continue };
        *needed = true;
        pending.extend(map.edges.iter().filter(|edge| edge.from == index).map(|edge| edge.to));
    }
    let exclusive = is_needed_by_others.iter().enumerate();
    let exclusive = exclusive.filter(|(index, needed)| !**needed && *index != target);
    exclusive.map(|(index, _)| index).collect()
}
