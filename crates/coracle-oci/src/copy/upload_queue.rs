//! Pushes a new image to several names. Blobs are uploaded while others are still being built; the
//! tags are written after all content.
//!
//! Each blob is uploaded once per repository. A second repository at the same registry mounts the
//! blobs of the first.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::error::CopyError;
use super::push_image::{PushSummary, push_documents};
use super::registry_image_name::RegistryImageName;
use crate::image::{Descriptor, RawManifest};
use crate::registry::{
    Access, BlobContent, BlobUpload, ManifestReference, PushOutcome, RegistryClient, Repository,
    RepositoryClient,
};
use coracle_core::digest::Digest;
use coracle_core::progress::Progress;

/// The repositories and names to push a new image to.
#[derive(Default)]
pub struct PushTargets {
    targets: Vec<PushTarget>,
    parallel_uploads: usize,
}

/// A repository to push to, with the names in it.
struct PushTarget {
    remote: RepositoryClient,
    /// An earlier target at the same registry, to mount blobs from.
    mount_from: Option<Repository>,
    names: Vec<RegistryImageName>,
    sent: Mutex<PushSummary>,
}

/// A function that opens a blob at its start.
type OpenBlob = Box<dyn Fn() -> io::Result<Box<dyn Read>> + Send + Sync>;

/// A blob that waits to be uploaded.
struct PendingBlob {
    digest: Digest,
    size: u64,
    /// A repository that may have the blob.
    from: Option<Repository>,
    open: OpenBlob,
}

/// The queue of blobs to upload, filled while they are built.
pub struct UploadQueue<'a> {
    pending: Option<Sender<PendingBlob>>,
    queued: Mutex<BTreeSet<Digest>>,
    repositories: u64,
    state: &'a UploadState<'a>,
}

/// The state that all uploads share.
struct UploadState<'a> {
    progress: &'a dyn Progress,
    stop: AtomicBool,
    failure: Mutex<Option<CopyError>>,
}

impl PushTargets {
    /// Groups `names` by repository. Blobs may be mounted from the repositories `others`. No
    /// request is sent yet.
    pub fn new(client: &RegistryClient, names: &[RegistryImageName], others: &[Repository]) -> Self {
        let mut targets: Vec<PushTarget> = Vec::new();
        for named in names {
            let repository = Repository::from(&named.reference);
            if let Some(target) = targets.iter_mut().find(|target| *target.remote.repository() == repository)
            {
                target.names.push(named.clone());
                continue;
            }
            let mut known = targets.iter().map(|target| target.remote.repository());
            let from = known.find(|other| other.registry() == repository.registry()).cloned();
            let is_other =
                |other: &&Repository| other.registry() == repository.registry() && **other != repository;
            let others = others.iter().filter(is_other);
            let mounts: BTreeSet<&str> = from.iter().chain(others).map(Repository::name).collect();
            let mounts = mounts.into_iter().map(str::to_owned).collect();
            let remote = client.repository_client(&repository, &Access::Push { mounts });
            targets.push(PushTarget {
                remote,
                mount_from: from,
                names: vec![named.clone()],
                sent: Mutex::default(),
            });
        }
        Self { targets, parallel_uploads: client.parallel_uploads() }
    }

    /// Returns whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Asks the registries whether all tags point to `digest`, with one request for each tag.
    ///
    /// # Errors
    /// Fails if a request fails.
    pub fn all_tags_point_to(&self, digest: Digest) -> Result<bool, CopyError> {
        for (target, named) in self.target_names() {
            if !target.tag_points_to(named, digest)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs `work`, uploads the blobs that it adds to the queue in parallel, and returns after the
    /// last upload.
    ///
    /// [`UploadQueue::is_cancelled`] is true after a failed upload or cancellation. If `work`
    /// fails, the uploads are cancelled.
    ///
    /// # Errors
    /// Fails if `work` fails, a blob can't be read, or a request fails.
    pub fn upload_while<T, E: From<CopyError>>(
        &self,
        progress: &dyn Progress,
        work: impl FnOnce(&UploadQueue<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let state = UploadState { progress, stop: AtomicBool::new(false), failure: Mutex::default() };
        let (sender, pending) = channel();
        let pending = Mutex::new(pending);
        let result = thread::scope(|scope| {
            for _ in 0..if self.is_empty() { 0 } else { self.parallel_uploads.max(1) } {
                scope.spawn(|| self.run_uploads(&pending, &state));
            }
            let sender = (!self.is_empty()).then_some(sender);
            let repositories = self.targets.len() as u64;
            let queue =
                UploadQueue { pending: sender, queued: Mutex::default(), repositories, state: &state };
            let result = work(&queue);
            if result.is_err() {
                state.stop.store(true, Ordering::Relaxed);
            }
            result
        });
        match state.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure.into()),
            None => result,
        }
    }

    /// Pushes the manifests `documents`, and writes the tags. The blobs must have been uploaded
    /// before. Returns what was sent for each name, grouped by repository.
    ///
    /// # Errors
    /// Fails if a request fails.
    pub fn push_manifests_and_tags(
        &self,
        documents: &[RawManifest],
    ) -> Result<Vec<(RegistryImageName, PushSummary)>, CopyError> {
        let Some(root) = documents.last() else { return Ok(Vec::new()) };
        let mut named = Vec::new();
        for (target, name) in self.target_names() {
            let mut sent = target.sent.lock().unwrap_or_else(PoisonError::into_inner);
            let own = *sent;
            // For the next name in the same repository, the blobs exist.
            *sent = PushSummary { present: own.blobs + own.mounted + own.present, ..PushSummary::default() };
            if own.blobs + own.mounted == 0 && target.tag_points_to(name, root.digest)? {
                named.push((name.clone(), PushSummary { is_unchanged: true, ..PushSummary::default() }));
                continue;
            }
            push_documents(&target.remote, documents, ManifestReference::Tag(name.reference.tag()))?;
            named.push((name.clone(), own));
        }
        Ok(named)
    }

    fn target_names(&self) -> impl Iterator<Item = (&PushTarget, &RegistryImageName)> {
        self.targets.iter().flat_map(|target| target.names.iter().map(move |named| (target, named)))
    }

    /// The upload thread: uploads queued blobs until the queue is closed.
    fn run_uploads(&self, pending: &Mutex<Receiver<PendingBlob>>, state: &UploadState<'_>) {
        let next = || pending.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok(blob) = next() {
            if state.is_cancelled() {
                continue;
            }
            if let Err(error) = self.targets.iter().try_for_each(|target| target.upload_blob(&blob, state)) {
                state.stop_uploads_with(error);
            }
        }
    }
}

impl PushTarget {
    /// Returns whether the tag points to `digest`.
    fn tag_points_to(&self, named: &RegistryImageName, digest: Digest) -> Result<bool, CopyError> {
        let head = self.remote.head_existing_manifest(ManifestReference::Tag(named.reference.tag()))?;
        Ok(head.is_some_and(|head| head.digest == digest))
    }

    /// The repository at the same registry to mount a blob from.
    fn mount_source<'a>(&'a self, blob: &'a PendingBlob) -> Option<&'a Repository> {
        let here = self.remote.repository();
        let own = blob.from.as_ref().filter(|from| from.registry() == here.registry() && *from != here);
        own.or(self.mount_from.as_ref())
    }

    /// Uploads a blob, unless it exists or can be mounted.
    fn upload_blob(&self, blob: &PendingBlob, state: &UploadState<'_>) -> Result<(), CopyError> {
        let upload = BlobUpload {
            digest: blob.digest,
            size: blob.size,
            content: BlobContent::Stream(&blob.open),
            mount_from: self.mount_source(blob).map(Repository::name),
            progress: state,
        };
        let outcome = self.remote.push_blob(&upload)?;
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.count_blob(outcome, blob.size);
        if outcome != PushOutcome::Sent {
            // Progress counts the blob as sent, so that it reaches the total.
            state.advance(blob.size);
        }
        Ok(())
    }
}

impl UploadQueue<'_> {
    /// Adds a blob to the queue, unless it was added before. `open` must work until
    /// [`PushTargets::upload_while`] returns. `from` is a repository that may have the blob.
    /// Returns the number of bytes to send to all repositories, 0 for a duplicate.
    pub fn enqueue(
        &self,
        blob: &Descriptor,
        from: Option<Repository>,
        open: impl Fn() -> io::Result<Box<dyn Read>> + Send + Sync + 'static,
    ) -> u64 {
        let Some(pending) = &self.pending else { return 0 };
        let is_new = self.queued.lock().unwrap_or_else(PoisonError::into_inner).insert(blob.digest);
        let pending_blob = PendingBlob { digest: blob.digest, size: blob.size, from, open: Box::new(open) };
        if is_new && pending.send(pending_blob).is_ok() {
            blob.size.saturating_mul(self.repositories)
        } else {
            0
        }
    }

    /// Returns whether an upload failed or was cancelled, so that building more blobs is useless. Does not
    /// ask the caller's `Progress`, which cancels the building of blobs itself.
    pub fn is_cancelled(&self) -> bool {
        self.state.stop.load(Ordering::Relaxed)
    }
}

impl Progress for UploadState<'_> {
    fn advance(&self, bytes: u64) {
        self.progress.advance(bytes);
    }

    /// Returns whether the caller has cancelled, or an upload has failed, which cancels the other
    /// uploads.
    fn is_cancelled(&self) -> bool {
        if self.progress.is_cancelled() {
            self.stop_uploads_with(CopyError::Cancelled);
        }
        self.stop.load(Ordering::Relaxed)
    }
}

impl UploadState<'_> {
    /// Stops all uploads. Only the first error is kept.
    fn stop_uploads_with(&self, error: CopyError) {
        if !self.stop.swap(true, Ordering::Relaxed) {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }
}
