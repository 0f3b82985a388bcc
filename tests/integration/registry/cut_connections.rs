//! The real registry behind a line that is cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use coracle_core::digest::Digest;
use coracle_core::reference::ImageReference;
use coracle_oci::registry::{Access, PushOutcome, RegistryClient, Repository};

use super::docker_registry::{Registry, met};
use super::fake::settings;
use super::test_image::{image, read, upload};

const SIZE: usize = 3 << 20;

/// A line to `port` on which some connections end after a part of the blob, in either direction.
struct Line {
    port: u16,
    /// How many connections are still to be cut.
    cuts: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Line {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let (cuts, ends) = (Arc::new(AtomicUsize::new(0)), Arc::<AtomicBool>::default());
        let shared = (Arc::clone(&cuts), Arc::clone(&ends));
        let accepting = std::thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                if shared.1.load(Ordering::SeqCst) {
                    break;
                }
                let (near, far) = (stream.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let cuts = Arc::clone(&shared.0);
                    open.push(std::thread::spawn(move || carry(from, to, &cuts)));
                }
            }
            for thread in open {
                thread.join().unwrap();
            }
        });
        Self { port: own, cuts, ends, accepting: Some(accepting) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.accepting.take().unwrap().join().unwrap();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, cuts: &AtomicUsize) {
    let (mut block, mut carried) = (vec![0; 1 << 16], 0);
    while let Ok(read @ 1..) = from.read(&mut block) {
        carried += read;
        if to.write_all(&block[..read]).is_err() {
            break;
        }
        let less = |left: usize| left.checked_sub(1);
        if carried > SIZE / 2 && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn retries_cut_uploads_and_downloads() {
    if !met(&["docker-registry"], "docker-registry") {
        return;
    }
    let registry = Registry::plain();
    let line = Line::to(registry.port);
    let reference: ImageReference = format!("127.0.0.1:{}/shop", line.port).parse().unwrap();
    let client = RegistryClient::new(settings()).unwrap();
    let shop = client.repository_client(&Repository::from(&reference), &Access::push());
    let layer = image(&[SIZE]).layers.remove(0);
    line.cuts.store(2, Ordering::SeqCst);
    assert_eq!(shop.push_blob(&upload(&layer)).unwrap(), PushOutcome::Sent);
    assert_eq!(line.cuts.load(Ordering::SeqCst), 0);
    line.cuts.store(2, Ordering::SeqCst);
    assert!(read(&shop, &Digest::compute(&layer), SIZE).unwrap() == layer);
    assert!(line.cuts.load(Ordering::SeqCst) <= 1);
    // The connections that wait for more end with the client, and with them the line.
    drop((shop, client));
}
