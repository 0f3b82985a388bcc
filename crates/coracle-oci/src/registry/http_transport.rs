//! The HTTP transport, as a trait: the protocol code does not depend on an HTTP library.

use std::io::Read;

use super::transport_failure::TransportFailure;
use super::url::Url;

/// Sends single requests. It follows no redirects and knows no registries.
pub(super) trait HttpTransport: Send + Sync {
    /// Sends `request` and reads the head of the response. Responses of any status are returned.
    fn send(&self, request: HttpRequest<'_>) -> Result<http::Response<ResponseBody>, TransportFailure>;
}

/// A request as it is sent.
pub(super) struct HttpRequest<'a> {
    pub(super) url: &'a Url,
    pub(super) head: http::Request<()>,
    /// The body. Its size is in the header `Content-Length`.
    pub(super) body: Option<&'a mut dyn Read>,
    /// Whether the response timeout applies to the whole body of the response.
    pub(super) has_body_timeout: bool,
}

/// The body of a response. Its errors wrap a [`TransportFailure`].
pub(super) type ResponseBody = Box<dyn Read + Send>;
