//! Pushing blobs. Existing blobs are not sent, and interrupted uploads are resumed if the registry
//! supports it. Source: distribution-spec, "Pushing blobs".

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::client::RepositoryClient;
use super::error::RegistryError;
use super::retry;
use super::upload_session::{BlobUpload, UploadStart};

/// How a pushed blob got to the repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PushOutcome {
    /// The blob existed already.
    Present,
    /// The blob was mounted from another repository.
    Mounted,
    /// The blob was uploaded.
    Sent,
}

impl RepositoryClient {
    /// Pushes a blob, unless it exists or can be mounted.
    ///
    /// # Errors
    /// Fails if the content can't be read, a request fails, or `upload.progress` cancels. The
    /// upload session is cancelled then.
    pub fn push_blob(&self, upload: &BlobUpload<'_>) -> Result<PushOutcome, RegistryError> {
        if upload.progress.is_cancelled() {
            return Err(RegistryError::Cancelled);
        }
        if self.has_blob(&upload.digest)? {
            return Ok(PushOutcome::Present);
        }
        let mut session = match self.start_upload(upload)? {
            UploadStart::Mounted => return Ok(PushOutcome::Mounted),
            UploadStart::Session(session) => session,
        };
        let mut backoff = self.new_backoff();
        loop {
            let Err(error) = session.send_rest(self, upload) else { return Ok(PushOutcome::Sent) };
            let Some(wait) = retry::upload_retry_delay(&error).and_then(|delay| backoff.next_delay(delay))
            else {
                session.cancel(self);
                return Err(error);
            };
            std::thread::sleep(wait);
            // The upload may have succeeded with only the response lost.
            match self.has_blob(&upload.digest) {
                Ok(false) => {}
                Ok(true) => return Ok(PushOutcome::Sent),
                Err(error) => {
                    session.cancel(self);
                    return Err(error);
                }
            }
            session = match session.resume(self, upload.size) {
                Some(session) => session,
                None => match self.start_upload(upload)? {
                    UploadStart::Mounted => return Ok(PushOutcome::Mounted),
                    UploadStart::Session(session) => session,
                },
            };
        }
    }

    /// Pushes blobs in parallel and returns the outcome of each, in order. Duplicates are sent
    /// once.
    ///
    /// # Errors
    /// Fails like [`RepositoryClient::push_blob`]. No further upload is started then.
    pub fn push_blobs(&self, uploads: &[BlobUpload<'_>]) -> Result<Vec<PushOutcome>, RegistryError> {
        let next = AtomicUsize::new(0);
        let outcomes: Vec<Mutex<Option<Result<PushOutcome, RegistryError>>>> =
            uploads.iter().map(|_| Mutex::new(None)).collect();
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let (Some(upload), Some(outcome)) = (uploads.get(index), outcomes.get(index)) else { break };
                let is_duplicate = uploads.iter().take(index).any(|other| other.digest == upload.digest);
                let result = if is_duplicate { Ok(PushOutcome::Present) } else { self.push_blob(upload) };
                if result.is_err() {
                    next.store(uploads.len(), Ordering::Relaxed);
                }
                *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.client().settings().parallel_uploads.min(uploads.len()) {
                scope.spawn(work);
            }
            work();
        });
        let outcomes = outcomes.into_iter();
        outcomes.filter_map(|outcome| outcome.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }
}
