//! A strict registry on 127.0.0.1 with faults. It ends with the test.

mod blobs;
mod http;
mod login;
mod manifests;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

pub use http::{Request, Response};
pub use login::Login;

/// A fault of the registry.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This is the response; the request has no effect.
    Respond(u16, Vec<(&'static str, String)>, &'static str),
    /// The request takes effect, but the connection is closed before the response.
    Disconnect,
    /// This many bytes of an upload are kept, then the connection is closed.
    TruncateUpload(usize),
    /// The connection is closed after this many bytes of the response's body.
    TruncateResponse(usize),
    /// The response's body has this many bytes, with the right `Content-Length`.
    ResizeResponse(usize),
    /// The last byte of the response's body is changed.
    AlterResponse,
    /// The response is delayed by this time.
    Delay(Duration),
    /// The response's body is sent one byte at a time, with this pause before each.
    Trickle(Duration),
    /// The response has endless headers.
    EndlessHeader,
    /// These bytes are sent instead of a response.
    RawResponse(&'static str),
}

/// A fault for the next `times` requests of a method whose target contains `part`.
pub struct PlannedFault {
    method: &'static str,
    part: &'static str,
    times: usize,
    fault: Fault,
}

#[derive(Default)]
pub struct State {
    pub blobs: BTreeMap<(String, String), Vec<u8>>,
    pub manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    pub tags: BTreeMap<(String, String), String>,
    pub uploads: BTreeMap<String, Vec<u8>>,
    pub requests: Vec<Request>,
    pub faults: Vec<PlannedFault>,
    pub login: Login,
    pub tokens: Vec<Vec<String>>,
    /// Ignores `Range` headers.
    pub no_ranges: bool,
    /// Discards uploads whose connection was closed.
    pub no_resume: bool,
    /// Does not mount blobs of other repositories.
    pub no_mounts: bool,
    /// Supports the referrers API.
    pub referrers: bool,
    /// Has the referrers API, but sends no `OCI-Subject`.
    pub no_subject_header: bool,
    /// The number of referrers on a page; all of them if it is `None`.
    pub page_size: Option<usize>,
    /// Lists the media type of the config as the type of each artifact, as go-containerregistry does.
    pub config_as_artifact_type: bool,
    /// Sends an `ETag` with manifests, and evaluates `If-Match`.
    pub etags: bool,
    /// The `Location` of an upload is a path without a host.
    pub relative: bool,
    /// Counts the bytes of uploads and keeps none of them.
    pub counts: Option<usize>,
    /// The status of everything that succeeds, except for the start of an upload, which has a
    /// session if it is 202.
    pub success: Option<u16>,
    /// The status for what does not exist, to clients that are logged in.
    pub hidden: Option<u16>,
    /// Does not support `HEAD`.
    pub no_head: bool,
    /// Clients of tests get short timeouts.
    pub short_timeouts: bool,
    sessions: usize,
}

pub struct FakeRegistry {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    ends: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl FakeRegistry {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (state, open, ends) = (
            Arc::<Mutex<State>>::default(),
            Arc::<Mutex<Vec<TcpStream>>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let shared = (Arc::clone(&state), Arc::clone(&open), Arc::clone(&ends));
        let accepting = std::thread::spawn(move || {
            let (state, open, ends) = shared;
            let mut serving = Vec::new();
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    break;
                }
                let mut stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                open.lock().unwrap().push(stream.try_clone().unwrap());
                let state = Arc::clone(&state);
                serving.push(std::thread::spawn(move || {
                    serve(&mut stream, address, &state);
                    // The clone in `open` would keep it.
                    let _ = stream.shutdown(Shutdown::Both);
                }));
            }
            for stream in open.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
            for thread in serving {
                thread.join().unwrap();
            }
        });
        Self { address, state, open, ends, accepting: Some(accepting) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Injects `fault` into the next `times` requests with this method whose target contains `part`.
    pub fn inject_fault(&self, times: usize, method: &'static str, part: &'static str, fault: Fault) {
        self.state().faults.push(PlannedFault { method, part, times, fault });
    }

    /// Returns `METHOD TARGET` of all requests since the last call.
    pub fn take_requests(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.state().requests);
        requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect()
    }

    /// Replaces the layer of every tagged artifact in a repository by an empty one. Returns the
    /// number of artifacts.
    pub fn forge_layers(&self, name: &str) -> usize {
        let mut state = self.state();
        let empty = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0".to_vec();
        let digest = sha256(&empty);
        let size = empty.len();
        state.blobs.insert((name.into(), digest.clone()), empty);
        let tags: Vec<_> = state.tags.iter().filter(|((repository, _), _)| repository == name).collect();
        let tags: Vec<_> = tags.into_iter().map(|(tag, digest)| (tag.clone(), digest.clone())).collect();
        for (tag, found) in &tags {
            let (kind, bytes) = state.manifests[&(name.to_owned(), found.clone())].clone();
            let mut document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            document["layers"][0]["digest"] = digest.clone().into();
            document["layers"][0]["size"] = size.into();
            let bytes = document.to_string().into_bytes();
            let forged = sha256(&bytes);
            state.manifests.insert((name.into(), forged.clone()), (kind, bytes));
            state.tags.insert(tag.clone(), forged);
        }
        tags.len()
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        for stream in self.open.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.accepting.take().unwrap().join().unwrap();
    }
}

/// Answers requests until a side closes the connection.
fn serve(stream: &mut TcpStream, address: SocketAddr, state: &Mutex<State>) {
    while let Some(mut request) = http::head(stream) {
        let fault = { state.lock().unwrap().fault(&request) };
        let keep = match fault {
            Some(Fault::TruncateUpload(bytes)) => bytes,
            _ => usize::MAX,
        };
        let discard = state.lock().unwrap().counts.is_some() && request.target.contains("/uploads/");
        match http::body(stream, &request, keep, discard) {
            Some((bytes, size)) => {
                request.body = bytes;
                if discard {
                    let mut state = state.lock().unwrap();
                    state.counts = state.counts.map(|count| count + size);
                }
            }
            None => return,
        }
        state.lock().unwrap().requests.push(request.clone());
        if request.method == "CONNECT" {
            // A proxy that gets to servers without TLS alone: the fake itself.
            let status = if request.target.ends_with(":80") { "200 OK" } else { "502 Bad Gateway" };
            if stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).is_err()
                || status != "200 OK"
            {
                return;
            }
            continue;
        }
        if let Some(Fault::TruncateUpload(_)) = fault {
            state.lock().unwrap().keep_partial_upload(&request);
            return;
        }
        if let Some(Fault::Respond(status, headers, body)) = &fault {
            let mut response = Response::new(*status).body(body.as_bytes());
            for (name, value) in headers {
                response = response.header(name, value);
            }
            if response.send(stream, &request, None).is_none() {
                return;
            }
            continue;
        }
        let mut response = state.lock().unwrap().respond(&request, address);
        if let Some(status) = state.lock().unwrap().success
            && !["GET", "HEAD"].contains(&request.method.as_str())
        {
            response.replace_success(status);
        }
        match fault {
            Some(Fault::Disconnect) => return,
            Some(Fault::Delay(time)) => std::thread::sleep(time),
            Some(Fault::RawResponse(text)) => {
                let _ = stream.write_all(text.as_bytes());
                return;
            }
            Some(Fault::EndlessHeader) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
                while stream.write_all(b"X-More: and more and more and more\r\n").is_ok() {}
                return;
            }
            _ => {}
        }
        if response.send(stream, &request, fault.as_ref()).is_none() {
            return;
        }
    }
}

impl State {
    fn fault(&mut self, request: &Request) -> Option<Fault> {
        let fits = |fault: &&mut PlannedFault| {
            fault.times > 0 && fault.method == request.method && request.target.contains(fault.part)
        };
        let fault = self.faults.iter_mut().find(fits)?;
        fault.times -= 1;
        Some(fault.fault.clone())
    }

    fn respond(&mut self, request: &Request, address: SocketAddr) -> Response {
        if request.path() == "/token" {
            return self.token(request);
        }
        if let Some(challenge) = self.login_challenge(request, address) {
            return challenge;
        }
        if self.no_head && request.method == "HEAD" {
            return Response::error(405, "UNSUPPORTED");
        }
        match (self.respond_to_known(request, address), self.hidden) {
            (response, Some(status)) if response.is_not_found() => Response::error(status, "DENIED"),
            (response, _) => response,
        }
    }

    /// The response to a client that may ask.
    fn respond_to_known(&mut self, request: &Request, address: SocketAddr) -> Response {
        let path = request.path().to_owned();
        let Some(path) = path.strip_prefix("/v2/") else { return Response::error(404, "NOT_FOUND") };
        if path.is_empty() {
            return Response::new(200);
        }
        for (kind, act) in [
            ("/blobs/uploads/", Self::upload as fn(&mut Self, &Request, &str, &str, SocketAddr) -> Response),
            ("/blobs/", Self::blob),
            ("/manifests/", Self::manifest),
            ("/referrers/", Self::list_referrers),
        ] {
            if let Some((name, what)) = path.split_once(kind) {
                return act(self, request, name, what, address);
            }
        }
        Response::error(404, "NOT_FOUND")
    }
}

/// `sha256:` and the digest of `bytes`.
fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn is_digest(text: &str) -> bool {
    let is_hex =
        |hex: &str| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.strip_prefix("sha256:").is_some_and(is_hex)
}
