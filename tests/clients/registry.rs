//! A registry takes images of every codec as they are, and the engines pull them from it and run them.

use std::process::Command;

use crate::containerd::{self, ctr};
use crate::docker::{self, Docker};
use crate::greeter::free_port;
use crate::place::Place;
use crate::podman::{self, Podman};
use crate::requirement::{self, Program};
use crate::subject::{Subject, Subjects};

const NEEDS: &[Program] = &[Program("docker-registry", "docker-registry"), Program("skopeo", "skopeo")];

#[test]
fn engines_pull_every_codec() {
    let needs = [NEEDS, docker::NEEDS, podman::NEEDS, containerd::NEEDS].concat();
    if !requirement::met("pulling from a registry", &needs) {
        return;
    }
    let subjects = Subjects::shared();
    let place = Place::new();
    let registry = Registry::start(&place);
    for subject in subjects.codecs() {
        registry.push(subject);
    }

    let docker = Docker::start(&place);
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

    let podman = Podman::new(&place);
    for subject in subjects.codecs() {
        let name = registry.name(subject);
        podman.run(&["pull", "--quiet", "--tls-verify=false", &name]);
        let digest = podman.run(&["image", "inspect", "--format", "{{.Digest}}", &name]);
        assert_eq!(digest.trim_end(), subject.digest, "{name}");
        assert_eq!(podman.container(&["--rm"], &name), subject.says, "{name} with podman");
        podman.forget(&name);
    }

    containerd::serve(&place);
    for subject in subjects.codecs() {
        let name = registry.by_digest(subject);
        place.run(ctr(&place, &["images", "pull", "--plain-http", &name]));
        let said = place.run(ctr(&place, &["run", "--rm", "--net-host", &name, subject.short_name()]));
        assert_eq!(said, subject.says, "{name} with containerd");
        containerd::forget(&place, &name);
    }
}

/// A registry of this place, without TLS.
struct Registry<'a> {
    place: &'a Place,
    address: String,
}

impl<'a> Registry<'a> {
    fn start(place: &'a Place) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let directory = place.data().join("registry");
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {directory:?}}}}}\nhttp: {{addr: {address:?}}}\n"
        );
        let config = place.file("registry.yml", &config);
        let mut daemon = place.command(["docker-registry", "serve", config.to_str().unwrap()]);
        let registry = Self { place, address };
        place.daemon(&mut daemon, || registry.ask());
        registry
    }

    fn ask(&self) -> Command {
        self.place.command(["curl", "--fail", "--silent", &format!("http://{}/v2/", self.address)])
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
        self.place.run(copy.iter().chain(&[&*from, &to]));
        let inspect = ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", &to];
        assert_eq!(self.place.run(inspect).trim_end(), subject.digest, "{to}");
    }
}
