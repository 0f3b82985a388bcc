//! Pulling blobs: streamed, verified at the end, and resumed after a lost connection. Source:
//! distribution-spec, "Pulling blobs".

use std::fmt;
use std::io::{self, Read};

use ureq::BodyReader;
use ureq::http::Method;

use super::call::Call;
use super::error::{Error, Failure, Request};
use super::retry::{self, Waits};
use super::{Remote, wire};
use coracle_core::digest::{Digest, Hasher};

/// After this many bytes without a failure the backoff is reset.
const PROGRESS_BYTES: u64 = 1 << 20;

/// A reader of a blob. It reaches its end only if size and digest of the content are right. Its I/O
/// errors wrap an [`Error`].
pub struct BlobReader {
    remote: Remote,
    digest: Digest,
    size: u64,
    /// The number of bytes read so far.
    at: u64,
    hasher: Hasher,
    state: State,
    body: Option<(BodyReader<'static>, Request)>,
    waits: Waits,
    /// The offset of the last failure.
    cut_at: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// All bytes were read and verified.
    Ended,
    Failed,
}

impl Remote {
    /// Whether a blob exists.
    ///
    /// # Errors
    /// Fails if the request fails, or its status is neither 200 nor 404.
    pub fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        let answer = self.send(&Call::new(Method::HEAD, self.path(&format!("blobs/{digest}"))))?;
        match answer.status {
            200 => {
                answer.finish();
                Ok(true)
            }
            404 => Ok(false),
            _ => Err(self.refused(answer)),
        }
    }

    /// Opens a blob of `size` bytes.
    ///
    /// # Errors
    /// Fails if the request fails or there is no such blob.
    pub fn pull_blob(&self, digest: &Digest, size: u64) -> Result<BlobReader, Error> {
        let mut reader = BlobReader {
            remote: self.clone(),
            digest: *digest,
            size,
            at: 0,
            hasher: Hasher::default(),
            state: State::Open,
            body: None,
            waits: self.waits(),
            cut_at: 0,
        };
        reader.body = Some(reader.open()?);
        Ok(reader)
    }
}

impl BlobReader {
    /// Requests the rest of the blob.
    fn open(&self) -> Result<(BodyReader<'static>, Request), Error> {
        let mut call = Call::new(Method::GET, self.remote.path(&format!("blobs/{}", self.digest)));
        call.brief = false;
        if self.at > 0 {
            call = call.header("range", format!("bytes={}-", self.at));
        }
        let answer = self.remote.send(&call)?;
        let request = answer.request.clone();
        let skipped = match answer.status {
            200 => self.at,
            206 if answer.header("content-range").is_some_and(|range| starts_at(range, self.at)) => 0,
            206 => {
                let why = "it is not the requested range".into();
                return Err(Error::Unexpected { request, why });
            }
            _ => return Err(self.remote.refused(answer)),
        };
        let mut body = answer.body.into_reader();
        // A registry without range support sends the blob from its start.
        match io::copy(&mut (&mut body).take(skipped), &mut io::sink()) {
            Ok(copied) if copied == skipped => Ok((body, request)),
            Ok(_) => Err(Error::NoAnswer { request, failure: Failure::Cut }),
            Err(error) => Err(Error::NoAnswer { request, failure: wire::failure_of_io(&error) }),
        }
    }

    /// Reads from the body, and resumes after a failure. At least one byte, unless none is left.
    fn read_body(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let most = usize::try_from(self.size - self.at).unwrap_or(usize::MAX).min(buffer.len());
        loop {
            let error = match &mut self.body {
                Some((body, request)) => match body.read(buffer.get_mut(..most).unwrap_or_default()) {
                    Ok(0) if most > 0 => Error::NoAnswer { request: request.clone(), failure: Failure::Cut },
                    Ok(read) => return Ok(read),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => {
                        Error::NoAnswer { request: request.clone(), failure: wire::failure_of_io(&error) }
                    }
                },
                None => match self.open() {
                    Ok(open) => {
                        self.body = Some(open);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            self.body = None;
            self.wait_after(error)?;
        }
    }

    /// Sleeps before the next attempt. Returns `error` if there are no attempts left or it is not
    /// transient.
    fn wait_after(&mut self, error: Error) -> Result<(), Error> {
        if self.at - self.cut_at >= PROGRESS_BYTES {
            self.waits = self.remote.waits();
        }
        self.cut_at = self.at;
        match self.waits.next(None).filter(|_| retry::is_lost(&error)) {
            Some(pause) => {
                std::thread::sleep(pause);
                Ok(())
            }
            None => Err(error),
        }
    }

    /// Verifies size and digest after the last byte.
    fn verify(&mut self) -> Result<(), Error> {
        let Some((mut body, request)) = self.body.take() else { return Ok(()) };
        if matches!(body.read(&mut [0]), Ok(1..)) {
            let why = format!("the blob is longer than the {} bytes of its descriptor", self.size);
            return Err(Error::Unexpected { request, why });
        }
        let found = std::mem::take(&mut self.hasher).finish();
        if found != self.digest {
            return Err(Error::Altered { request, expected: self.digest, found });
        }
        self.state = State::Ended;
        Ok(())
    }

    /// Reads the next bytes. The last ones are returned only after verification, so that a corrupt
    /// blob never looks complete.
    fn read_verified(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = if self.at < self.size { self.read_body(buffer)? } else { 0 };
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.at += read as u64;
        if self.at == self.size {
            self.verify()?;
        }
        Ok(read)
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.state {
            _ if buffer.is_empty() => Ok(0),
            State::Ended => Ok(0),
            State::Failed => Err(io::Error::other("the blob could not be read")),
            State::Open => self.read_verified(buffer).map_err(|error| {
                self.state = State::Failed;
                io::Error::other(error)
            }),
        }
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobReader({}, {} of {} bytes)", self.digest, self.at, self.size)
    }
}

/// Whether the `Content-Range` header `bytes A-B/SIZE` starts at `at`.
fn starts_at(range: &str, at: u64) -> bool {
    let start = range.strip_prefix("bytes ").and_then(|range| range.split('-').next());
    start.and_then(|start| start.trim().parse().ok()) == Some(at)
}
