//! The registries that pages name, `ghcr.io` and all others: Debian's docker-registry with a
//! certificate for each, and a proxy that leads there whatever host is asked for. So commands run
//! as they stand on the page.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Every host that a page names.
pub(crate) const HOSTS: &[&str] =
    &["ghcr.io", "gcr.io", "registry.acme.example", "registry-1.docker.io", "docker.io", "quay.io"];

/// Ends with its value.
pub(crate) struct Registry {
    process: Child,
    folder: TempDir,
    proxy: String,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let at = folder.path().display().to_string();
        certificates(folder.path());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {at}/data}}}}\nhttp:\n  \
             addr: 127.0.0.1:{port}\n  tls: {{certificate: {at}/tls.crt, key: {at}/tls.key}}\n"
        );
        std::fs::write(folder.path().join("config.yml"), config).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Self { process, folder, proxy: proxy_to(port) };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "docker-registry does not start");
            thread::sleep(Duration::from_millis(10));
        }
        registry
    }

    /// The files of a machine that can connect to it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        let certificate = self.folder.path().join("ca.crt").display().to_string();
        [("HTTPS_PROXY", self.proxy.clone()), ("SSL_CERT_FILE", certificate)]
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// An authority of its own, and a certificate of it for all hosts.
fn certificates(folder: &Path) {
    let names: Vec<String> = HOSTS.iter().map(|host| format!("DNS:{host}")).collect();
    std::fs::write(folder.join("san"), format!("subjectAltName={}\n", names.join(","))).unwrap();
    let script = "set -e
new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $new -keyout ca.key -out ca.crt -days 30 -subj '/CN=Test CA'
openssl req $new -keyout tls.key -out tls.csr -subj /CN=registry
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out tls.crt -days 30 -extfile san";
    let output = Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Leads every `CONNECT` to this port. It ends with the test, as its connections do.
fn proxy_to(port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            // A client that leaves is no matter of ours: its command is held to what it did.
            thread::spawn(move || client.and_then(|client| connect(client, port)));
        }
    });
    address
}

fn connect(client: TcpStream, port: u16) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 && line != "\r\n" {
        line.clear();
    }
    let server = TcpStream::connect(("127.0.0.1", port))?;
    (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_client);
        to_client.shutdown(std::net::Shutdown::Write)
    });
    std::io::copy(&mut reader, &mut &server)?;
    server.shutdown(std::net::Shutdown::Write)
}

/// The programs that it needs, and that are not there.
pub(crate) fn missing() -> Vec<&'static str> {
    let there = |program: &str| {
        ["/usr/bin", "/usr/local/bin", "/bin"].iter().any(|at| PathBuf::from(at).join(program).exists())
    };
    ["docker-registry", "openssl"].into_iter().filter(|program| !there(program)).collect()
}
