//! Garbage collection: removes the blobs of a layout that are not reachable from its index.
//!
//! A blob is kept if its digest occurs anywhere in a reachable document, including members of later
//! versions of the specification. If a document cannot be read, nothing is removed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::LayoutWarning;
use crate::image::MAX_DOCUMENT_SIZE;
use coracle_core::fs::{self, FinalLink};
use coracle_core::json;

/// Removes the blobs of `directory` that are not reachable from `index`, its `index.json`.
pub(super) fn remove_unreachable_blobs(directory: &Path, index: &Value) -> Vec<LayoutWarning> {
    let mut walk =
        ReachabilityWalk { directory, kept: BTreeSet::new(), seen: BTreeSet::new(), pending: Vec::new() };
    walk.visit_document(index);
    while let Some(document) = walk.pending.pop() {
        if let Err(digest) = walk.read_and_visit(&document) {
            return vec![LayoutWarning::UnusedBlobsKept { directory: directory.to_owned(), digest }];
        }
    }
    let blobs = directory.join("blobs").join("sha256");
    for name in fs::list_directory(&blobs).unwrap_or_default() {
        let digest = format!("sha256:{}", String::from_utf8_lossy(&name));
        if is_digest(&digest) && !walk.kept.contains(&digest) {
            // A blob that cannot be removed only wastes space.
            let _ = std::fs::remove_file(blobs.join(fs::path_from_bytes(&name)));
        }
    }
    Vec::new()
}

/// A document that has to be read.
struct PendingDocument {
    digest: String,
    /// `true` if it may be missing: a `subject` can be stored elsewhere.
    may_be_missing: bool,
}

struct ReachabilityWalk<'a> {
    directory: &'a Path,
    kept: BTreeSet<String>,
    /// The digests that were added to `pending`; a digest that only occurs in a text is not.
    seen: BTreeSet<String>,
    pending: Vec<PendingDocument>,
}

impl ReachabilityWalk<'_> {
    /// Collects the digests that a document refers to.
    fn visit_document(&mut self, document: &Value) {
        for entry in document.get("manifests").and_then(Value::as_array).into_iter().flatten() {
            self.enqueue(entry, false);
        }
        if let Some(subject) = document.get("subject") {
            self.enqueue(subject, true);
        }
        self.keep_digests_in(document);
    }

    fn enqueue(&mut self, descriptor: &Value, optional: bool) {
        let digest = descriptor.get("digest").and_then(Value::as_str).filter(|digest| is_digest(digest));
        if let Some(digest) = digest.filter(|digest| self.seen.insert((*digest).into())) {
            self.pending.push(PendingDocument { digest: digest.into(), may_be_missing: optional });
        }
    }

    fn keep_digests_in(&mut self, value: &Value) {
        match value {
            Value::String(text) if is_digest(text) => drop(self.kept.insert(text.clone())),
            Value::Array(items) => items.iter().for_each(|item| self.keep_digests_in(item)),
            Value::Object(members) => members.values().for_each(|member| self.keep_digests_in(member)),
            _ => {}
        }
    }

    /// Reads a pending document, and collects the digests that it refers to.
    ///
    /// # Errors
    /// Fails with its digest if it cannot be read.
    fn read_and_visit(&mut self, pending: &PendingDocument) -> Result<(), String> {
        match self.load_document(&pending.digest) {
            Some(document) => self.visit_document(&document),
            None if pending.may_be_missing => {}
            None => return Err(pending.digest.clone()),
        }
        Ok(())
    }

    fn load_document(&self, digest: &str) -> Option<Value> {
        let path = blob_path(self.directory, digest)?;
        let bytes = fs::read_regular_file(&path, FinalLink::Refuse, MAX_DOCUMENT_SIZE).ok()?;
        json::parse(&bytes).ok()
    }
}

/// Returns the path of a blob; `None` if `digest` is invalid.
fn blob_path(directory: &Path, digest: &str) -> Option<PathBuf> {
    let (algorithm, hex) = digest.split_once(':').filter(|_| is_digest(digest))?;
    Some(directory.join("blobs").join(algorithm).join(hex))
}

/// Returns whether `text` is a digest of any algorithm, which is safe to use in a path.
fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !algorithm.is_empty() && algorithm.bytes().all(word) && hex.len() >= 32 && hex.bytes().all(word)
    })
}
