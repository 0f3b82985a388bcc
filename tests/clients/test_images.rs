//! The programs that become images, and their images as `coracle` makes them: a layout and both
//! archives of each.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use coracle_testing::process::stdout_of;
use serde_json::Value;
use tempfile::TempDir;

use crate::greeter::Greeter;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
const CURL: &str = "/usr/bin/curl";

/// An image: what it was asked to be, and what `coracle` said about it.
#[derive(Default)]
pub(crate) struct Subject {
    /// The name as it was given to `coracle`.
    pub(crate) name: &'static str,
    /// The same as clients write it that know of no short names.
    pub(crate) full_name: &'static str,
    /// The path of the program in the image.
    pub(crate) entrypoint: &'static str,
    pub(crate) args: &'static [&'static str],
    env: &'static [&'static str],
    /// The value of `--compression`, if any.
    compression: Option<&'static str>,
    /// Its output; for the greeter, its response.
    pub(crate) says: String,
    /// The manifest's digest, as `coracle` printed it.
    pub(crate) digest: String,
    directory: PathBuf,
}

/// All images, for as long as a test holds them.
pub(crate) struct Subjects {
    /// These run and end.
    pub(crate) programs: [Subject; 5],
    /// This one serves.
    pub(crate) greeter: Subject,
    _directory: TempDir,
}

impl Subjects {
    /// The images: built for the first test that asks, removed after the last that holds them.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Subjects>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let subjects = Arc::new(Self::build());
            *shared = Arc::downgrade(&subjects);
            subjects
        })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Subject> {
        self.programs.iter().chain([&self.greeter])
    }

    /// curl, once with each codec.
    pub(crate) fn codecs(&self) -> impl Iterator<Item = &Subject> {
        self.programs.iter().filter(|subject| subject.entrypoint == CURL)
    }

    fn build() -> Self {
        let directory = tempfile::Builder::new().prefix("coracle-subjects-").tempdir().unwrap();
        let (hello, report) = (compile(directory.path(), "hello"), compile(directory.path(), "report"));
        let greeter = greeter();
        let hello = Subject {
            name: "hello:latest",
            full_name: "docker.io/library/hello:latest",
            entrypoint: "/app/hello",
            says: on_host(&hello, &[]),
            ..Subject::default()
        }
        .build(&hello, directory.path());
        let report = Subject {
            name: "localhost/report:1.0",
            full_name: "localhost/report:1.0",
            entrypoint: "/usr/bin/report",
            args: &["--one", "two words"],
            env: &["REPORT=of a program"],
            says: std::fs::read_to_string(format!("{SOURCES}/report.txt")).unwrap(),
            ..Subject::default()
        }
        .build(&format!("{report}:/usr/bin/report"), directory.path());
        // Several layers, the first of which is compressed in many blocks: with each codec.
        let curl = |name, compression| {
            Subject {
                name,
                full_name: name,
                entrypoint: CURL,
                args: &["--version"],
                compression,
                says: on_host(CURL, &["--version"]),
                ..Subject::default()
            }
            .build(CURL, directory.path())
        };
        let gzip = curl("registry.example/tools/curl:7", None);
        let zstd = curl("registry.example/tools/curl-zstd:7", Some("zstd"));
        let none = curl("registry.example/tools/curl-none:7", Some("none"));
        let greeter = Subject {
            name: "acme/greeter:2",
            full_name: "docker.io/acme/greeter:2",
            entrypoint: "/app/greeter",
            says: answers_on_host(&greeter, directory.path()),
            ..Subject::default()
        }
        .build(&greeter, directory.path());
        Self { programs: [hello, report, gzip, zstd, none], greeter, _directory: directory }
    }
}

impl Subject {
    /// The directory of the image layout.
    pub(crate) fn layout(&self) -> PathBuf {
        self.directory.join("layout")
    }

    pub(crate) fn oci_archive(&self) -> PathBuf {
        self.directory.join("oci.tar")
    }

    pub(crate) fn docker_archive(&self) -> PathBuf {
        self.directory.join("docker.tar")
    }

    /// The layout, by the image's tag, as skopeo, umoci and podman name it.
    pub(crate) fn in_layout(&self) -> String {
        format!("{}:{}", self.layout().display(), self.tag())
    }

    /// The full name with the digest instead of the tag.
    pub(crate) fn digest_name(&self) -> String {
        format!("{}@{}", self.full_name.rsplit_once(':').unwrap().0, self.digest)
    }

    pub(crate) fn tag(&self) -> &'static str {
        self.name.rsplit(':').next().unwrap()
    }

    /// The name without path and tag: good for a container.
    pub(crate) fn short_name(&self) -> &'static str {
        let path = self.name.split(':').next().unwrap();
        path.rsplit('/').next().unwrap()
    }

    /// A blob of the layout that is JSON.
    pub(crate) fn blob(&self, digest: &str) -> Value {
        serde_json::from_slice(&self.bytes(digest)).unwrap()
    }

    /// The bytes of a blob of the layout.
    pub(crate) fn bytes(&self, digest: &str) -> Vec<u8> {
        std::fs::read(self.layout().join("blobs").join(digest.replace(':', "/"))).unwrap()
    }

    /// The digest of the image's config, which engines call the ID of the image.
    pub(crate) fn id(&self) -> String {
        self.blob(&self.digest)["config"]["digest"].as_str().unwrap().to_owned()
    }

    /// Whether its layers are compressed with what some clients do not know.
    pub(crate) fn is_zstd(&self) -> bool {
        self.compression == Some("zstd")
    }

    /// Whether its layers are tars, which some clients compress on the way.
    pub(crate) fn is_plain(&self) -> bool {
        self.compression == Some("none")
    }

    /// Lets `coracle` make the image; `program` is what stands on its command line.
    fn build(mut self, program: &str, directory: &Path) -> Self {
        self.directory = directory.join(format!("{}-image", self.short_name()));
        std::fs::create_dir(&self.directory).unwrap();
        let mut coracle = Command::new(env!("CARGO_BIN_EXE_coracle"));
        coracle.args(["build", program, "--no-cache", "--tag", self.name]);
        coracle.args(["--output", &format!("oci:{}", self.in_layout())]);
        coracle.args(["--output", &format!("oci-archive:{}", self.oci_archive().display())]);
        coracle.args(["--output", &format!("docker-archive:{}", self.docker_archive().display())]);
        coracle.args(self.env.iter().flat_map(|variable| ["--env", variable]));
        coracle.args(self.compression.iter().flat_map(|compression| ["--compression", compression]));
        let printed = stdout_of(coracle.arg("--").args(self.args));
        let digest =
            printed.strip_prefix(&format!("{}@", self.name)).and_then(|rest| rest.strip_suffix('\n'));
        digest
            .unwrap_or_else(|| panic!("not the reference of {}: {printed}", self.name))
            .clone_into(&mut self.digest);
        self
    }
}

/// Compiles a static program from the source beside this file.
pub(crate) fn compile(directory: &Path, name: &str) -> String {
    let program = directory.join(name).to_str().unwrap().to_owned();
    let source = format!("{SOURCES}/{name}.c");
    stdout_of(Command::new("gcc").args(["-Os", "-static", "-s", "-o", &program, &source]));
    program
}

pub(crate) fn greeter() -> String {
    coracle_testing::built_package("greeter").to_str().unwrap().to_owned()
}

fn on_host(program: &str, args: &[&str]) -> String {
    stdout_of(Command::new(program).args(args))
}

fn answers_on_host(program: &str, directory: &Path) -> String {
    let greeter = Greeter::new(directory);
    let server = Command::new(program).arg(greeter.file()).stdout(Stdio::null()).spawn().unwrap();
    let _server = Server(server);
    greeter.talk()
}

/// A process on the host, which ends when this is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
