//! Blobs from a registry: read as they come, checked at their end, taken up again after a cut. Source:
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

/// After so many bytes a cut is a new cut, and not the one before again.
const PROGRESS: u64 = 1 << 20;

/// The bytes of a blob. It ends well only after all of them came and were the right ones; the error inside of one of
/// [`Read`]'s is an [`Error`].
pub struct BlobReader {
    remote: Remote,
    digest: Digest,
    size: u64,
    /// How many bytes were given on.
    at: u64,
    hasher: Hasher,
    state: State,
    body: Option<(BodyReader<'static>, Request)>,
    waits: Waits,
    /// Where the last cut was.
    cut_at: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// All bytes came and were checked.
    Ended,
    Failed,
}

impl Remote {
    /// Whether a blob is there.
    ///
    /// # Errors
    /// When the registry can't be asked, or gives an answer that is neither yes nor no.
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
    /// When the registry can't be asked or has no such blob.
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
    /// Asks for what is missing.
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
            206 if answer.header("content-range").is_some_and(|range| begins_at(range, self.at)) => 0,
            206 => {
                let why = "it is not the part that was asked for".into();
                return Err(Error::Unexpected { request, why });
            }
            _ => return Err(self.remote.refused(answer)),
        };
        let mut body = answer.body.into_reader();
        // A registry without ranges sends again what was there before.
        match io::copy(&mut (&mut body).take(skipped), &mut io::sink()) {
            Ok(passed) if passed == skipped => Ok((body, request)),
            Ok(_) => Err(Error::NoAnswer { request, failure: Failure::Cut }),
            Err(error) => Err(Error::NoAnswer { request, failure: wire::failure_of_io(&error) }),
        }
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
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

    /// Waits before the blob is asked for again, unless it was asked for too often without getting on.
    fn wait_after(&mut self, error: Error) -> Result<(), Error> {
        if self.at - self.cut_at >= PROGRESS {
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

    /// What must hold once all bytes are there.
    fn check(&mut self) -> Result<(), Error> {
        let Some((mut body, request)) = self.body.take() else { return Ok(()) };
        if matches!(body.read(&mut [0]), Ok(1..)) {
            let why = format!("it is longer than the {} bytes of its descriptor", self.size);
            return Err(Error::Unexpected { request, why });
        }
        let found = std::mem::take(&mut self.hasher).finish();
        if found != self.digest {
            return Err(Error::Altered { request, expected: self.digest, found });
        }
        self.state = State::Ended;
        Ok(())
    }

    /// The next bytes; the last ones only when everything is right, so that nobody takes it for complete before.
    fn step(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = if self.at < self.size { self.next(buffer)? } else { 0 };
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.at += read as u64;
        if self.at == self.size {
            self.check()?;
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
            State::Open => self.step(buffer).map_err(|error| {
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

/// Whether `bytes A-B/SIZE` begins at `at`.
fn begins_at(range: &str, at: u64) -> bool {
    let start = range.strip_prefix("bytes ").and_then(|range| range.split('-').next());
    start.and_then(|start| start.trim().parse().ok()) == Some(at)
}
