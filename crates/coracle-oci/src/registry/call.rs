//! One request before it is sent, so that it can be sent again.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use ureq::http::Method;

use super::url::Url;

/// Bytes that can be read as often as it takes.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// A file, opened anew each time.
    File(&'a (dyn Fn() -> io::Result<File> + Sync)),
    /// Anything that can be read from its start again, such as a blob of another registry.
    Stream(&'a (dyn Fn() -> io::Result<Box<dyn Read>> + Sync)),
}

/// What is asked, of whom.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) to: To,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Body<'a>>,
    /// Whether asking twice is as good as asking once.
    pub(super) repeatable: bool,
    /// Whether a redirect may be followed.
    pub(super) redirects: bool,
    /// Whether the answer is read at once: then it may not take longer than an answer may.
    pub(super) brief: bool,
}

/// Where a request goes.
#[derive(Clone)]
pub(super) enum To {
    /// A path at the registry, `/v2/` and what follows.
    Path(String),
    /// Where an answer of the registry said.
    Url(Url),
}

/// A part of some content.
#[derive(Clone, Copy)]
pub(super) struct Body<'a> {
    pub(super) content: Content<'a>,
    pub(super) from: u64,
    pub(super) length: u64,
    /// Is told how many bytes more have gone out.
    pub(super) progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, to: To) -> Self {
        let repeatable = method.is_idempotent();
        Self { method, to, headers: Vec::new(), body: None, repeatable, redirects: true, brief: true }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn bytes(self, bytes: &'a [u8]) -> Self {
        let length = bytes.len() as u64;
        self.body(Body { content: Content::Bytes(bytes), from: 0, length, progress: None })
    }

    pub(super) fn body(mut self, body: Body<'a>) -> Self {
        self.body = Some(body);
        self
    }
}

impl<'a> Body<'a> {
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self.content {
            _ if self.length == 0 => Box::new(io::empty()),
            Content::Bytes(bytes) => {
                let from = usize::try_from(self.from).unwrap_or(usize::MAX);
                Box::new(bytes.get(from..).unwrap_or_default())
            }
            Content::File(open) => {
                let mut file = open()?;
                file.seek(SeekFrom::Start(self.from))?;
                Box::new(file)
            }
            Content::Stream(open) => {
                let mut stream = open()?;
                if io::copy(&mut (&mut stream).take(self.from), &mut io::sink())? < self.from {
                    return Err(too_short());
                }
                stream
            }
        })
    }
}

/// Reads so many bytes and no more; what went wrong here stays known, apart from what goes wrong on the way.
pub(super) struct Exactly<'a, R> {
    inner: R,
    left: u64,
    progress: Option<&'a (dyn Fn(u64) + Sync)>,
    failed: &'a RefCell<Option<io::Error>>,
}

impl<'a, R: Read> Exactly<'a, R> {
    /// `inner` reads what `body` opened.
    pub(super) fn new(inner: R, body: &Body<'a>, failed: &'a RefCell<Option<io::Error>>) -> Self {
        Self { inner, left: body.length, progress: body.progress, failed }
    }
}

impl<R: Read> Read for Exactly<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        let fail = |error: io::Error| {
            let kind = error.kind();
            *self.failed.borrow_mut() = Some(error);
            io::Error::from(kind)
        };
        match self.inner.read(buffer) {
            Ok(0) => Err(fail(too_short())),
            Ok(read) => {
                self.left = self.left.saturating_sub(read as u64);
                if let Some(progress) = self.progress {
                    progress(read as u64);
                }
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(fail(error)),
        }
    }
}

fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was")
}
