//! How the layers of two images differ, to the byte.

use std::collections::BTreeSet;
use std::io::{self, Read};

use coracle_core::path::ImagePath;
use coracle_oci::layout::{ImageSource, ParsedImage, ParsedLayer, ParsedPlatform, UnpackedLayer};
use serde::Serialize;

use super::tar_position::{part_of_blob, part_of_tar};
use crate::image_contents::ImageContents;

/// A layer of both images, or of one of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LayerDiff {
    /// The layer of the old image.
    pub old: Option<LayerSide>,
    /// The layer of the new image.
    pub new: Option<LayerSide>,
    /// The first difference of two layers; `None` if they are the same, or there is only one.
    pub difference: Option<LayerDifference>,
}

/// A layer of one image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LayerSide {
    /// The number of the layer; 0 is the lowest.
    pub number: usize,
    /// The digest of the blob.
    pub digest: Option<String>,
    /// The media type.
    pub media_type: Option<String>,
    /// The size of the blob, in bytes.
    pub size: u64,
}

/// The first difference of two layers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "in", rename_all = "kebab-case")]
pub enum LayerDifference {
    /// The tars are the same, but were compressed in another way.
    Compression {
        /// The offset of the first byte of the blobs that differs.
        offset: u64,
        /// The part of the blob at the offset, such as the header of a gzip member.
        part: String,
    },
    /// The tars differ.
    Tar {
        /// The offset of the first byte of the tars that differs.
        offset: u64,
        /// The path of the old layer's member there.
        path: Option<String>,
        /// The part of the tar at the offset: a field of a header, the content of a file, or padding.
        part: String,
        /// `true` if both tars have the same members, but not in the same order.
        order: bool,
    },
    /// The layers cannot be compared.
    Unknown {
        /// The reason.
        part: String,
    },
}

/// One image, and what was read of it.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) image: &'a ParsedImage,
    pub(super) platform: &'a ParsedPlatform,
    pub(super) contents: &'a ImageContents,
}

impl Side<'_> {
    fn layer_side(&self, number: usize) -> Option<LayerSide> {
        let layer = self.platform.layers.get(number)?;
        let descriptor = layer.descriptor.as_ref();
        Some(LayerSide {
            number,
            digest: descriptor.map(|descriptor| descriptor.digest.to_string()),
            media_type: descriptor.map(|descriptor| descriptor.media_type.to_string()),
            size: self.contents.unpacked.layers.get(number).map_or(0, |layer| layer.size),
        })
    }

    fn unpacked(&self, number: usize) -> Option<&UnpackedLayer> {
        self.contents.unpacked.layers.get(number)
    }

    fn paths(&self, number: usize) -> BTreeSet<&ImagePath> {
        let members = self.unpacked(number).map(|layer| layer.members.as_slice()).unwrap_or_default();
        members.iter().map(|member| &member.path).collect()
    }
}

/// Pairs the layers of two images, and compares each pair.
pub(super) fn diff_layers(old: Side<'_>, new: Side<'_>) -> Vec<LayerDiff> {
    let mut diffs = Vec::new();
    let mut unpaired: Vec<usize> = (0..new.platform.layers.len()).collect();
    for number in 0..old.platform.layers.len() {
        let other = find_partner(&old, number, &new, &unpaired);
        unpaired.retain(|candidate| Some(*candidate) != other);
        let difference = other.and_then(|other| compare_layers(&old, number, &new, other));
        let new_side = other.and_then(|other| new.layer_side(other));
        diffs.push(LayerDiff { old: old.layer_side(number), new: new_side, difference });
    }
    let added = unpaired.into_iter();
    diffs.extend(added.map(|number| LayerDiff { old: None, new: new.layer_side(number), difference: None }));
    diffs
}

/// Returns the layer of `new` that layer `number` of `old` is compared with: the same one, or the
/// one that has most paths in common.
fn find_partner(old: &Side<'_>, number: usize, new: &Side<'_>, unpaired: &[usize]) -> Option<usize> {
    let digest = |side: &Side<'_>, number: usize| {
        side.platform.layers.get(number)?.descriptor.as_ref().map(|descriptor| descriptor.digest)
    };
    let wanted = digest(old, number);
    let same = unpaired.iter().find(|other| wanted.is_some() && digest(new, **other) == wanted);
    if let Some(same) = same {
        return Some(*same);
    }
    let is_in_old = |other: &usize| {
        let digest = digest(new, *other);
        digest.is_some()
            && old
                .platform
                .layers
                .iter()
                .any(|layer| layer.descriptor.as_ref().map(|descriptor| descriptor.digest) == digest)
    };
    let paths = old.paths(number);
    let candidates = unpaired.iter().filter(|other| !is_in_old(other));
    let scored = candidates.map(|other| {
        let common = new.paths(*other).intersection(&paths).count();
        (common, *other == number, *other)
    });
    // Of equal ones, the one at the same position.
    scored.max().filter(|(common, is_same_place, _)| *common > 0 || *is_same_place).map(|(_, _, other)| other)
}

fn compare_layers(old: &Side<'_>, number: usize, new: &Side<'_>, other: usize) -> Option<LayerDifference> {
    let (one_layer, other_layer) = (old.platform.layers.get(number)?, new.platform.layers.get(other)?);
    let digest = |layer: &ParsedLayer| layer.descriptor.as_ref().map(|descriptor| descriptor.digest);
    if digest(one_layer).is_some() && digest(one_layer) == digest(other_layer) {
        return None;
    }
    let (one, another) = (old.unpacked(number)?, new.unpacked(other)?);
    if let Some(problem) = one.problem.as_ref().or(another.problem.as_ref()) {
        return Some(LayerDifference::Unknown { part: problem.why.clone() });
    }
    let found = first_tar_difference((&old.image.source, one_layer), (&new.image.source, other_layer));
    match found {
        Err(error) => Some(LayerDifference::Unknown { part: error.to_string() }),
        Ok(Some(offset)) => {
            let (path, part) = part_of_tar(&one.members, offset);
            let order = old.paths(number) == new.paths(other)
                && one
                    .members
                    .iter()
                    .map(|member| &member.path)
                    .ne(another.members.iter().map(|member| &member.path));
            Some(LayerDifference::Tar { offset, path: path.map(ToString::to_string), part, order })
        }
        Ok(None) => compression_difference((&old.image.source, one_layer), (&new.image.source, other_layer)),
    }
}

fn first_tar_difference(
    (old, one): (&ImageSource, &ParsedLayer),
    (new, other): (&ImageSource, &ParsedLayer),
) -> io::Result<Option<u64>> {
    first_difference(old.open_tar(one)?, new.open_tar(other)?)
}

fn compression_difference(
    (old, one): (&ImageSource, &ParsedLayer),
    (new, other): (&ImageSource, &ParsedLayer),
) -> Option<LayerDifference> {
    let (one, other) = (one.descriptor.as_ref()?, other.descriptor.as_ref()?);
    let blobs = old.open_blob(one).and_then(|one| Ok((one, new.open_blob(other)?)));
    match blobs.and_then(|(a, b)| first_difference(a, b)) {
        Err(error) => Some(LayerDifference::Unknown { part: error.to_string() }),
        Ok(offset) => {
            let offset = offset?;
            let part = match one.media_type == other.media_type {
                true => part_of_blob(&one.media_type, offset),
                false => format!("another codec: {} and {}", one.media_type, other.media_type),
            };
            Some(LayerDifference::Compression { offset, part })
        }
    }
}

/// The number of bytes that are compared at once.
const BLOCK: usize = 64 << 10;

/// Returns the offset of the first byte that differs; `None` if both have the same bytes.
fn first_difference(mut old: impl Read, mut new: impl Read) -> io::Result<Option<u64>> {
    let (mut one, mut other) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut offset = 0;
    loop {
        let (a, b) = (fill(&mut old, &mut one)?, fill(&mut new, &mut other)?);
        let (a, b) = (one.get(..a).unwrap_or_default(), other.get(..b).unwrap_or_default());
        if a != b {
            let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            return Ok(Some(offset + same as u64));
        }
        if a.len() < BLOCK {
            return Ok(None);
        }
        offset += a.len() as u64;
    }
}

/// Fills `buffer` as far as the reader has bytes.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
