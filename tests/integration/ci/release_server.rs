//! A server with a release on it: what `release/pack` makes of the programs that were built for
//! these tests.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tempfile::TempDir;

use crate::release::pack_script::pack;

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Releases, which are there until the end of the test.
pub(crate) struct Releases {
    /// Where they are, as a job says it.
    pub(crate) url: String,
    folder: Arc<TempDir>,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Releases {
    /// The one release, with its checksum.
    pub(crate) fn start() -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        release(&folder.path().join(format!("v{VERSION}")));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/releases", listener.local_addr().unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let (files, ends) = (folder.clone(), stop.clone());
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                answer(&stream.unwrap(), files.path());
            }
        });
        Self { url, folder, stop, server: Some(server) }
    }

    /// A file of the release.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("v{VERSION}")).join(name)
    }
}

impl Drop for Releases {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://").split('/').next().unwrap());
        self.server.take().unwrap().join().unwrap();
    }
}

/// The name of the archive for this machine.
pub(crate) fn archive() -> String {
    format!("coracle-v{VERSION}-{}-unknown-linux-musl.tar.gz", std::env::consts::ARCH)
}

/// The release of this machine, and the checksum of another one.
fn release(folder: &Path) {
    let target = archive().trim_start_matches(&format!("coracle-v{VERSION}-")).replace(".tar.gz", "");
    let path = pack(folder, &target, &[("SOURCE_DATE_EPOCH", "0")]);
    assert_eq!(Path::new(&path), folder.join(archive()).canonicalize().unwrap());
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let other = format!("{}  coracle-v{VERSION}-other.tar.gz\n", "0".repeat(64));
    fs::write(folder.join("SHA256SUMS"), other + &sums).unwrap();
}

/// One file, or that there is none.
fn answer(mut stream: &TcpStream, folder: &Path) {
    let mut lines = BufReader::new(stream).lines();
    let Some(Ok(first)) = lines.next() else { return };
    lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
    let path = first.split(' ').nth(1).unwrap().trim_start_matches("/releases/").to_owned();
    let (status, body) = match fs::read(folder.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}
