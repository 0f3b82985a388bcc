//! Upload sessions: started, resumed and cancelled. Source: distribution-spec, "Pushing a blob
//! monolithically", "Pushing a blob in chunks", "Mounting a blob from another repository".

use ureq::http::Method;

use super::answer::Answer;
use super::call::{Call, To};
use super::error::Error;
use super::push::Upload;
use super::url::Url;
use super::{Remote, text};
use coracle_core::digest::Digest;

/// An upload session: its location, and the number of bytes that the registry has.
pub(super) struct Session {
    location: Url,
    offset: u64,
}

/// The result of starting an upload.
pub(super) enum Start {
    /// The blob was mounted; nothing is left to send.
    Mounted,
    /// An upload session.
    Session(Session),
}

const OCTET_STREAM: &str = "application/octet-stream";

impl Remote {
    /// Starts an upload, with a mount if possible. A registry that can't mount the blob returns a
    /// session, which is used.
    pub(super) fn start(&self, upload: &Upload<'_>) -> Result<Start, Error> {
        let mount = upload.from.filter(|from| *from != self.repository().name());
        if let Some(from) = mount {
            let query = format!("mount={}&from={}", upload.digest, text::query(from));
            let answer = self.send(&self.start_request(&format!("?{query}")))?;
            match answer.status {
                201 => {
                    answer.finish();
                    return Ok(Start::Mounted);
                }
                202 => return new_session(self, answer).map(Start::Session),
                // A mount that fails is not an error: upload the blob instead.
                400..=499 if answer.status != 429 => answer.finish(),
                _ => return Err(self.refused(answer)),
            }
        }
        let answer = self.send(&self.start_request(""))?;
        match answer.status {
            202 => new_session(self, answer).map(Start::Session),
            _ => Err(self.refused(answer)),
        }
    }

    /// The request to start an upload. It can be repeated, because unused sessions expire.
    fn start_request<'a>(&self, query: &str) -> Call<'a> {
        let mut call = Call::new(Method::POST, self.path(&format!("blobs/uploads/{query}"))).bytes(&[]);
        call.repeatable = true;
        call
    }
}

impl Session {
    /// Sends the rest and completes the upload: in one request, or in two after a resume.
    pub(super) fn send(&mut self, remote: &Remote, upload: &Upload<'_>) -> Result<(), Error> {
        if self.offset > 0 && self.offset < upload.size {
            self.patch(remote, upload)?;
        }
        let put = |body| {
            let url = self.location.with("digest", &upload.digest.to_string());
            let mut call =
                Call::new(Method::PUT, To::Url(url)).header("content-type", OCTET_STREAM).body(body);
            // A part may have arrived: ask for the offset before sending again.
            call.repeatable = false;
            call
        };
        let answer = remote.send_once(&put(upload.rest(self.offset)))?;
        if !matches!(answer.status, 201 | 204) {
            return Err(remote.refused(answer));
        }
        let stored = answer.header("docker-content-digest").and_then(|digest| digest.parse::<Digest>().ok());
        let request = answer.request.clone();
        answer.finish();
        match stored.filter(|stored| *stored != upload.digest) {
            Some(found) => Err(Error::Altered { request, expected: upload.digest, found }),
            None => Ok(()),
        }
    }

    /// Sends the rest as a chunk.
    fn patch(&mut self, remote: &Remote, upload: &Upload<'_>) -> Result<(), Error> {
        let range = format!("{}-{}", self.offset, upload.size - 1);
        let call = Call::new(Method::PATCH, To::Url(self.location.clone()))
            .header("content-type", OCTET_STREAM)
            .header("content-range", range)
            .body(upload.rest(self.offset));
        let answer = remote.send_once(&call)?;
        if answer.status != 202 {
            return Err(remote.refused(answer));
        }
        *self = Self { offset: upload.size, ..new_session(remote, answer)? };
        Ok(())
    }

    /// Asks for the offset. `None` if the registry does not report one; the session is then
    /// cancelled, and the upload must be restarted.
    pub(super) fn resume(self, remote: &Remote, size: u64) -> Option<Self> {
        let call = Call::new(Method::GET, To::Url(self.location.clone()));
        let known = match remote.send(&call) {
            Ok(answer) if matches!(answer.status, 202 | 204) => {
                at_received_offset(remote, answer, &self.location, size)
            }
            Ok(answer) => {
                answer.finish();
                None
            }
            Err(_) => None,
        };
        if known.is_none() {
            self.cancel(remote);
        }
        known
    }

    /// Cancels the upload. Failures are ignored, because sessions expire.
    pub(super) fn cancel(self, remote: &Remote) {
        if let Ok(answer) = remote.send_once(&Call::new(Method::DELETE, To::Url(self.location))) {
            answer.finish();
        }
    }
}

/// The session that a response refers to.
fn new_session(remote: &Remote, answer: Answer) -> Result<Session, Error> {
    let location = next_location(remote, &answer);
    answer.finish();
    Ok(Session { location: location?, offset: 0 })
}

/// The location of the next request of the upload.
fn next_location(remote: &Remote, answer: &Answer) -> Result<Url, Error> {
    let request = || answer.request.clone();
    let location = answer.header("location").and_then(|location| answer.url.join(location));
    let Some(location) = location else {
        let why = "it has no valid Location header".into();
        return Err(Error::Unexpected { request: request(), why });
    };
    if location.is_tls() || !answer.url.is_tls() {
        return Ok(location);
    }
    // A registry behind a TLS proxy may return plain HTTP locations.
    location
        .with_tls(&answer.url)
        .ok_or_else(|| Error::Unsafe { request: request(), host: remote.shown(location.authority()) })
}

/// The session at the offset of `Range: 0-N` (N is inclusive). Some registries send `0-0` for an
/// empty upload, so it is treated as unknown.
fn at_received_offset(remote: &Remote, answer: Answer, location: &Url, size: u64) -> Option<Session> {
    let last = answer.header("range").and_then(last_byte).filter(|last| *last > 0 && *last < size);
    let location = match answer.header("location") {
        Some(_) => next_location(remote, &answer).ok()?,
        None => location.clone(),
    };
    answer.finish();
    Some(Session { location, offset: last? + 1 })
}

fn last_byte(range: &str) -> Option<u64> {
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    range.trim().strip_prefix("0-")?.parse().ok()
}
