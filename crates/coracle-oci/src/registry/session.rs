//! An upload that was begun: what the registry has of it, and where the rest goes. Source: distribution-spec, "Pushing a
//! blob monolithically", "Pushing a blob in chunks", "Mounting a blob from another repository".

use ureq::http::Method;

use super::answer::Answer;
use super::call::{Call, To};
use super::error::Error;
use super::push::Upload;
use super::url::Url;
use super::{Remote, text};
use coracle_core::digest::Digest;

/// Where the bytes go, and how many are there.
pub(super) struct Session {
    location: Url,
    offset: u64,
}

/// How an upload begins.
pub(super) enum Start {
    /// It has ended already.
    Mounted,
    Session(Session),
}

const BYTES: &str = "application/octet-stream";

impl Remote {
    /// Begins an upload. A registry that does not mount answers with a session, which is used.
    pub(super) fn start(&self, upload: &Upload<'_>) -> Result<Start, Error> {
        let mount = upload.from.filter(|from| *from != self.repository().name());
        if let Some(from) = mount {
            let query = format!("mount={}&from={}", upload.digest, text::query(from));
            let answer = self.send(&self.begin(&format!("?{query}")))?;
            match answer.status {
                201 => {
                    answer.finish();
                    return Ok(Start::Mounted);
                }
                202 => return session(self, answer).map(Start::Session),
                // Mounting is a favour: whatever is wrong with it, the blob itself can be sent.
                400..=499 if answer.status != 429 => answer.finish(),
                _ => return Err(self.refused(answer)),
            }
        }
        let answer = self.send(&self.begin(""))?;
        match answer.status {
            202 => session(self, answer).map(Start::Session),
            _ => Err(self.refused(answer)),
        }
    }

    /// The request for a session. Two of them are harmless: the one that is not used ends by itself.
    fn begin<'a>(&self, query: &str) -> Call<'a> {
        let mut call = Call::new(Method::POST, self.path(&format!("blobs/uploads/{query}"))).bytes(&[]);
        call.repeatable = true;
        call
    }
}

impl Session {
    /// Sends what is missing and ends the upload: in one request, or in two when a part is there already.
    pub(super) fn send(&mut self, remote: &Remote, upload: &Upload<'_>) -> Result<(), Error> {
        if self.offset > 0 && self.offset < upload.size {
            self.patch(remote, upload)?;
        }
        let put = |body| {
            let url = self.location.with("digest", &upload.digest.to_string());
            let mut call = Call::new(Method::PUT, To::Url(url)).header("content-type", BYTES).body(body);
            // Half of it may be there: only the session knows.
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

    fn patch(&mut self, remote: &Remote, upload: &Upload<'_>) -> Result<(), Error> {
        let range = format!("{}-{}", self.offset, upload.size - 1);
        let call = Call::new(Method::PATCH, To::Url(self.location.clone()))
            .header("content-type", BYTES)
            .header("content-range", range)
            .body(upload.rest(self.offset));
        let answer = remote.send_once(&call)?;
        if answer.status != 202 {
            return Err(remote.refused(answer));
        }
        *self = Self { offset: upload.size, ..session(remote, answer)? };
        Ok(())
    }

    /// Asks what is there; nothing when the registry does not know, and it is better to begin anew.
    pub(super) fn resume(self, remote: &Remote, size: u64) -> Option<Self> {
        let call = Call::new(Method::GET, To::Url(self.location.clone()));
        let known = match remote.send(&call) {
            Ok(answer) if matches!(answer.status, 202 | 204) => {
                received(remote, answer, &self.location, size)
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

    /// Lets the registry forget the upload. It would do so by itself some time, so nobody has to know when it fails.
    pub(super) fn cancel(self, remote: &Remote) {
        if let Ok(answer) = remote.send_once(&Call::new(Method::DELETE, To::Url(self.location))) {
            answer.finish();
        }
    }
}

fn session(remote: &Remote, answer: Answer) -> Result<Session, Error> {
    let location = next(remote, &answer);
    answer.finish();
    Ok(Session { location: location?, offset: 0 })
}

/// Where the upload goes on.
fn next(remote: &Remote, answer: &Answer) -> Result<Url, Error> {
    let request = || answer.request.clone();
    let location = answer.header("location").and_then(|location| answer.url.join(location));
    let Some(location) = location else {
        return Err(Error::Unexpected {
            request: request(),
            why: "it does not say where the upload goes".into(),
        });
    };
    if location.is_tls() || !answer.url.is_tls() {
        return Ok(location);
    }
    // A registry behind a proxy may not know that the proxy speaks TLS.
    location
        .with_tls(&answer.url)
        .ok_or_else(|| Error::Unsafe { request: request(), host: remote.shown(location.authority()) })
}

/// `Range: 0-N`: bytes up to and with N are there. For none some registries say `0-0`, which would be one.
fn received(remote: &Remote, answer: Answer, location: &Url, size: u64) -> Option<Session> {
    let last = answer.header("range").and_then(last_byte).filter(|last| *last > 0 && *last < size);
    let location = match answer.header("location") {
        Some(_) => next(remote, &answer).ok()?,
        None => location.clone(),
    };
    answer.finish();
    Some(Session { location, offset: last? + 1 })
}

fn last_byte(range: &str) -> Option<u64> {
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    range.trim().strip_prefix("0-")?.parse().ok()
}
