//! A new image to registries, its blobs while others are still made. It gets its names there when all of it is there.
//!
//! Several names in one repository take one way there; a second repository at the same registry mounts what the first has.

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

/// The ways to all names of a new image.
#[derive(Default)]
pub struct Routes {
    routes: Vec<Route>,
    jobs: usize,
}

/// The way to one repository.
struct Route {
    remote: Remote,
    /// What an earlier route has brought to the same registry.
    from: Option<Repository>,
    names: Vec<Named>,
    sent: Mutex<Sent>,
}

/// Opens a blob, each time from its start.
type Open = Box<dyn Fn() -> io::Result<Box<dyn Read>> + Send + Sync>;

/// A blob that waits to be sent.
struct Parcel {
    digest: Digest,
    size: u64,
    /// Where a registry may have it already.
    from: Option<Repository>,
    open: Open,
}

/// Takes the blobs of an image as they are made.
pub struct Outbox<'a> {
    parcels: Option<Sender<Parcel>>,
    offered: Mutex<BTreeSet<Digest>>,
    repositories: u64,
    road: &'a Road<'a>,
}

/// What all that is on its way has in common.
struct Road<'a> {
    observer: &'a Observer<'a>,
    stop: Arc<AtomicBool>,
    failure: Mutex<Option<Error>>,
}

impl Routes {
    /// The ways to `names`, none of which is asked yet. Some blobs may be had from these `others`.
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

    /// Whether nothing is sent anywhere.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Whether all names stand for the image of this digest. That costs one request for each.
    ///
    /// # Errors
    /// When a registry can't be asked.
    pub fn lead_to(&self, digest: Digest) -> Result<bool, Error> {
        for (route, named) in self.named() {
            if !route.has(named, digest)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets `work` make blobs, and sends those that it puts into the outbox meanwhile. It returns when all are there.
    ///
    /// What fails on the way, or the observer, is told to `work` by [`Outbox::go_on`]; where `work` fails, what is on
    /// its way is given up.
    ///
    /// # Errors
    /// Those of `work`; and when a blob can't be read, or a registry can't be asked or refuses it.
    pub fn carry<T, E: From<Error>>(
        &self,
        observer: &Observer<'_>,
        work: impl FnOnce(&Outbox<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let road = Road { observer, stop: Arc::default(), failure: Mutex::default() };
        let (sender, parcels) = channel();
        let parcels = Mutex::new(parcels);
        let worked = thread::scope(|scope| {
            for _ in 0..if self.is_empty() { 0 } else { self.jobs.max(1) } {
                scope.spawn(|| self.carry_all(&parcels, &road));
            }
            let sender = (!self.is_empty()).then_some(sender);
            let repositories = self.routes.len() as u64;
            let outbox = Outbox { parcels: sender, offered: Mutex::default(), repositories, road: &road };
            let worked = work(&outbox);
            if worked.is_err() {
                road.stop.store(true, Ordering::Relaxed);
            }
            worked
        });
        match road.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure.into()),
            None => worked,
        }
    }

    /// Gives the image of `documents`, whose blobs are there, its names; what was sent for each, in the order of
    /// [`Routes::new`]'s repositories.
    ///
    /// # Errors
    /// When a registry can't be asked or refuses something.
    pub fn name(&self, documents: &[Document]) -> Result<Vec<(Named, Sent)>, Error> {
        let Some(root) = documents.last() else { return Ok(Vec::new()) };
        let mut named = Vec::new();
        for (route, name) in self.named() {
            let mut sent = route.sent.lock().unwrap_or_else(PoisonError::into_inner);
            let own = *sent;
            // For the next name in the same repository.
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

    /// One thread's work: parcel after parcel, until there are no more.
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
    fn has(&self, named: &Named, digest: Digest) -> Result<bool, Error> {
        let head = self.remote.head(Target::Tag(named.reference.tag()))?;
        Ok(head.is_some_and(|head| head.digest == digest))
    }

    /// The other repository of the same registry that has a blob.
    fn source<'a>(&'a self, parcel: &'a Parcel) -> Option<&'a Repository> {
        let here = self.remote.repository();
        let own = parcel.from.as_ref().filter(|from| from.registry() == here.registry() && *from != here);
        own.or(self.from.as_ref())
    }

    fn carry(&self, parcel: &Parcel, road: &Road<'_>) -> Result<(), Error> {
        let open = || -> io::Result<Box<dyn Read>> {
            // What is small would be there before anybody is asked.
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
        // As good as sent.
        road.moved(parcel.size);
        Ok(())
    }
}

impl Outbox<'_> {
    /// Sends a blob as soon as may be; one that was offered before is on its way already. `open` gives its bytes, until
    /// [`Routes::carry`] ends; `from` is a repository that has it, too. Says how many bytes are to be sent, to all
    /// repositories.
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

    /// Whether it is of any use to make more.
    pub fn go_on(&self) -> ControlFlow<()> {
        if self.road.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Road<'_> {
    fn moved(&self, bytes: u64) {
        if (self.observer)(bytes).is_break() {
            self.close(Error::Interrupted);
        }
    }

    fn is_closed(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Stops all; the first reason counts.
    fn close(&self, error: Error) {
        if !self.stop.swap(true, Ordering::Relaxed) {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }
}
