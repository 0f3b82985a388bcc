//! Upload sessions: started, resumed and cancelled. Source: distribution-spec, "Pushing a blob
//! monolithically", "Pushing a blob in chunks", "Mounting a blob from another repository".

use http::Method;

use super::client::RepositoryClient;
use super::error::RegistryError;
use super::escape;
use super::request::{BlobContent, OutgoingRequest, RequestBody, RequestTarget};
use super::response::Response;
use super::retry;
use super::url::Url;
use coracle_core::digest::Digest;
use coracle_core::progress::Progress;

/// A blob to push.
#[derive(Clone, Copy)]
pub struct BlobUpload<'a> {
    /// The digest.
    pub digest: Digest,
    /// The size in bytes.
    pub size: u64,
    /// The content.
    pub content: BlobContent<'a>,
    /// A repository at the same registry to mount the blob from, such as `acme/base`.
    pub mount_from: Option<&'a str>,
    /// Counts the bytes sent. Bytes that are sent again are counted again.
    pub progress: &'a dyn Progress,
}

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

impl<'a> BlobUpload<'a> {
    /// The content from the offset `from`, as a request body.
    pub(super) fn body_from(&self, from: u64) -> RequestBody<'a> {
        let (content, progress) = (self.content, self.progress);
        RequestBody { content, offset: from, length: self.size.saturating_sub(from), progress }
    }
}

impl RepositoryClient {
    /// Starts an upload, with a mount if possible. A registry that can't mount the blob returns a
    /// session, which is used.
    pub(super) fn start_upload(&self, upload: &BlobUpload<'_>) -> Result<UploadStart, RegistryError> {
        let mount = upload.mount_from.filter(|from| *from != self.repository().name());
        if let Some(from) = mount
            && let Some(started) = self.mount_blob(upload, from)?
        {
            return Ok(started);
        }
        let mut outgoing = self.start_request("");
        // Unused sessions expire.
        outgoing.is_idempotent = true;
        let response = self.send(&outgoing)?;
        match response.is_success() {
            true => new_session(self, response).map(UploadStart::Session),
            false => Err(self.response_error(response)),
        }
    }

    /// Asks the registry to mount a blob. `None` if the registry can't mount it: the blob must be
    /// uploaded then.
    fn mount_blob(&self, upload: &BlobUpload<'_>, from: &str) -> Result<Option<UploadStart>, RegistryError> {
        let query = format!("?mount={}&from={}", upload.digest, escape::encode_query(from));
        let response = match self.send(&self.start_request(&query)) {
            Err(error) if retry::is_response_lost(&error) => return Ok(None),
            response => response?,
        };
        match response.status {
            201 => {
                response.drain();
                Ok(Some(UploadStart::Mounted))
            }
            202 => new_session(self, response).map(|session| Some(UploadStart::Session(session))),
            429 => Err(self.response_error(response)),
            // Another success may be a mount, or a session.
            200..=299 => {
                response.drain();
                Ok(self.has_blob(&upload.digest)?.then_some(UploadStart::Mounted))
            }
            400..=599 => {
                response.drain();
                Ok(None)
            }
            _ => Err(self.response_error(response)),
        }
    }

    /// The request to start an upload or to mount a blob.
    fn start_request<'a>(&self, query: &str) -> OutgoingRequest<'a> {
        let target = self.api_path(&format!("blobs/uploads/{query}"));
        OutgoingRequest::new(Method::POST, target).with_bytes(&[])
    }
}

impl UploadSession {
    /// Sends the rest and completes the upload: in one request, or in two after a resume.
    pub(super) fn send_rest(
        &mut self,
        remote: &RepositoryClient,
        upload: &BlobUpload<'_>,
    ) -> Result<(), RegistryError> {
        if self.offset > 0 && self.offset < upload.size {
            self.send_chunk(remote, upload)?;
        }
        let put = |body| {
            let url = self.location.with_query_parameter("digest", &upload.digest.to_string());
            let mut outgoing = OutgoingRequest::new(Method::PUT, RequestTarget::Url(url))
                .with_header("content-type", OCTET_STREAM)
                .with_body(body);
            // A part may have arrived: ask for the offset before sending again.
            outgoing.is_idempotent = false;
            outgoing
        };
        let response = remote.send_once(&put(upload.body_from(self.offset)))?;
        if !response.is_success() {
            return Err(remote.response_error(response));
        }
        let stored =
            response.header("docker-content-digest").and_then(|digest| digest.parse::<Digest>().ok());
        let request = response.request.clone();
        response.drain();
        match stored.filter(|stored| *stored != upload.digest) {
            Some(found) => Err(RegistryError::DigestMismatch { request, expected: upload.digest, found }),
            None => Ok(()),
        }
    }

    /// Sends the rest as a chunk.
    fn send_chunk(
        &mut self,
        remote: &RepositoryClient,
        upload: &BlobUpload<'_>,
    ) -> Result<(), RegistryError> {
        let range = format!("{}-{}", self.offset, upload.size - 1);
        let outgoing = OutgoingRequest::new(Method::PATCH, RequestTarget::Url(self.location.clone()))
            .with_header("content-type", OCTET_STREAM)
            .with_header("content-range", range)
            .with_body(upload.body_from(self.offset));
        let response = remote.send_once(&outgoing)?;
        if !response.is_success() {
            return Err(remote.response_error(response));
        }
        *self = Self { offset: upload.size, ..new_session(remote, response)? };
        Ok(())
    }

    /// Asks the registry how many bytes it has, and continues there. `None` if the registry does
    /// not report it; the session is then cancelled, and the upload must be restarted.
    pub(super) fn resume(self, remote: &RepositoryClient, size: u64) -> Option<Self> {
        let outgoing = OutgoingRequest::new(Method::GET, RequestTarget::Url(self.location.clone()));
        let known = match remote.send(&outgoing) {
            Ok(response) if response.is_success() => {
                session_at_received_offset(remote, response, &self.location, size)
            }
            Ok(response) => {
                response.drain();
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
        if let Ok(response) =
            remote.send_once(&OutgoingRequest::new(Method::DELETE, RequestTarget::Url(self.location)))
        {
            response.drain();
        }
    }
}

/// The session that a response refers to.
fn new_session(remote: &RepositoryClient, response: Response) -> Result<UploadSession, RegistryError> {
    let location = next_location(remote, &response);
    response.drain();
    Ok(UploadSession { location: location?, offset: 0 })
}

/// The location of the next request of the upload.
fn next_location(remote: &RepositoryClient, response: &Response) -> Result<Url, RegistryError> {
    let request = || response.request.clone();
    let location = response.header("location").and_then(|location| response.url.resolve_location(location));
    let Some(location) = location else {
        let why = "it has no valid Location header".into();
        return Err(RegistryError::InvalidResponse { request: request(), why });
    };
    let location = match location.is_tls() || !response.url.is_tls() {
        true => location,
        // A registry behind a TLS proxy may return plain HTTP locations.
        false => location.with_tls(&response.url).ok_or_else(|| RegistryError::WithoutTls {
            request: request(),
            host: remote.redact(location.authority()),
        })?,
    };
    remote.check_upload_host(&location, &response.request)?;
    Ok(location)
}

/// The session at the offset of `Range: 0-N` (N is inclusive). Some registries send `0-0` for an
/// empty upload, so it is treated as unknown.
fn session_at_received_offset(
    remote: &RepositoryClient,
    response: Response,
    location: &Url,
    size: u64,
) -> Option<UploadSession> {
    let last = response.header("range").and_then(last_byte).filter(|last| *last > 0 && *last < size);
    let location = match response.header("location") {
        Some(_) => next_location(remote, &response).ok()?,
        None => location.clone(),
    };
    response.drain();
    Some(UploadSession { location, offset: last? + 1 })
}

fn last_byte(range: &str) -> Option<u64> {
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    range.trim().strip_prefix("0-")?.parse().ok()
}
