//! Blobs to a registry: nothing is sent that is there, and what was sent before a cut is not sent again where the
//! registry kept it. Source: distribution-spec, "Pushing blobs".

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::call::{Body, Content};
use super::retry;
use super::session::Start;
use super::{Error, Remote};
use coracle_core::digest::Digest;

/// A blob to be sent.
#[derive(Clone, Copy)]
pub struct Upload<'a> {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Where they are.
    pub content: Content<'a>,
    /// A repository of the same registry that may have it already, such as `acme/base`.
    pub from: Option<&'a str>,
    /// Is told how many bytes more have gone out; what is sent again is told again.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

/// How a blob came to be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It was.
    Present,
    /// From another repository of the registry.
    Mounted,
    /// It was sent.
    Sent,
}

impl Remote {
    /// Sends a blob, unless it is there or can be mounted.
    ///
    /// # Errors
    /// When it can't be read, and when the registry can't be asked or refuses it. What was begun there is given up.
    pub fn push_blob(&self, upload: &Upload<'_>) -> Result<Pushed, Error> {
        if self.has_blob(&upload.digest)? {
            return Ok(Pushed::Present);
        }
        let mut session = match self.start(upload)? {
            Start::Mounted => return Ok(Pushed::Mounted),
            Start::Session(session) => session,
        };
        let mut waits = self.waits();
        loop {
            let Err(error) = session.send(self, upload) else { return Ok(Pushed::Sent) };
            let Some(wait) = retry::after_upload(&error).and_then(|asked| waits.next(asked)) else {
                session.cancel(self);
                return Err(error);
            };
            std::thread::sleep(wait);
            // Perhaps only the answer was lost.
            match self.has_blob(&upload.digest) {
                Ok(false) => {}
                Ok(true) => return Ok(Pushed::Sent),
                Err(error) => {
                    session.cancel(self);
                    return Err(error);
                }
            }
            session = match session.resume(self, upload.size) {
                Some(session) => session,
                None => match self.start(upload)? {
                    Start::Mounted => return Ok(Pushed::Mounted),
                    Start::Session(session) => session,
                },
            };
        }
    }

    /// Sends blobs, several at once, and says for each how it came to be there. A blob that is named twice is sent once.
    ///
    /// # Errors
    /// Those of [`Remote::push_blob`]; then no further blob is begun.
    pub fn push_blobs(&self, uploads: &[Upload<'_>]) -> Result<Vec<Pushed>, Error> {
        let next = AtomicUsize::new(0);
        let outcomes: Vec<Mutex<Option<Result<Pushed, Error>>>> =
            uploads.iter().map(|_| Mutex::new(None)).collect();
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let (Some(upload), Some(outcome)) = (uploads.get(index), outcomes.get(index)) else { break };
                let twice = uploads.iter().take(index).any(|other| other.digest == upload.digest);
                let result = if twice { Ok(Pushed::Present) } else { self.push_blob(upload) };
                if result.is_err() {
                    next.store(uploads.len(), Ordering::Relaxed);
                }
                *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.client().settings().jobs.min(uploads.len()) {
                scope.spawn(work);
            }
            work();
        });
        let outcomes = outcomes.into_iter();
        outcomes.filter_map(|outcome| outcome.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }
}

impl<'a> Upload<'a> {
    /// The bytes from `from` on.
    pub(super) fn rest(&self, from: u64) -> Body<'a> {
        let (content, progress) = (self.content, self.progress);
        Body { content, from, length: self.size.saturating_sub(from), progress }
    }
}
