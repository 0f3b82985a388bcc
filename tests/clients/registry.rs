//! A registry takes images of every codec as they are, and the engines pull them from it and run
//! them.

use std::process::Command;

use coracle_testing::requirement::{self, Program};
use coracle_testing::sandbox::Sandbox;

use crate::containerd::{self, ctr};
use crate::docker::{self, Docker};
use crate::greeter::free_port;
use crate::podman::{self, Podman};
use crate::test_images::{Subject, Subjects};

const NEEDS: &[Program] = &[Program("docker-registry", "docker-registry"), Program("skopeo", "skopeo")];

#[test]
fn engines_pull_every_codec() {
    let needs = [NEEDS, docker::NEEDS, podman::NEEDS, containerd::NEEDS].concat();
    if !requirement::programs_installed("pulling from a registry", &needs) {
        return;
    }
    let subjects = Subjects::shared();
    let sandbox = Sandbox::new();
    let registry = Registry::start(&sandbox);
    for subject in subjects.codecs() {
        registry.push(subject);
    }

    let docker = Docker::start(&sandbox);
    for subject in subjects.codecs() {
        let name = registry.name(subject);
        if subject.is_zstd() && !docker.knows_zstd() {
            docker.refuses_zstd(&["pull", "--quiet", &name]);
            continue;
        }
        docker.run(&["pull", "--quiet", &name]);
        let digests = docker.run(&["image", "inspect", "--format", "{{.RepoDigests}}", &name]);
        assert_eq!(digests, format!("[{}]\n", registry.by_digest(subject)));
        assert_eq!(docker.container(&["--rm"], &name), subject.says, "{name} with Docker");
        docker.forget(&name);
    }

    let podman = Podman::new(&sandbox);
    for subject in subjects.codecs() {
        let name = registry.name(subject);
        podman.run(&["pull", "--quiet", "--tls-verify=false", &name]);
        let digest = podman.run(&["image", "inspect", "--format", "{{.Digest}}", &name]);
        assert_eq!(digest.trim_end(), subject.digest, "{name}");
        assert_eq!(podman.container(&["--rm"], &name), subject.says, "{name} with podman");
        podman.forget(&name);
    }

    containerd::serve(&sandbox);
    for subject in subjects.codecs() {
        let name = registry.by_digest(subject);
        sandbox.run(ctr(&sandbox, &["images", "pull", "--plain-http", &name]));
        let said = sandbox.run(ctr(&sandbox, &["run", "--rm", "--net-host", &name, subject.short_name()]));
        assert_eq!(said, subject.says, "{name} with containerd");
        containerd::forget(&sandbox);
    }
}

/// A registry of this sandbox, without TLS.
struct Registry<'a> {
    sandbox: &'a Sandbox,
    address: String,
}

impl<'a> Registry<'a> {
    fn start(sandbox: &'a Sandbox) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let directory = sandbox.data().join("registry");
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {directory:?}}}}}\nhttp: {{addr: {address:?}}}\n"
        );
        let config = sandbox.file("registry.yml", &config);
        let mut daemon = sandbox.command(["docker-registry", "serve", config.to_str().unwrap()]);
        let registry = Self { sandbox, address };
        sandbox.daemon(&mut daemon, || registry.ask());
        registry
    }

    fn ask(&self) -> Command {
        self.sandbox.command(["curl", "--fail", "--silent", &format!("http://{}/v2/", self.address)])
    }

    /// The image's name here.
    fn name(&self, subject: &Subject) -> String {
        format!("{}/{}:{}", self.address, subject.short_name(), subject.tag())
    }

    fn by_digest(&self, subject: &Subject) -> String {
        format!("{}/{}@{}", self.address, subject.short_name(), subject.digest)
    }

    /// Pushes the image from its layout; that nothing of it may change must be said, else skopeo compresses a tar.
    fn push(&self, subject: &Subject) {
        let (from, to) = (format!("oci:{}", subject.in_layout()), format!("docker://{}", self.name(subject)));
        let copy = ["skopeo", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false"];
        self.sandbox.run(copy.iter().chain(&[&*from, &to]));
        let inspect = ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", &to];
        assert_eq!(self.sandbox.run(inspect).trim_end(), subject.digest, "{to}");
    }
}
