//! The example server, asked the same wherever it runs: its answers must be those that it gives on
//! the host.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use coracle_testing::process::poll;

/// The configuration of the server: a directory for `/etc/greeter`, with a port of this machine.
pub(crate) struct Greeter {
    pub(crate) directory: PathBuf,
    port: u16,
}

impl Greeter {
    /// Makes the directory `conf` in `parent`; a port is free when it was just to be had.
    pub(crate) fn new(parent: &Path) -> Self {
        let port = free_port();
        let greeter = Self { directory: parent.join("conf"), port };
        fs::create_dir(&greeter.directory).unwrap();
        fs::set_permissions(&greeter.directory, Permissions::from_mode(0o755)).unwrap();
        greeter.configure("Hello");
        greeter
    }

    /// The configuration's path on the host.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.join("greeter.toml")
    }

    /// Waits for the server, asks, changes the greeting on the host, and asks again.
    pub(crate) fn talk(&self) -> String {
        let health =
            poll(Duration::from_secs(20), || self.get("/health").ok().filter(|answer| !answer.is_empty()));
        let health = health.expect("the greeter does not answer");
        let mut answers = vec![health, self.get("/").unwrap(), self.get("/ada").unwrap()];
        self.configure("Ahoy");
        answers.push(self.get("/ada").unwrap());
        answers.join("\n")
    }

    /// Replaces the file as a whole, as a kubelet and most editors do: a container sees it if the directory is mounted.
    fn configure(&self, greeting: &str) {
        let text = format!("listen = \"127.0.0.1:{}\"\ngreeting = \"{greeting}\"\n", self.port);
        let new = self.directory.join("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, Permissions::from_mode(0o644)).unwrap();
        fs::rename(&new, self.file()).unwrap();
    }

    fn get(&self, path: &str) -> std::io::Result<String> {
        get(self.port, path)
    }
}

/// The response of a server on this machine.
pub(crate) fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A port of this machine that was just to be had.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Does what stops the server, which must not take as long as a client waits before it kills.
pub(crate) fn promptly(stop: impl FnOnce()) {
    let start = Instant::now();
    stop();
    let taken = start.elapsed();
    assert!(taken < Duration::from_secs(5), "it took {taken:?} to stop");
}
