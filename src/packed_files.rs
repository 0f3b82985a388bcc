//! The files of a planned image with their digests and packages, for locks and provenance.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::image_plan::Plan;
use crate::inventory::{ImageInventory, Package};
use crate::rootfs::EntryNode;
use coracle_core::content::Content;
use coracle_core::digest::{Digest, DigestHasher};
use coracle_core::entry::EntryReason;
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath, escape_bytes};

/// The number of bytes that are hashed at a time.
const CHUNK: usize = 256 << 10;

/// A file or link of a planned image.
pub(crate) struct PackedFile<'a> {
    pub(crate) path: &'a ImagePath,
    pub(crate) node: PackedNode,
    /// The permission bits. `None` for links.
    pub(crate) mode: Option<u32>,
    /// The package that owns the file.
    pub(crate) package: Option<&'a Package>,
    /// Why it is in the image. Paths of this machine are left out.
    pub(crate) reason: String,
}

/// What is at the path.
pub(crate) enum PackedNode {
    File {
        digest: Digest,
        size: u64,
    },
    /// A symbolic or hard link, with its target.
    Link(String),
}

/// Returns all files and links of the image, sorted by path. Reads all contents.
///
/// # Errors
/// Fails if a file cannot be read, or has changed since it was planned.
pub(crate) fn packed_files(plan: &Plan) -> Result<Vec<PackedFile<'_>>, Error> {
    let owners = owners(&plan.inventory);
    let mut files = Vec::new();
    for (path, entry) in plan.rootfs.iter() {
        let (node, mode) = match &entry.node {
            EntryNode::Directory => continue,
            EntryNode::File(content) => {
                (PackedNode::File { digest: hash(content)?, size: content.size() }, Some(entry.mode))
            }
            EntryNode::Symlink(target) => (PackedNode::Link(target.to_string()), None),
            EntryNode::HardLink(target) => (PackedNode::Link(target.to_string()), None),
        };
        let package = owners.get(path).copied();
        files.push(PackedFile { path, node, mode, package, reason: reason_text(&entry.reason) });
    }
    Ok(files)
}

/// Returns the package of each file that has one.
fn owners(inventory: &ImageInventory) -> BTreeMap<&ImagePath, &Package> {
    inventory
        .packages
        .iter()
        .flat_map(|package| package.files.keys().map(move |path| (path, package)))
        .collect()
}

fn reason_text(reason: &EntryReason) -> String {
    // The paths are those of this machine, and differ from those in the image.
    let name = |path: &RawPath| escape_bytes(path.file_name());
    match reason {
        EntryReason::Included(_) => "included".into(),
        EntryReason::Interpreter(program) => format!("interpreter of {}", name(program)),
        EntryReason::Needed { by, .. } => format!("needed by {}", name(by)),
        EntryReason::Dlopened { by, why } => format!("opened by {}, {why}", name(by)),
        reason => reason.to_string(),
    }
}

fn hash(content: &Content) -> fs::Result<Digest> {
    let open = content.open()?;
    let (mut hasher, mut chunk, mut offset) = (DigestHasher::default(), vec![0; CHUNK], 0);
    loop {
        let read = open.read_at(&mut chunk, offset)?;
        if read == 0 {
            open.verify_unchanged()?;
            return Ok(hasher.finish());
        }
        hasher.update(chunk.get(..read).unwrap_or_default());
        offset += read as u64;
    }
}
