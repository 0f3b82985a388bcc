//! Warnings about mode bits and extended attributes of host files that the image lacks.

use std::collections::BTreeMap;

use super::MAX_LISTED;
use super::file_tree::Rootfs;
use coracle_core::byte_size::ByteSize;
use coracle_core::entry::{Entry, EntryNode, Owner};
use coracle_core::fs::FileId;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;

const SET_ID_BITS: u32 = 0o6000;
const STICKY_BIT: u32 = 0o1000;

/// The set-ID and sticky bits and the extended attributes of files and directories on the host, by their paths in the
/// image.
#[derive(Default)]
pub(super) struct DroppedAttributes {
    modes: BTreeMap<ImagePath, u32>,
    extended: BTreeMap<ImagePath, Vec<String>>,
    /// Paths of files with several hard links.
    hard_links: BTreeMap<FileId, Vec<ImagePath>>,
}

impl DroppedAttributes {
    /// Records the mode that a file or a directory has on the host.
    pub(super) fn record_mode(&mut self, path: &ImagePath, mode: u32) {
        let bits = mode & (SET_ID_BITS | STICKY_BIT);
        if bits != 0 {
            *self.modes.entry(path.clone()).or_default() |= bits;
        }
    }

    /// Records a path of a file that has several hard links on the host. Each becomes a file.
    pub(super) fn record_hard_link(&mut self, path: ImagePath, file_id: FileId) {
        let paths = self.hard_links.entry(file_id).or_default();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }

    /// Records the names of extended attributes that a file has on the host.
    pub(super) fn record_attributes(&mut self, path: &ImagePath, names: Vec<String>) {
        if !names.is_empty() {
            self.extended.insert(path.clone(), names);
        }
    }

    /// Returns a warning for each kind of attribute that the entries of `rootfs` lack.
    pub(super) fn warnings(&self, rootfs: &Rootfs) -> Vec<Note> {
        let set_id = self.paths_lacking_bits(rootfs, SET_ID_BITS);
        let sticky = self.paths_lacking_bits(rootfs, STICKY_BIT);
        let is_directory = |path: &ImagePath| {
            rootfs.entries.get(path).is_some_and(|entry| matches!(entry.node, EntryNode::Directory))
        };
        let (directories, files): (Vec<&ImagePath>, Vec<&ImagePath>) =
            sticky.iter().copied().partition(|path| is_directory(path));
        let mut notes = Vec::new();
        notes.extend(list_paths("set-id bits are dropped", &set_id));
        notes.extend(list_paths("sticky bits are dropped", &files));
        if let Some(text) = list_paths("sticky bits of directories are dropped", &directories) {
            let advice = "if the program writes to such a directory, declare it: `--state PATH`, or `[[state]]` in a recipe";
            notes.push(format!("{text}\n{advice}"));
        }
        let mut paths_by_names: BTreeMap<&[String], Vec<&ImagePath>> = BTreeMap::new();
        for (path, names) in &self.extended {
            paths_by_names.entry(names).or_default().push(path);
        }
        notes.extend(paths_by_names.into_iter().map(|(names, paths)| attributes_warning(names, &paths)));
        notes.extend(self.hard_link_warning(rootfs));
        notes.into_iter().map(Note::Warning).collect()
    }

    /// Warns if hard links that became copies add [`MIN_COPIES_SIZE`] or more to the image.
    fn hard_link_warning(&self, rootfs: &Rootfs) -> Option<String> {
        let size = |path: &ImagePath| match rootfs.entries.get(path).map(|entry| &entry.node) {
            Some(EntryNode::File(content)) => content.size(),
            _ => 0,
        };
        let copies: Vec<&ImagePath> =
            self.hard_links.values().flat_map(|paths| paths.iter().skip(1)).collect();
        let added: u64 = copies.iter().map(|path| size(path)).sum();
        if added < MIN_COPIES_SIZE {
            return None;
        }
        let text = list_paths("hard links become copies", &copies)?;
        Some(format!("{text}\nthis adds {} to the image: symbolic links add nothing", ByteSize(added)))
    }

    /// Returns the paths whose entries lack one of `bits`. State directories are left out, because
    /// they have a mode of their own.
    fn paths_lacking_bits(&self, rootfs: &Rootfs, bits: u32) -> Vec<&ImagePath> {
        let is_lost = |path: &ImagePath, mode: u32| {
            let kept = |entry: &Entry| entry.owner != Owner::ROOT || mode & bits & !entry.mode == 0;
            mode & bits != 0 && !rootfs.entries.get(path).is_some_and(kept)
        };
        self.modes.iter().filter(|(path, mode)| is_lost(path, **mode)).map(|(path, _)| path).collect()
    }
}

/// The size of copies of hard links that is worth a warning, in bytes.
const MIN_COPIES_SIZE: u64 = 1 << 20;

/// Returns `what` and the first of `paths`; `None` without paths.
fn list_paths(what: &str, paths: &[&ImagePath]) -> Option<String> {
    let shown: Vec<String> = paths.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    let more = match paths.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    (!paths.is_empty()).then(|| format!("{what}: {}{more}", shown.join(", ")))
}

/// The attribute with the capabilities that a program has when it starts.
const FILE_CAPABILITIES: &str = "security.capability";

/// Returns the warning about the files and directories at `paths`, which all have the attributes `names`.
fn attributes_warning(names: &[String], paths: &[&ImagePath]) -> String {
    let shown: Vec<String> = paths.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    let more = match paths.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let advice = if names.iter().any(|name| name == FILE_CAPABILITIES) {
        "\na container gets its capabilities from the runtime: `--cap-add`, or `capabilities.add` in the \
         `securityContext` of Kubernetes"
    } else {
        ""
    };
    format!("{}{more}: extended attributes are dropped: {}{advice}", shown.join(", "), names.join(", "))
}
