//! Upload sessions: started, resumed and cancelled. Source: distribution-spec, "Pushing a blob
//! monolithically", "Pushing a blob in chunks", "Mounting a blob from another repository".

use ureq::http::Method;

use super::error::Error;
use super::push::BlobUpload;
use super::request::{OutgoingRequest, RequestTarget};
use super::response::Response;
use super::url::Url;
use super::{RepositoryClient, escape};
use coracle_core::digest::Digest;

/// An upload session: its location, and the number of bytes that the registry has.
pub(super) struct UploadSession {
    location: Url,
    offset: u64,
}

/// The result of starting an upload.
pub(super) enum UploadStart {
    /// The blob was mounted; nothing is left to send.
    Mounted,
    /// An upload session.
    Session(UploadSession),
}

const OCTET_STREAM: &str = "application/octet-stream";

impl RepositoryClient {
    /// Starts an upload, with a mount if possible. A registry that can't mount the blob returns a
    /// session, which is used.
    pub(super) fn start_upload(&self, upload: &BlobUpload<'_>) -> Result<UploadStart, Error> {
        let mount = upload.mount_from.filter(|from| *from != self.repository().name());
        if let Some(from) = mount {
            let query = format!("mount={}&from={}", upload.digest, escape::encode_query(from));
            let answer = self.send(&self.start_request(&format!("?{query}")))?;
            match answer.status {
                201 => {
                    answer.drain();
                    return Ok(UploadStart::Mounted);
                }
                202 => return new_session(self, answer).map(UploadStart::Session),
                // A mount that fails is not an error: upload the blob instead.
                400..=499 if answer.status != 429 => answer.drain(),
                _ => return Err(self.response_error(answer)),
            }
        }
        let answer = self.send(&self.start_request(""))?;
        match answer.status {
            202 => new_session(self, answer).map(UploadStart::Session),
            _ => Err(self.response_error(answer)),
        }
    }

    /// The request to start an upload. It can be repeated, because unused sessions expire.
    fn start_request<'a>(&self, query: &str) -> OutgoingRequest<'a> {
        let mut call = OutgoingRequest::new(Method::POST, self.api_path(&format!("blobs/uploads/{query}")))
            .with_bytes(&[]);
        call.is_idempotent = true;
        call
    }
}

impl UploadSession {
    /// Sends the rest and completes the upload: in one request, or in two after a resume.
    pub(super) fn send_rest(
        &mut self,
        remote: &RepositoryClient,
        upload: &BlobUpload<'_>,
    ) -> Result<(), Error> {
        if self.offset > 0 && self.offset < upload.size {
            self.send_chunk(remote, upload)?;
        }
        let put = |body| {
            let url = self.location.with_query_parameter("digest", &upload.digest.to_string());
            let mut call = OutgoingRequest::new(Method::PUT, RequestTarget::Url(url))
                .with_header("content-type", OCTET_STREAM)
                .with_body(body);
            // A part may have arrived: ask for the offset before sending again.
            call.is_idempotent = false;
            call
        };
        let answer = remote.send_once(&put(upload.body_from(self.offset)))?;
        if !matches!(answer.status, 201 | 204) {
            return Err(remote.response_error(answer));
        }
        let stored = answer.header("docker-content-digest").and_then(|digest| digest.parse::<Digest>().ok());
        let request = answer.request.clone();
        answer.drain();
        match stored.filter(|stored| *stored != upload.digest) {
            Some(found) => Err(Error::DigestMismatch { request, expected: upload.digest, found }),
            None => Ok(()),
        }
    }

    /// Sends the rest as a chunk.
    fn send_chunk(&mut self, remote: &RepositoryClient, upload: &BlobUpload<'_>) -> Result<(), Error> {
        let range = format!("{}-{}", self.offset, upload.size - 1);
        let call = OutgoingRequest::new(Method::PATCH, RequestTarget::Url(self.location.clone()))
            .with_header("content-type", OCTET_STREAM)
            .with_header("content-range", range)
            .with_body(upload.body_from(self.offset));
        let answer = remote.send_once(&call)?;
        if answer.status != 202 {
            return Err(remote.response_error(answer));
        }
        *self = Self { offset: upload.size, ..new_session(remote, answer)? };
        Ok(())
    }

    /// Asks for the offset. `None` if the registry does not report one; the session is then
    /// cancelled, and the upload must be restarted.
    pub(super) fn resume(self, remote: &RepositoryClient, size: u64) -> Option<Self> {
        let call = OutgoingRequest::new(Method::GET, RequestTarget::Url(self.location.clone()));
        let known = match remote.send(&call) {
            Ok(answer) if matches!(answer.status, 202 | 204) => {
                at_received_offset(remote, answer, &self.location, size)
            }
            Ok(answer) => {
                answer.drain();
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
    pub(super) fn cancel(self, remote: &RepositoryClient) {
        if let Ok(answer) =
            remote.send_once(&OutgoingRequest::new(Method::DELETE, RequestTarget::Url(self.location)))
        {
            answer.drain();
        }
    }
}

/// The session that a response refers to.
fn new_session(remote: &RepositoryClient, answer: Response) -> Result<UploadSession, Error> {
    let location = next_location(remote, &answer);
    answer.drain();
    Ok(UploadSession { location: location?, offset: 0 })
}

/// The location of the next request of the upload.
fn next_location(remote: &RepositoryClient, answer: &Response) -> Result<Url, Error> {
    let request = || answer.request.clone();
    let location = answer.header("location").and_then(|location| answer.url.resolve_location(location));
    let Some(location) = location else {
        let why = "it has no valid Location header".into();
        return Err(Error::InvalidResponse { request: request(), why });
    };
    if location.is_tls() || !answer.url.is_tls() {
        return Ok(location);
    }
    // A registry behind a TLS proxy may return plain HTTP locations.
    location
        .with_tls(&answer.url)
        .ok_or_else(|| Error::WithoutTls { request: request(), host: remote.redact(location.authority()) })
}

/// The session at the offset of `Range: 0-N` (N is inclusive). Some registries send `0-0` for an
/// empty upload, so it is treated as unknown.
fn at_received_offset(
    remote: &RepositoryClient,
    answer: Response,
    location: &Url,
    size: u64,
) -> Option<UploadSession> {
    let last = answer.header("range").and_then(last_byte).filter(|last| *last > 0 && *last < size);
    let location = match answer.header("location") {
        Some(_) => next_location(remote, &answer).ok()?,
        None => location.clone(),
    };
    answer.drain();
    Some(UploadSession { location, offset: last? + 1 })
}

fn last_byte(range: &str) -> Option<u64> {
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    range.trim().strip_prefix("0-")?.parse().ok()
}
