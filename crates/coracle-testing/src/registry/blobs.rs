//! Blobs and uploads, as strict as the specification allows.

use std::net::SocketAddr;

use super::http::{Request, Response};
use super::{State, is_digest, sha256};

impl State {
    pub fn blob(&mut self, request: &Request, name: &str, digest: &str, _: SocketAddr) -> Response {
        if !is_digest(digest) {
            return Response::error(400, "DIGEST_INVALID");
        }
        let Some(blob) = self.blobs.get(&(name.to_owned(), digest.to_owned())) else {
            return Response::error(404, "BLOB_UNKNOWN");
        };
        let whole = Response::new(200).header("docker-content-digest", digest);
        match request.header("range").filter(|_| !self.no_ranges) {
            None => whole.body(blob),
            Some(range) => {
                let (from, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
                let (from, last): (usize, Option<usize>) = (from.parse().unwrap(), last.parse().ok());
                if from >= blob.len() {
                    return Response::error(416, "RANGE_INVALID");
                }
                let last = last.unwrap_or(blob.len() - 1);
                let range = format!("bytes {from}-{last}/{}", blob.len());
                Response::new(206).header("content-range", &range).body(&blob[from..=last])
            }
        }
    }

    pub fn upload(&mut self, request: &Request, name: &str, id: &str, address: SocketAddr) -> Response {
        match (request.method.as_str(), id) {
            ("POST", "") => self.begin_upload(request, name, address),
            ("GET", id) if self.uploads.contains_key(id) => self.upload_accepted(204, name, id, address),
            ("PATCH", id) => match self.append_to_upload(request, id) {
                None => self.upload_accepted(202, name, id, address),
                Some(refusal) => refusal,
            },
            ("PUT", id) => match self.append_to_upload(request, id) {
                None => self.finish_upload(request, name, id),
                Some(refusal) => refusal,
            },
            ("DELETE", id) if self.uploads.remove(id).is_some() => Response::new(204),
            _ => Response::error(404, "BLOB_UPLOAD_UNKNOWN"),
        }
    }

    fn begin_upload(&mut self, request: &Request, name: &str, address: SocketAddr) -> Response {
        if let (Some(digest), Some(from)) = (request.parameter("mount"), request.parameter("from")) {
            let blob = self.blobs.get(&(from.clone(), digest.clone())).cloned();
            let allowed = !self.no_mounts && self.may_pull(request, &from);
            if let Some(blob) = blob.filter(|_| allowed) {
                self.blobs.insert((name.to_owned(), digest.clone()), blob);
                return Response::new(201).header("location", &format!("/v2/{name}/blobs/{digest}"));
            }
        }
        self.sessions += 1;
        let id = format!("session-{}", self.sessions);
        self.uploads.insert(id.clone(), Vec::new());
        self.upload_accepted(202, name, &id, address)
    }

    /// Where the upload goes on; the state changes with each byte, and must be sent back.
    fn upload_accepted(&self, status: u16, name: &str, id: &str, address: SocketAddr) -> Response {
        let size = self.uploads[id].len();
        let server = if self.relative { String::new() } else { format!("http://{address}") };
        let location = format!("{server}/v2/{name}/blobs/uploads/{id}?_state=at-{size}");
        let range = format!("0-{}", size.saturating_sub(1));
        Response::new(status).header("location", &location).header("range", &range)
    }

    /// Appends the next bytes of an upload. Returns the response if they are wrong.
    fn append_to_upload(&mut self, request: &Request, id: &str) -> Option<Response> {
        let Some(there) = self.uploads.get_mut(id) else {
            return Some(Response::error(404, "BLOB_UPLOAD_UNKNOWN"));
        };
        if !request.parameter("_state").is_some_and(|state| state.starts_with("at-")) {
            return Some(Response::error(400, "BLOB_UPLOAD_INVALID"));
        }
        let size = request.body.len();
        if let Some(range) = request.header("content-range") {
            let (from, to) = range.split_once('-').unwrap();
            let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
            if from != there.len() || to + 1 - from != size {
                return Some(Response::error(416, "RANGE_INVALID"));
            }
        } else if !there.is_empty() && size > 0 {
            return Some(Response::error(416, "RANGE_INVALID"));
        }
        there.extend(&request.body);
        None
    }

    fn finish_upload(&mut self, request: &Request, name: &str, id: &str) -> Response {
        let digest = request.parameter("digest").unwrap_or_default();
        let blob = self.uploads.remove(id).unwrap();
        if self.counts.is_none() && sha256(&blob) != digest {
            return Response::error(400, "DIGEST_INVALID");
        }
        self.blobs.insert((name.to_owned(), digest.clone()), blob);
        Response::new(201).header("docker-content-digest", &digest)
    }

    /// Keeps what came of an upload before it was cut.
    pub fn keep_partial_upload(&mut self, request: &Request) {
        let id = request.path().rsplit('/').next().unwrap().to_owned();
        if self.no_resume {
            self.uploads.remove(&id);
        } else {
            self.uploads.get_mut(&id).unwrap().extend(&request.body);
        }
    }
}
