//! TLS: certificates of a private authority, and that it is not left.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use coracle_core::hint::Hint as _;
use coracle_core::reference::ImageReference;
use coracle_oci::registry::{
    Access, ManifestReference, RegistryClient, RegistryError, RegistrySettings, Repository,
};

use super::docker_registry::met;

/// A process that ends with its value.
pub(crate) struct Ends(pub(crate) Child);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a certificate of it for this machine.
pub(crate) fn certificates(folder: &Path) {
    let openssl = || {
        let mut command = Command::new("openssl");
        command.current_dir(folder);
        command
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    run(openssl().args(["req", "-x509"]).args(key).args([
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-days",
        "30",
        "-subj",
        "/CN=Test CA",
    ]));
    run(openssl().arg("req").args(key).args([
        "-keyout",
        "tls.key",
        "-out",
        "tls.csr",
        "-subj",
        "/CN=localhost",
    ]));
    std::fs::write(folder.join("san"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
    run(openssl()
        .args(["x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"])
        .args(["-out", "tls.crt", "-days", "30", "-extfile", "san"]));
}

/// OpenSSL's own server, whose answers are files.
fn server(folder: &Path, certificate: &str) -> (Ends, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (accept, crt, key) =
        (format!("127.0.0.1:{port}"), format!("{certificate}.crt"), format!("{certificate}.key"));
    let mut server = Command::new("openssl");
    server.args(["s_server", "-accept", &accept, "-cert", &crt, "-key", &key, "-HTTP"]);
    server.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Ends(server.spawn().unwrap());
    let start = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "openssl does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    (server, port)
}

#[test]
fn does_not_downgrade_from_tls() {
    if !met(&["openssl"], "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let file = folder.path().join("v2/shop/manifests/1");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let answer = "HTTP/1.1 307 So\r\nLocation: http://127.0.0.1:9/v2/\r\nContent-Length: 0\r\n\r\n";
    std::fs::write(file, answer).unwrap();
    let (server, port) = server(folder.path(), "tls");
    let reference: ImageReference = format!("localhost:{port}/shop").parse().unwrap();
    let settings = RegistrySettings {
        certificate_files: vec![folder.path().join("ca.crt")],
        ..RegistrySettings::default()
    };
    let shop = RegistryClient::new(settings)
        .unwrap()
        .repository_client(&Repository::from(&reference), &Access::Pull);
    let error = shop.pull_manifest(ManifestReference::Tag("1")).unwrap_err();
    assert!(
        error.to_string().contains("would continue at `127.0.0.1:9` without TLS, which is not safe"),
        "{error}"
    );
    drop(server);
}

/// Some registries show a certificate that signed itself; the error says what to do.
#[test]
fn rejects_a_ca_certificate_as_server_certificate() {
    if !met(&["openssl"], "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let (_server, port) = server(folder.path(), "ca");
    let reference: ImageReference = format!("localhost:{port}/shop").parse().unwrap();
    let settings = RegistrySettings {
        certificate_files: vec![folder.path().join("ca.crt")],
        ..RegistrySettings::default()
    };
    let shop = RegistryClient::new(settings)
        .unwrap()
        .repository_client(&Repository::from(&reference), &Access::Pull);
    let error = shop.pull_manifest(ManifestReference::Tag("1")).unwrap_err();
    assert!(error.hint().unwrap().ends_with("use one signed by the CA"), "{error}");
}

#[test]
fn reports_invalid_certificates() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"no certificate").unwrap();
    for (path, expected) in
        [(file.path(), "it contains no certificate"), (Path::new("/nowhere.pem"), "cannot read")]
    {
        let settings =
            RegistrySettings { certificate_files: vec![path.to_owned()], ..RegistrySettings::default() };
        let error: RegistryError = RegistryClient::new(settings).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
