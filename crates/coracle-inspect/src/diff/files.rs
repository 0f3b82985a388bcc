//! The paths that differ between two images.

use std::collections::{BTreeMap, BTreeSet};

use coracle_core::content::Content;
use coracle_core::file_system::{FileSystem as _, FsNode};
use coracle_core::path::{ImagePath, RawPath};
use coracle_oci::layout::{ImageEntryKind, LayerMember};
use serde::Serialize;

use super::documents::{KeyChange, diff_documents};
use super::elf_diff::{ElfDiff, diff_elf_files};
use crate::image_contents::{FileReport, ImageContents, ImagePathEntry};

/// The maximum size of a JSON file whose keys are compared, in bytes.
const MAX_JSON: u64 = 1 << 20;

/// A path that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FileDiff {
    /// The path.
    pub path: String,
    /// The kind of the difference.
    pub change: FileChange,
    /// The old entry; `None` if it was added.
    pub old: Option<FileReport>,
    /// The new entry; `None` if it was removed.
    pub new: Option<FileReport>,
    /// The offset of the first byte that differs, if the content does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_difference: Option<u64>,
    /// The fields of the tar header that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// The differences of two ELF files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elf: Option<ElfDiff>,
    /// The keys of a JSON file that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyChange>,
}

/// The kind of the difference of a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileChange {
    /// Only the new image has it.
    Added,
    /// Only the old image has it.
    Removed,
    /// Its content, target or type differs.
    Changed,
    /// Only its tar header differs.
    HeaderChanged,
}

/// A field of a tar header that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FieldChange {
    /// The field.
    pub field: &'static str,
    /// The old value.
    pub old: String,
    /// The new value.
    pub new: String,
}

/// Returns the paths that differ. `is_shared` returns whether a layer of the old image, by its
/// number, is the layer with the second number of the new image.
pub(super) fn diff_files(
    old: &ImageContents,
    new: &ImageContents,
    is_shared: &dyn Fn(usize, usize) -> bool,
) -> Vec<FileDiff> {
    let by_path = |contents: &'_ ImageContents| -> BTreeMap<ImagePath, usize> {
        contents.entries().iter().enumerate().map(|(index, entry)| (entry.path.clone(), index)).collect()
    };
    let (old_entries, new_entries) = (old.entries(), new.entries());
    let (old_index, new_index) = (by_path(old), by_path(new));
    let paths: BTreeSet<&ImagePath> = old_index.keys().chain(new_index.keys()).collect();
    let mut diffs = Vec::new();
    for path in paths {
        let one = old_index.get(path).and_then(|index| old_entries.get(*index));
        let other = new_index.get(path).and_then(|index| new_entries.get(*index));
        let report = |contents: &ImageContents, entry: Option<&ImagePathEntry<'_>>| {
            entry.map(|entry| FileReport {
                package: contents.packages.owner_of(entry.path).map(ToString::to_string),
                ..FileReport::from(entry)
            })
        };
        let mut diff = FileDiff {
            path: path.to_string(),
            change: FileChange::Changed,
            old: report(old, one),
            new: report(new, other),
            first_difference: None,
            fields: Vec::new(),
            elf: None,
            keys: Vec::new(),
        };
        match (one, other) {
            (Some(_), None) => diff.change = FileChange::Removed,
            (None, Some(_)) => diff.change = FileChange::Added,
            (Some(one), Some(other)) => {
                let is_same_member =
                    is_shared(one.entry.layer, other.entry.layer) && one.entry.node == relayered(one, other);
                if is_same_member || !compare_entries(&mut diff, (old, one), (new, other)) {
                    continue;
                }
            }
            (None, None) => continue,
        }
        diffs.push(diff);
    }
    diffs
}

/// Returns the node of `other` as it would be in the layer of `one`.
fn relayered(one: &ImagePathEntry<'_>, other: &ImagePathEntry<'_>) -> ImageEntryKind {
    match &other.entry.node {
        ImageEntryKind::File(extent) => {
            let mut extent = *extent;
            extent.layer = one.entry.layer;
            ImageEntryKind::File(extent)
        }
        node => node.clone(),
    }
}

/// Completes the difference of two entries. Returns false if there is none.
fn compare_entries(
    diff: &mut FileDiff,
    (old, one): (&ImageContents, &ImagePathEntry<'_>),
    (new, other): (&ImageContents, &ImagePathEntry<'_>),
) -> bool {
    diff.fields = changed_fields(one, other);
    let is_same = match (&one.entry.node, &other.entry.node) {
        (ImageEntryKind::File(_), ImageEntryKind::File(_)) => {
            match (content_of(old, one), content_of(new, other)) {
                (Some(a), Some(b)) => !compare_contents(diff, &a, &b),
                // Without contents, sizes are all that is known.
                _ => one.size() == other.size(),
            }
        }
        (a, b) => a == b,
    };
    if is_same {
        diff.change = FileChange::HeaderChanged;
    }
    !is_same || !diff.fields.is_empty()
}

fn content_of(contents: &ImageContents, entry: &ImagePathEntry<'_>) -> Option<Content> {
    match contents.unpacked.file_system.node(entry.path) {
        Ok(Some(FsNode::File(file))) => Some(file.content),
        _ => None,
    }
}

/// Compares two contents. Returns whether they differ.
fn compare_contents(diff: &mut FileDiff, old: &Content, new: &Content) -> bool {
    diff.first_difference = first_difference(old, new);
    if diff.first_difference.is_none() {
        return false;
    }
    diff.elf = diff_elf_files(old, new);
    let json = |content: &Content| {
        let bytes = content.read_whole(b"", MAX_JSON).ok()?;
        coracle_core::json::parse(&bytes).ok().filter(|value| value.is_object() || value.is_array())
    };
    if diff.elf.is_none()
        && let (Some(old), Some(new)) = (json(old), json(new))
    {
        diff.keys = diff_documents(&old, &new, &[]);
    }
    true
}

/// The number of bytes that are compared at once.
const BLOCK: usize = 64 << 10;

/// Returns the offset of the first byte that differs; `None` if the contents are the same.
fn first_difference(old: &Content, new: &Content) -> Option<u64> {
    let (Ok(one), Ok(other)) = (old.open(), new.open()) else { return Some(0) };
    let mut offset = 0;
    loop {
        let read = (one.read_bytes_at(offset, BLOCK), other.read_bytes_at(offset, BLOCK));
        let (Ok(a), Ok(b)) = read else { return Some(offset) };
        if a != b {
            let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            return Some(offset + same as u64);
        }
        if a.len() < BLOCK {
            return None;
        }
        offset += a.len() as u64;
    }
}

fn changed_fields(old: &ImagePathEntry<'_>, new: &ImagePathEntry<'_>) -> Vec<FieldChange> {
    let mut fields = vec![
        ("mode", format!("{:04o}", old.entry.mode), format!("{:04o}", new.entry.mode)),
        ("owner", owner_text(old), owner_text(new)),
        ("type", FileReport::from(old).kind.to_owned(), FileReport::from(new).kind.to_owned()),
        ("target", target_text(old), target_text(new)),
    ];
    if let (Some(one), Some(other)) = (old.member, new.member) {
        fields.extend(member_fields(one, other));
    }
    let changed = fields.into_iter().filter(|(_, old, new)| old != new);
    changed.map(|(field, old, new)| FieldChange { field, old, new }).collect()
}

fn member_fields(one: &LayerMember, other: &LayerMember) -> Vec<(&'static str, String, String)> {
    let (one, other) = (&one.header, &other.header);
    let text = |bytes: &[u8]| RawPath::new(bytes).to_string();
    let digest = |digest: Option<coracle_core::digest::Digest>| {
        digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string())
    };
    vec![
        ("mtime", one.modified.to_string(), other.modified.to_string()),
        ("user name", text(&one.owner_names.0), text(&other.owner_names.0)),
        ("group name", text(&one.owner_names.1), text(&other.owner_names.1)),
        ("extended attributes", digest(one.other_records), digest(other.other_records)),
    ]
}

fn owner_text(entry: &ImagePathEntry<'_>) -> String {
    let (uid, gid) = entry.entry.owner;
    format!("{uid}:{gid}")
}

fn target_text(entry: &ImagePathEntry<'_>) -> String {
    FileReport::from(entry).target.unwrap_or_default()
}
