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

pub use http::{Answer, Request};
pub use login::Login;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// This is the answer, and nothing is done.
    Says(u16, Vec<(&'static str, String)>, &'static str),
    /// Everything is done, but the connection ends before the answer.
    Cut,
    /// So many bytes of an upload are kept, then the connection ends.
    CutUpload(usize),
    /// The answer's body ends after so many bytes, and with it the connection.
    CutAnswer(usize),
    /// The answer's body has so many bytes, and says so.
    Resized(usize),
    /// A byte of the answer's body is another.
    Altered,
    /// The answer takes this long.
    Slow(Duration),
    /// Headers come without end.
    EndlessHeader,
    /// These bytes are all that comes.
    Raw(&'static str),
}

/// Trouble for the next requests of a method whose target has this in it.
pub struct Fault {
    method: &'static str,
    part: &'static str,
    times: usize,
    trouble: Trouble,
}

#[derive(Default)]
pub struct State {
    pub blobs: BTreeMap<(String, String), Vec<u8>>,
    pub manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    pub tags: BTreeMap<(String, String), String>,
    pub uploads: BTreeMap<String, Vec<u8>>,
    pub requests: Vec<Request>,
    pub faults: Vec<Fault>,
    pub login: Login,
    pub tokens: Vec<Vec<String>>,
    /// Answers ranges with everything.
    pub no_ranges: bool,
    /// Keeps no part of an upload that was cut.
    pub no_resume: bool,
    /// Never mounts.
    pub no_mounts: bool,
    /// Knows the referrers API.
    pub referrers: bool,
    /// Names uploads by the path alone.
    pub relative: bool,
    /// Counts what it is sent and keeps none of it.
    pub counts: Option<usize>,
    /// Whoever opens `shop` does not wait long.
    pub impatient: bool,
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

    /// Makes trouble for the next `times` requests like these.
    pub fn trouble(&self, times: usize, method: &'static str, part: &'static str, trouble: Trouble) {
        self.state().faults.push(Fault { method, part, times, trouble });
    }

    /// `METHOD TARGET` of every request since the last time, sessions without their names.
    pub fn asked(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.state().requests);
        requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect()
    }

    /// Lets every tagged artifact in a repository name an empty layer; how many there are.
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

/// Answers one request after the other, until somebody ends the connection.
fn serve(stream: &mut TcpStream, address: SocketAddr, state: &Mutex<State>) {
    while let Some(mut request) = http::head(stream) {
        let fault = { state.lock().unwrap().fault(&request) };
        let keep = match fault {
            Some(Trouble::CutUpload(bytes)) => bytes,
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
        if let Some(Trouble::CutUpload(_)) = fault {
            state.lock().unwrap().keep(&request);
            return;
        }
        if let Some(Trouble::Says(status, headers, body)) = &fault {
            let mut answer = Answer::new(*status).body(body.as_bytes());
            for (name, value) in headers {
                answer = answer.header(name, value);
            }
            if answer.send(stream, &request, None).is_none() {
                return;
            }
            continue;
        }
        let answer = state.lock().unwrap().answer(&request, address);
        match fault {
            Some(Trouble::Cut) => return,
            Some(Trouble::Slow(time)) => std::thread::sleep(time),
            Some(Trouble::Raw(text)) => {
                let _ = stream.write_all(text.as_bytes());
                return;
            }
            Some(Trouble::EndlessHeader) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
                while stream.write_all(b"X-More: and more and more and more\r\n").is_ok() {}
                return;
            }
            _ => {}
        }
        if answer.send(stream, &request, fault.as_ref()).is_none() {
            return;
        }
    }
}

impl State {
    fn fault(&mut self, request: &Request) -> Option<Trouble> {
        let fits = |fault: &&mut Fault| {
            fault.times > 0 && fault.method == request.method && request.target.contains(fault.part)
        };
        let fault = self.faults.iter_mut().find(fits)?;
        fault.times -= 1;
        Some(fault.trouble.clone())
    }

    fn answer(&mut self, request: &Request, address: SocketAddr) -> Answer {
        if request.path() == "/token" {
            return self.token(request);
        }
        if let Some(refusal) = self.refuses(request, address) {
            return refusal;
        }
        let path = request.path().to_owned();
        let Some(path) = path.strip_prefix("/v2/") else { return Answer::error(404, "NOT_FOUND") };
        for (kind, act) in [
            ("/blobs/uploads/", Self::upload as fn(&mut Self, &Request, &str, &str, SocketAddr) -> Answer),
            ("/blobs/", Self::blob),
            ("/manifests/", Self::manifest),
            ("/referrers/", Self::referrers_of),
        ] {
            if let Some((name, what)) = path.split_once(kind) {
                return act(self, request, name, what, address);
            }
        }
        Answer::error(404, "NOT_FOUND")
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
