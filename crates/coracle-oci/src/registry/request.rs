//! A request before it is sent, and its summary for errors. Its body can be read repeatedly, so the
//! request can be retried.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use http::Method;

use super::repository::Repository;
use super::url::Url;
use coracle_core::progress::{CancelOnly, Cancelled, Progress, ProgressReader};

/// The content of a blob, which can be read repeatedly.
#[derive(Clone, Copy)]
pub enum BlobContent<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// A function that opens a file, called for each attempt.
    File(&'a (dyn Fn() -> io::Result<File> + Sync)),
    /// A function that opens a stream at its start, called for each attempt, such as for a blob of
    /// another registry.
    Stream(&'a (dyn Fn() -> io::Result<Box<dyn Read>> + Sync)),
}

/// An HTTP request to a registry or token server.
pub(super) struct OutgoingRequest<'a> {
    pub(super) method: Method,
    pub(super) target: RequestTarget,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<RequestBody<'a>>,
    /// `true` if the request can be repeated without changing its effect.
    pub(super) is_idempotent: bool,
    /// `true` if redirects are followed.
    pub(super) follows_redirects: bool,
    /// `true` if the response timeout applies to the whole body as well. False for blobs, which have a
    /// minimum rate instead.
    pub(super) has_body_timeout: bool,
}

/// A summary of a request for error messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestSummary {
    /// The repository.
    pub repository: Repository,
    /// The method, such as `GET`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The host that the request was sent to, if it is not the registry's host.
    pub host: Option<String>,
}

/// The target of a request.
#[derive(Clone)]
pub(super) enum RequestTarget {
    /// A path at the registry that starts with `/v2/`.
    Path(String),
    /// A URL that the registry gave.
    Url(Url),
}

/// A request body: a range of a blob's content.
#[derive(Clone, Copy)]
pub(super) struct RequestBody<'a> {
    pub(super) content: BlobContent<'a>,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) progress: &'a dyn Progress,
}

impl fmt::Display for RequestSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repository, method, path, host } = self;
        write!(f, "`{method} {path}` for `{}` at `{}`", repository.name(), repository.registry())?;
        host.as_ref().map_or(Ok(()), |host| write!(f, " (sent to `{host}`)"))
    }
}

impl<'a> OutgoingRequest<'a> {
    /// A request without headers and body.
    pub(super) fn new(method: Method, target: RequestTarget) -> Self {
        let is_idempotent = method.is_idempotent();
        Self {
            method,
            target,
            headers: Vec::new(),
            body: None,
            is_idempotent,
            follows_redirects: true,
            has_body_timeout: true,
        }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn with_bytes(self, bytes: &'a [u8]) -> Self {
        let length = bytes.len() as u64;
        self.with_body(RequestBody { content: BlobContent::Bytes(bytes), offset: 0, length, progress: &() })
    }

    pub(super) fn with_body(mut self, body: RequestBody<'a>) -> Self {
        self.body = Some(body);
        self
    }
}

impl<'a> RequestBody<'a> {
    /// Opens the content at the offset.
    pub(super) fn open_content(&self) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self.content {
            _ if self.length == 0 => Box::new(io::empty()),
            BlobContent::Bytes(bytes) => {
                let from = usize::try_from(self.offset).unwrap_or(usize::MAX);
                Box::new(bytes.get(from..).unwrap_or_default())
            }
            BlobContent::File(open) => {
                let mut file = open()?;
                file.seek(SeekFrom::Start(self.offset))?;
                Box::new(file)
            }
            BlobContent::Stream(open) => {
                let mut stream = open()?;
                let uncounted = CancelOnly(self.progress);
                let mut skipped = ProgressReader::new((&mut stream).take(self.offset), &uncounted);
                if io::copy(&mut skipped, &mut io::sink())? < self.offset {
                    return Err(too_short());
                }
                stream
            }
        })
    }
}

/// A reader of exactly the declared number of bytes. Errors of the source are stored, to tell them
/// apart from network errors.
pub(super) struct ExactReader<'a, R> {
    inner: R,
    left: u64,
    progress: &'a dyn Progress,
    failed: &'a RefCell<Option<io::Error>>,
}

impl<'a, R: Read> ExactReader<'a, R> {
    /// Wraps `inner`, which is the opened `body`. Errors of `inner` are stored in `failed`.
    pub(super) fn new(inner: R, body: &RequestBody<'a>, failed: &'a RefCell<Option<io::Error>>) -> Self {
        Self { inner, left: body.length, progress: body.progress, failed }
    }
}

impl<R: Read> Read for ExactReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        let fail = |error: io::Error| {
            let kind = error.kind();
            *self.failed.borrow_mut() = Some(error);
            io::Error::from(kind)
        };
        // Checked first: a small blob is read only once.
        let cancelled = if self.progress.is_cancelled() { Err(Cancelled.into()) } else { Ok(()) };
        match cancelled.and_then(|()| self.inner.read(buffer)) {
            Ok(0) => Err(fail(too_short())),
            Ok(read) => {
                self.left = self.left.saturating_sub(read as u64);
                self.progress.advance(read as u64);
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(fail(error)),
        }
    }
}

fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than expected")
}
