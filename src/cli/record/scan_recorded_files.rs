//! Finds the recorded files that a build would reject, because the secret scanner finds something in them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coracle::rootfs::{Entry, EntryNode, EntryReason, LayerKind, Owner};
use coracle_core::content::Content;
use coracle_core::content_scanner::ContentScanner as _;
use coracle_core::fs;
use coracle_core::path::ImagePath;
use coracle_scan::{ForbiddenContents, SecretScanner, Severity};

use super::planned_image::PlannedImage;

/// The maximum size of a file that is scanned here, in bytes. The build scans larger ones.
const MAX_SIZE: u64 = 1 << 20;

/// Scans recorded files, each of them once.
pub(super) struct RecordedFileScanner<'a> {
    image: &'a PlannedImage,
    known: RefCell<BTreeMap<PathBuf, bool>>,
}

impl<'a> RecordedFileScanner<'a> {
    pub(super) fn new(image: &'a PlannedImage) -> Self {
        Self { image, known: RefCell::default() }
    }

    /// Returns whether the scanner rejects the file `path` at `in_image`, and the recipe does not accept it.
    pub(super) fn rejects(&self, path: &Path, in_image: &Path) -> bool {
        if let Some(known) = self.known.borrow().get(path) {
            return *known;
        }
        let Ok(in_image) = ImagePath::parse(in_image.as_os_str().as_encoded_bytes()) else { return false };
        let is_allowed = self.image.recipe.checks.allowed_paths.contains_key(&in_image);
        // The build accepts what a package has installed at the same path.
        let is_packaged = || {
            let files = [in_image.clone()].into();
            in_image.as_bytes() == fs::path_to_bytes(path)
                && coracle::packaged_paths(&files).is_some_and(|packaged| !packaged.is_empty())
        };
        let is_rejected = !is_allowed && is_rejected(path, &in_image) && !is_packaged();
        self.known.borrow_mut().insert(path.to_owned(), is_rejected);
        is_rejected
    }
}

fn is_rejected(path: &Path, in_image: &ImagePath) -> bool {
    let is_small = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_SIZE);
    let Some(bytes) = is_small.then(|| std::fs::read(path).ok()).flatten() else { return false };
    let entry = Entry {
        node: EntryNode::File(Content::from_bytes(Vec::new())),
        owner: Owner::ROOT,
        mode: 0o644,
        modified: 0,
        reason: EntryReason::Included(path.display().to_string()),
        layer_kind: LayerKind::Data,
    };
    let mut scanner = SecretScanner::new(ForbiddenContents::default());
    if let Some(mut scan) = scanner.start_scan(in_image, &entry) {
        scan.update(&bytes);
        scan.finish();
    }
    scanner.findings().iter().any(|finding| finding.severity == Severity::Error)
}
