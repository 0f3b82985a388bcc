//! Pushes a new image to several names. Blobs are uploaded while others are still being built; the
//! tags are written after all content.
//!
//! Each blob is uploaded once per repository. A second repository at the same registry mounts the
//! blobs of the first.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::push::{Stoppable, put};
use super::{Error, Named, Observer, Sent};
use coracle_core::digest::Digest;
use crate::image::{Descriptor, Document};
use crate::registry::{Access, Client, Content, Pushed, Remote, Repository, Target, Upload};

/// The repositories and names to push a new image to.
#[derive(Default)]
pub struct Routes {
    routes: Vec<Route>,
    jobs: usize,
}

/// A repository to push to, with the names in it.
struct Route {
    remote: Remote,
    /// An earlier target at the same registry, to mount blobs from.
    from: Option<Repository>,
    names: Vec<Named>,
    sent: Mutex<Sent>,
}

/// A function that opens a blob at its start.
type Open = Box<dyn Fn() -> io::Result<Box<dyn Read>> + Send + Sync>;

/// A blob that waits to be uploaded.
struct Parcel {
    digest: Digest,
    size: u64,
    /// A repository that may have the blob.
    from: Option<Repository>,
    open: Open,
}

/// The queue of blobs to upload, filled while they are built.
pub struct Outbox<'a> {
    parcels: Option<Sender<Parcel>>,
    offered: Mutex<BTreeSet<Digest>>,
    repositories: u64,
    road: &'a Road<'a>,
}

/// The state that all uploads share.
struct Road<'a> {
    observer: &'a Observer<'a>,
    stop: Arc<AtomicBool>,
    failure: Mutex<Option<Error>>,
}

impl Routes {
    /// Groups `names` by repository. Blobs may be mounted from the repositories `others`. No
    /// request is sent yet.
    pub fn new(client: &Client, names: &[Named], others: &[Repository]) -> Self {
        let mut routes: Vec<Route> = Vec::new();
        for named in names {
            let repository = Repository::from(&named.reference);
            if let Some(route) = routes.iter_mut().find(|route| *route.remote.repository() == repository) {
                route.names.push(named.clone());
                continue;
            }
            let mut known = routes.iter().map(|route| route.remote.repository());
            let from = known.find(|other| other.registry() == repository.registry()).cloned();
            let is_other =
                |other: &&Repository| other.registry() == repository.registry() && **other != repository;
            let others = others.iter().filter(is_other);
            let mounts: BTreeSet<&str> = from.iter().chain(others).map(Repository::name).collect();
            let mounts = mounts.into_iter().map(str::to_owned).collect();
            let remote = client.open(&repository, &Access::Push { mounts });
            routes.push(Route { remote, from, names: vec![named.clone()], sent: Mutex::default() });
        }
        Self { routes, jobs: client.jobs() }
    }

    /// Whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Whether all tags point to `digest`; one request for each.
    ///
    /// # Errors
    /// Fails if a request fails.
    pub fn lead_to(&self, digest: Digest) -> Result<bool, Error> {
        for (route, named) in self.named() {
            if !route.has(named, digest)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs `work`, uploads the blobs that it adds to the queue in parallel, and returns after the
    /// last upload.
    ///
    /// After a failed upload or cancellation, [`Outbox::go_on`] returns `Break`. If `work` fails,
    /// the uploads are cancelled.
    ///
    /// # Errors
    /// Fails if `work` fails, a blob can't be read, or a request fails.
    pub fn carry<T, E: From<Error>>(
        &self,
        observer: &Observer<'_>,
        work: impl FnOnce(&Outbox<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let road = Road { observer, stop: Arc::default(), failure: Mutex::default() };
        let (sender, parcels) = channel();
        let parcels = Mutex::new(parcels);
        let result = thread::scope(|scope| {
            for _ in 0..if self.is_empty() { 0 } else { self.jobs.max(1) } {
                scope.spawn(|| self.carry_all(&parcels, &road));
            }
            let sender = (!self.is_empty()).then_some(sender);
            let repositories = self.routes.len() as u64;
            let outbox = Outbox { parcels: sender, offered: Mutex::default(), repositories, road: &road };
            let result = work(&outbox);
            if result.is_err() {
                road.stop.store(true, Ordering::Relaxed);
            }
            result
        });
        match road.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure.into()),
            None => result,
        }
    }

    /// Pushes the manifests `documents`, and writes the tags. The blobs must have been uploaded
    /// before. Returns what was sent for each name, grouped by repository.
    ///
    /// # Errors
    /// Fails if a request fails.
    pub fn name(&self, documents: &[Document]) -> Result<Vec<(Named, Sent)>, Error> {
        let Some(root) = documents.last() else { return Ok(Vec::new()) };
        let mut named = Vec::new();
        for (route, name) in self.named() {
            let mut sent = route.sent.lock().unwrap_or_else(PoisonError::into_inner);
            let own = *sent;
            // For the next name in the same repository, the blobs exist.
            *sent = Sent { present: own.blobs + own.mounted + own.present, ..Sent::default() };
            if own.blobs + own.mounted == 0 && route.has(name, root.digest)? {
                named.push((name.clone(), Sent { is_unchanged: true, ..Sent::default() }));
                continue;
            }
            put(&route.remote, documents, Target::Tag(name.reference.tag()))?;
            named.push((name.clone(), own));
        }
        Ok(named)
    }

    fn named(&self) -> impl Iterator<Item = (&Route, &Named)> {
        self.routes.iter().flat_map(|route| route.names.iter().map(move |named| (route, named)))
    }

    /// The upload thread: uploads queued blobs until the queue is closed.
    fn carry_all(&self, parcels: &Mutex<Receiver<Parcel>>, road: &Road<'_>) {
        let next = || parcels.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok(parcel) = next() {
            if road.is_closed() {
                continue;
            }
            if let Err(error) = self.routes.iter().try_for_each(|route| route.carry(&parcel, road)) {
                road.close(error);
            }
        }
    }
}

impl Route {
    /// Whether the tag points to `digest`.
    fn has(&self, named: &Named, digest: Digest) -> Result<bool, Error> {
        let head = self.remote.head(Target::Tag(named.reference.tag()))?;
        Ok(head.is_some_and(|head| head.digest == digest))
    }

    /// The repository at the same registry to mount a blob from.
    fn source<'a>(&'a self, parcel: &'a Parcel) -> Option<&'a Repository> {
        let here = self.remote.repository();
        let own = parcel.from.as_ref().filter(|from| from.registry() == here.registry() && *from != here);
        own.or(self.from.as_ref())
    }

    /// Uploads a blob, unless it exists or can be mounted.
    fn carry(&self, parcel: &Parcel, road: &Road<'_>) -> Result<(), Error> {
        let open = || -> io::Result<Box<dyn Read>> {
            // Small blobs may be sent without another progress call: check for cancellation here.
            road.moved(0);
            Ok(Box::new(Stoppable { reader: (parcel.open)()?, stop: road.stop.clone() }))
        };
        let progress = |bytes| road.moved(bytes);
        let upload = Upload {
            digest: parcel.digest,
            size: parcel.size,
            content: Content::Stream(&open),
            from: self.source(parcel).map(Repository::name),
            progress: Some(&progress),
        };
        let pushed = self.remote.push_blob(&upload)?;
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        match pushed {
            Pushed::Present => sent.present += 1,
            Pushed::Mounted => sent.mounted += 1,
            Pushed::Sent => {
                sent.blobs += 1;
                sent.bytes += parcel.size;
                return Ok(());
            }
        }
        // Count the blob as sent, so that progress reaches the total.
        road.moved(parcel.size);
        Ok(())
    }
}

impl Outbox<'_> {
    /// Adds a blob to the queue, unless it was added before. `open` must work until
    /// [`Routes::carry`] returns. `from` is a repository that may have the blob. Returns the number
    /// of bytes to send to all repositories, 0 for a duplicate.
    pub fn offer(
        &self,
        blob: &Descriptor,
        from: Option<Repository>,
        open: impl Fn() -> io::Result<Box<dyn Read>> + Send + Sync + 'static,
    ) -> u64 {
        let Some(parcels) = &self.parcels else { return 0 };
        let is_new = self.offered.lock().unwrap_or_else(PoisonError::into_inner).insert(blob.digest);
        let parcel = Parcel { digest: blob.digest, size: blob.size, from, open: Box::new(open) };
        if is_new && parcels.send(parcel).is_ok() { blob.size.saturating_mul(self.repositories) } else { 0 }
    }

    /// `Break` after a failed upload or cancellation: building more blobs is useless.
    pub fn go_on(&self) -> ControlFlow<()> {
        if self.road.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Road<'_> {
    /// Reports sent bytes to the observer, and stops if it cancels.
    fn moved(&self, bytes: u64) {
        if (self.observer)(bytes).is_break() {
            self.close(Error::Interrupted);
        }
    }

    fn is_closed(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Stops all uploads. Only the first error is kept.
    fn close(&self, error: Error) {
        if !self.stop.swap(true, Ordering::Relaxed) {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }
}
