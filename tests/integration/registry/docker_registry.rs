//! Debian's docker-registry: in the clear, and with TLS of a private authority and a password.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coracle_core::digest::Digest;
use coracle_core::hint::Hint as _;
use coracle_core::reference::ImageReference;
use coracle_oci::registry::{
    Access, BlobUpload, Credential, ManifestReference, PushOutcome, RegistryClient, RegistrySettings,
    Repository, RepositoryClient,
};

use super::referrers::Artifact;
use super::test_image::{MANIFEST, image, read, upload};
use super::tls::{Ends, certificates};

/// A registry that ends with the test.
pub(crate) struct Registry {
    _process: Ends,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
}

/// Whether all of these programs are there; `packages` has them on Debian.
pub(crate) fn met(programs: &[&str], packages: &str) -> bool {
    let search = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    let there = |program: &&&str| search.iter().any(|directory| Path::new(directory).join(program).is_file());
    let missing: Vec<&&str> = programs.iter().filter(|program| !there(program)).collect();
    if !missing.is_empty() {
        coracle_testing::skipped(&format!("there is no {missing:?} (on Debian: {packages})"));
    }
    missing.is_empty()
}

impl Registry {
    fn start(prepare: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let more = prepare(folder.path());
        // Nobody else takes a port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let data = folder.path().join("data");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n{more}",
            data.display()
        );
        let path = folder.path().join("config.yml");
        std::fs::write(&path, config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let registry = Self { _process: Ends(process), port, folder };
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = || std::fs::read_to_string(registry.folder.path().join("log")).unwrap();
            assert!(start.elapsed() < Duration::from_secs(10), "the registry does not start: {}", said());
            std::thread::sleep(Duration::from_millis(10));
        }
        registry
    }

    pub(crate) fn plain() -> Self {
        Self::start(|_| String::new())
    }

    fn with_tls() -> Self {
        Self::start(|folder| {
            certificates(folder);
            let out = Command::new("htpasswd").args(["-Bbn", "anna", "hunter2hunter2"]).output().unwrap();
            std::fs::write(folder.join("htpasswd"), out.stdout).unwrap();
            let at = folder.display();
            format!(
                "  tls: {{certificate: {at}/tls.crt, key: {at}/tls.key}}\n\
                 auth: {{htpasswd: {{realm: r, path: {at}/htpasswd}}}}\n"
            )
        })
    }

    fn repository(&self, name: &str) -> Repository {
        Repository::from(&format!("localhost:{}/{name}", self.port).parse::<ImageReference>().unwrap())
    }

    pub(crate) fn open(&self, name: &str, settings: RegistrySettings) -> RepositoryClient {
        RegistryClient::new(settings).unwrap().repository_client(&self.repository(name), &Access::push())
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }
}

/// Everything once, with what the real one does differently.
fn exercise(registry: &Registry, settings: &RegistrySettings) {
    let shop = registry.open("shop", settings.clone());
    let image = image(&[3 << 20, 5, 0]);
    image.push(&shop, "1").unwrap();
    assert_eq!(shop.head_manifest(ManifestReference::Tag("1")).unwrap().unwrap().digest, image.digest());
    assert_eq!(
        shop.pull_manifest(ManifestReference::Digest(image.digest())).unwrap().unwrap().bytes,
        image.manifest
    );
    for layer in &image.layers {
        assert_eq!(&read(&shop, &Digest::compute(layer), layer.len()).unwrap(), layer);
    }
    let all_there = shop.push_blobs(&image.uploads()).unwrap();
    assert!(all_there.iter().all(|pushed| *pushed == PushOutcome::Present));

    let access = Access::Push { mounts: vec!["shop".into()] };
    let client = RegistryClient::new(settings.clone()).unwrap();
    let other = client.repository_client(&registry.repository("team/other"), &access);
    let from_shop = BlobUpload { mount_from: Some("shop"), ..upload(&image.layers[0]) };
    assert_eq!(other.push_blob(&from_shop).unwrap(), PushOutcome::Mounted);
    // A missing blob can't be mounted.
    assert_eq!(
        other.push_blob(&BlobUpload { mount_from: Some("shop"), ..upload(b"new") }).unwrap(),
        PushOutcome::Sent
    );

    let referrer = Artifact::about(&image);
    for _ in 0..2 {
        referrer.push(&shop).unwrap();
    }
    let found = shop.referrers(&image.digest()).unwrap();
    assert_eq!(found.iter().map(|found| found.digest).collect::<Vec<_>>(), [referrer.digest()]);

    let wrong = BlobUpload { digest: Digest::compute(b"other"), ..upload(b"bytes") };
    let error = shop.push_blob(&wrong).unwrap_err();
    assert!(error.to_string().contains("400 Bad Request (DIGEST_INVALID"), "{error}");
    let error = other.put_manifest(ManifestReference::Tag("1"), MANIFEST, &image.manifest).unwrap_err();
    assert!(
        error.to_string().contains("MANIFEST_BLOB_UNKNOWN") || error.to_string().contains("MANIFEST_UNKNOWN"),
        "{error}"
    );
    assert_eq!(other.head_manifest(ManifestReference::Tag("1")).unwrap(), None);
}

#[test]
fn works_without_tls() {
    if met(&["docker-registry"], "docker-registry") {
        exercise(&Registry::plain(), &RegistrySettings::default());
    }
}

#[test]
fn works_with_tls_and_a_password() {
    if !met(&["docker-registry", "htpasswd", "openssl"], "docker-registry apache2-utils openssl") {
        return;
    }
    let registry = Registry::with_tls();
    let name = registry.repository("x").registry().to_owned();
    let credential =
        |password: &str| BTreeMap::from([(name.clone(), Credential::password("anna", password))]);
    let settings = RegistrySettings {
        certificate_files: vec![registry.certificate()],
        credentials: credential("hunter2hunter2"),
        ..RegistrySettings::default()
    };
    exercise(&registry, &settings);

    let error = registry.open("shop", RegistrySettings { credentials: BTreeMap::new(), ..settings.clone() });
    let error = error.pull_manifest(ManifestReference::Tag("1")).unwrap_err();
    assert!(error.to_string().contains("401 Unauthorized (UNAUTHORIZED"), "{error}");
    assert!(error.hint().unwrap().contains("docker login"), "{:?}", error.hint());

    let wrong = registry
        .open("shop", RegistrySettings { credentials: credential("hunter2wrong"), ..settings.clone() });
    let error = wrong.pull_manifest(ManifestReference::Tag("1")).unwrap_err();
    assert!(error.to_string().contains("401 Unauthorized"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");

    let stranger = registry.open("shop", RegistrySettings { certificate_files: Vec::new(), ..settings });
    let error = stranger.head_manifest(ManifestReference::Tag("1")).unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(error.hint().unwrap().contains("CA certificate"), "{:?}", error.hint());
}
