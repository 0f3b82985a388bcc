//! Pulling blobs: streamed, verified at the end, and resumed after a lost connection. Source:
//! distribution-spec, "Pulling blobs".

use std::fmt;
use std::io::{self, Read};

use http::Method;

use super::client::RepositoryClient;
use super::error::RegistryError;
use super::http_transport::{ResponseBody, TransportFailure};
use super::request::{OutgoingRequest, RequestSummary};
use super::retry::{self, Backoff};
use coracle_core::digest::{Digest, DigestHasher};

/// After this many bytes without a failure the backoff is reset.
const PROGRESS_BYTES: u64 = 1 << 20;

/// A reader of a blob. It reaches its end only if size and digest of the content are right. Its I/O
/// errors wrap an [`RegistryError`].
pub struct BlobReader {
    remote: RepositoryClient,
    digest: Digest,
    size: u64,
    /// The number of bytes read so far.
    offset: u64,
    hasher: DigestHasher,
    state: ReadState,
    body: Option<(ResponseBody, RequestSummary)>,
    backoff: Backoff,
    /// The offset of the last failure.
    failed_at: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadState {
    Open,
    /// All bytes were read and verified.
    Ended,
    Failed,
}

impl RepositoryClient {
    /// Returns whether a blob exists. False also if the registry refuses to say: an upload then shows
    /// whether it is allowed. A registry without `HEAD` is asked for the first byte.
    ///
    /// # Errors
    /// Fails if the request fails.
    pub fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let target = self.api_path(&format!("blobs/{digest}"));
        let mut response = self.send(&OutgoingRequest::new(Method::HEAD, target.clone()))?;
        if response.is_method_unsupported() {
            response.drain();
            response =
                self.send(&OutgoingRequest::new(Method::GET, target).with_header("range", "bytes=0-0"))?;
        }
        match response.status {
            // An empty blob has no first byte.
            _ if response.is_success() || response.status == 416 => {
                response.drain();
                Ok(true)
            }
            404 => Ok(false),
            _ => {
                let error = self.response_error(response);
                if error.may_hide_absence() { Ok(false) } else { Err(error) }
            }
        }
    }

    /// Opens a blob of `size` bytes.
    ///
    /// # Errors
    /// Fails if the request fails or there is no such blob.
    pub fn pull_blob(&self, digest: &Digest, size: u64) -> Result<BlobReader, RegistryError> {
        let mut reader = BlobReader {
            remote: self.clone(),
            digest: *digest,
            size,
            offset: 0,
            hasher: DigestHasher::default(),
            state: ReadState::Open,
            body: None,
            backoff: self.new_backoff(),
            failed_at: 0,
        };
        reader.body = Some(reader.request_rest()?);
        Ok(reader)
    }
}

impl BlobReader {
    /// Requests the rest of the blob.
    fn request_rest(&self) -> Result<(ResponseBody, RequestSummary), RegistryError> {
        let mut outgoing =
            OutgoingRequest::new(Method::GET, self.remote.api_path(&format!("blobs/{}", self.digest)));
        outgoing.has_body_timeout = false;
        if self.offset > 0 {
            outgoing = outgoing.with_header("range", format!("bytes={}-", self.offset));
        }
        let response = self.remote.send(&outgoing)?;
        let request = response.request.clone();
        let skipped = match response.status {
            206 if response
                .header("content-range")
                .is_some_and(|range| range_starts_at(range, self.offset)) =>
            {
                0
            }
            206 => {
                let why = "it is not the requested range".into();
                return Err(RegistryError::InvalidResponse { request, why });
            }
            _ if response.is_success() => self.offset,
            _ => return Err(self.remote.response_error(response)),
        };
        let mut body = response.body;
        // A registry without range support sends the blob from its start.
        match io::copy(&mut (&mut body).take(skipped), &mut io::sink()) {
            Ok(copied) if copied == skipped => Ok((body, request)),
            Ok(_) => Err(RegistryError::NoResponse { request, failure: TransportFailure::ConnectionLost }),
            Err(error) => {
                Err(RegistryError::NoResponse { request, failure: TransportFailure::from_io_error(&error) })
            }
        }
    }

    /// Reads from the body, and resumes after a failure. Returns at least one byte, unless none is
    /// left.
    fn read_body(&mut self, buffer: &mut [u8]) -> Result<usize, RegistryError> {
        let most = usize::try_from(self.size - self.offset).unwrap_or(usize::MAX).min(buffer.len());
        loop {
            let error = match &mut self.body {
                Some((body, request)) => match body.read(buffer.get_mut(..most).unwrap_or_default()) {
                    Ok(0) if most > 0 => RegistryError::NoResponse {
                        request: request.clone(),
                        failure: TransportFailure::ConnectionLost,
                    },
                    Ok(read) => return Ok(read),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => RegistryError::NoResponse {
                        request: request.clone(),
                        failure: TransportFailure::from_io_error(&error),
                    },
                },
                None => match self.request_rest() {
                    Ok(open) => {
                        self.body = Some(open);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            self.body = None;
            self.sleep_before_retry(error)?;
        }
    }

    /// Sleeps before the next attempt. Returns `error` if there are no attempts left or it is not
    /// transient.
    fn sleep_before_retry(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        if self.offset - self.failed_at >= PROGRESS_BYTES {
            self.backoff = self.remote.new_backoff();
        }
        self.failed_at = self.offset;
        match self.backoff.next_delay(None).filter(|_| retry::is_response_lost(&error)) {
            Some(pause) => {
                std::thread::sleep(pause);
                Ok(())
            }
            None => Err(error),
        }
    }

    /// Verifies size and digest after the last byte.
    fn verify_size_and_digest(&mut self) -> Result<(), RegistryError> {
        let Some((mut body, request)) = self.body.take() else { return Ok(()) };
        if matches!(body.read(&mut [0]), Ok(1..)) {
            let why = format!("the blob is longer than the {} bytes of its descriptor", self.size);
            return Err(RegistryError::InvalidResponse { request, why });
        }
        let found = std::mem::take(&mut self.hasher).finish();
        if found != self.digest {
            return Err(RegistryError::DigestMismatch { request, expected: self.digest, found });
        }
        self.state = ReadState::Ended;
        Ok(())
    }

    /// Reads the next bytes. The last ones are returned only after verification, so that a corrupt
    /// blob never looks complete.
    fn read_verified(&mut self, buffer: &mut [u8]) -> Result<usize, RegistryError> {
        let read = if self.offset < self.size { self.read_body(buffer)? } else { 0 };
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.offset += read as u64;
        if self.offset == self.size {
            self.verify_size_and_digest()?;
        }
        Ok(read)
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.state {
            _ if buffer.is_empty() => Ok(0),
            ReadState::Ended => Ok(0),
            ReadState::Failed => Err(io::Error::other("the blob could not be read")),
            ReadState::Open => self.read_verified(buffer).map_err(|error| {
                self.state = ReadState::Failed;
                io::Error::other(error)
            }),
        }
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobReader({}, {} of {} bytes)", self.digest, self.offset, self.size)
    }
}

/// Returns whether the `Content-Range` header `bytes A-B/SIZE` starts at `at`.
fn range_starts_at(range: &str, at: u64) -> bool {
    let start = range.strip_prefix("bytes ").and_then(|range| range.split('-').next());
    start.and_then(|start| start.trim().parse().ok()) == Some(at)
}
