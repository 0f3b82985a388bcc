//! Debian's docker-registry with a password.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use coracle_core::digest::Digest;
use coracle_oci::copy;
use coracle_oci::layout::ParsedImage;
use coracle_oci::registry::{Access, Credential, ManifestReference, RegistryClient, RegistrySettings};
use coracle_testing::skipped;
use tempfile::TempDir;

pub(crate) const USER: &str = "anna";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A registry that ends with the test.
pub(crate) struct Registry {
    process: Child,
    /// The prefix of names there.
    pub(crate) host: String,
    _folder: TempDir,
}

impl Registry {
    /// Nothing where the programs for it are not installed.
    pub(crate) fn start() -> Option<Self> {
        let programs = ["docker-registry", "htpasswd"];
        let is_there = |program: &&str| {
            ["/usr/bin", "/usr/local/bin"].iter().any(|at| std::path::Path::new(at).join(program).is_file())
        };
        if !programs.iter().all(is_there) {
            skipped(&format!("not all of {programs:?} are there (on Debian: docker-registry apache2-utils)"));
            return None;
        }
        let folder = TempDir::new().unwrap();
        let passwords = Command::new("htpasswd").args(["-Bbn", USER, PASSWORD]).output().unwrap();
        std::fs::write(folder.path().join("htpasswd"), passwords.stdout).unwrap();
        // Nobody else takes a port that was free a moment ago.
        let host = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let at = folder.path().display();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {at}/data}}}}\n\
             http: {{addr: {host:?}}}\nauth: {{htpasswd: {{realm: r, path: {at}/htpasswd}}}}\n"
        );
        let path = folder.path().join("config.yml");
        std::fs::write(&path, config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(path).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let registry = Self { process: command.spawn().unwrap(), host, _folder: folder };
        let start = Instant::now();
        while TcpStream::connect(&registry.host).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "the registry does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(registry)
    }

    fn client(&self) -> RegistryClient {
        let credential = Credential::password(USER, PASSWORD);
        let credentials = BTreeMap::from([(self.host.clone(), credential)]);
        RegistryClient::new(RegistrySettings { credentials, ..RegistrySettings::default() }).unwrap()
    }

    /// The digest of the manifest of this name; `None` if it does not exist.
    pub(crate) fn digest(&self, name: &str) -> Option<Digest> {
        let named: copy::RegistryImageName = format!("{}/{name}", self.host).parse().unwrap();
        let remote = self.client().repository_client(&(&named.reference).into(), &Access::Pull);
        remote.head_manifest(ManifestReference::Tag(named.reference.tag())).unwrap().map(|head| head.digest)
    }

    /// The image of a name there.
    pub(crate) fn image(&self, name: &str) -> ParsedImage {
        let place = format!("docker://{}/{name}", self.host).parse().unwrap();
        copy::read_image(&place, &self.client()).unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
