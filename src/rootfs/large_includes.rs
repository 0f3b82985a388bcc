//! A hint about includes that make an image large.

use std::collections::BTreeMap;

use super::file_tree::Rootfs;
use super::plan_request::ResolvedInclude;
use coracle_core::byte_size::ByteSize;
use coracle_core::entry::{Entry, EntryNode, EntryReason};
use coracle_core::note::Note;
use coracle_core::path::ImagePath;

/// The size, in bytes, from which includes get a hint.
const LARGE: u64 = 100 * 1000 * 1000;
/// The maximum number of parts in the hint.
const MAX_LISTED: usize = 3;

/// Returns a hint with the largest parts of the includes and of the libraries that they need, if all of them are large.
/// `without_libraries` is the tree before these libraries were added.
pub(super) fn large_includes_hint(
    rootfs: &Rootfs,
    without_libraries: &Rootfs,
    includes: &[ResolvedInclude],
) -> Option<Note> {
    let mut parts: BTreeMap<ImagePath, (u64, Option<String>)> = BTreeMap::new();
    for (path, entry) in rootfs.iter() {
        let EntryNode::File(content) = &entry.node else { continue };
        let Some((part, needed_by)) = part_of(path, entry, without_libraries, includes) else { continue };
        parts.entry(part).or_insert((0, needed_by)).0 += content.size();
    }
    let total: u64 = parts.values().map(|(size, _)| size).sum();
    if total < LARGE {
        return None;
    }
    let mut parts: Vec<(ImagePath, (u64, Option<String>))> = parts.into_iter().collect();
    parts.sort_by_key(|(_, (size, _))| std::cmp::Reverse(*size));
    let listed: Vec<String> = parts
        .iter()
        .take(MAX_LISTED)
        .map(|(path, (size, needed_by))| match needed_by {
            Some(by) => format!("{path} ({}, needed by {by})", ByteSize(*size)),
            None => format!("{path} ({})", ByteSize(*size)),
        })
        .collect();
    Some(Note::Hint(format!(
        "includes, with the libraries that they need, have {}; the largest parts are\n{}\n\
         `--exclude PATTERN`, or `exclude` below `[[include]]`, leaves files of a directory out",
        ByteSize(total),
        listed.join("\n")
    )))
}

/// Returns the part that a file is counted for: the file or directory directly below the include's own directory, or the
/// library itself with the object that needs it. `None` if it is there for another reason.
fn part_of(
    path: &ImagePath,
    entry: &Entry,
    without_libraries: &Rootfs,
    includes: &[ResolvedInclude],
) -> Option<(ImagePath, Option<String>)> {
    match &entry.reason {
        EntryReason::Included(_) => {
            let directories =
                includes.iter().filter_map(|include| ImagePath::parse(include.to.as_bytes()).ok());
            let home = directories.filter(|to| path.is_within(to)).max_by_key(|to| to.components().count());
            let Some(home) = home else { return Some((path.clone(), None)) };
            let names = path.strip_prefix(&home).into_iter().flatten();
            Some((home.join_components(names.take(1)), None))
        }
        EntryReason::Needed { by, .. } | EntryReason::Dlopened { by, .. }
            if !without_libraries.contains(path) =>
        {
            Some((path.clone(), Some(by.to_string())))
        }
        _ => None,
    }
}
