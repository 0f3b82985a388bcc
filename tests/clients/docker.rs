//! Docker loads the archive and runs it. Before version 23.0 it knows nothing of zstd.

use std::process::Command;

use coracle_testing::process::{start, stdout_of};
use coracle_testing::requirement::{self, Program};
use coracle_testing::sandbox::Sandbox;

use crate::greeter::{Greeter, promptly};
use crate::test_images::{Subject, Subjects};

pub(crate) const NEEDS: &[Program] = &[Program("dockerd", "docker.io"), Program("docker", "docker.io")];

/// Flags that keep dockerd away from the host's network, which is not in the sandbox.
const NO_NETWORK: [&str; 5] =
    ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"];

#[test]
fn docker_loads_and_runs() {
    if !requirement::programs_installed("docker", NEEDS) {
        return;
    }
    let subjects = Subjects::shared();
    let sandbox = Sandbox::new();
    let docker = Docker::start(&sandbox);
    for subject in &subjects.programs {
        if subject.is_zstd() && !docker.knows_zstd() {
            let archive = subject.oci_archive();
            docker.refuses_zstd(&["load", "--quiet", "--input", archive.to_str().unwrap()]);
            continue;
        }
        docker.load(subject);
        assert_eq!(docker.container(&["--rm"], subject.name), subject.says, "{}", subject.name);
        docker.forget(subject.name);
    }

    docker.load(&subjects.greeter);
    let greeter = Greeter::new(sandbox.shared());
    let mount = format!("{}:/etc/greeter:ro", greeter.directory.display());
    let restricted =
        ["--detach", "--name", "greeter", "--read-only", "--cap-drop", "ALL", "--volume", &mount];
    docker.container(&restricted, subjects.greeter.name);
    assert_eq!(greeter.talk(), subjects.greeter.says);
    promptly(|| drop(docker.run(&["stop", "greeter"])));
    assert_eq!(
        docker.run(&["inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "greeter"]),
        "exited 0\n"
    );
    docker.run(&["rm", "greeter"]);
}

pub(crate) struct Docker<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> Docker<'a> {
    /// Docker as it serves in this sandbox.
    pub(crate) fn start(sandbox: &'a Sandbox) -> Self {
        let docker = Self { sandbox };
        sandbox.daemon(&mut docker.daemon(), || docker.command(&["info"]));
        docker
    }

    pub(crate) fn socket(&self) -> String {
        format!("unix://{}/docker.sock", self.sandbox.data().display())
    }

    /// The daemon, which must not take up the configuration of one that serves this machine.
    fn daemon(&self) -> Command {
        let config = self.sandbox.file("daemon.json", "{}");
        let mut daemon =
            self.sandbox.command(["dockerd", "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid"]);
        daemon.arg("--config-file").arg(config).arg("--data-root").arg(self.sandbox.data().join("docker"));
        daemon.args(["--host", &self.socket(), "--cgroup-parent", &format!("/{}", self.sandbox.cgroup)]);
        daemon.args(NO_NETWORK);
        daemon
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(["docker", "--host", &self.socket()]);
        command.args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        stdout_of(&mut self.command(arguments))
    }

    fn load(&self, subject: &Subject) {
        for archive in [subject.oci_archive(), subject.docker_archive()] {
            let said = self.run(&["load", "--quiet", "--input", archive.to_str().unwrap()]);
            assert_eq!(said, format!("Loaded image: {}\n", subject.name));
            let known = self.run(&["image", "inspect", "--format", "{{.Id}}", subject.name]);
            assert_eq!(known.trim_end(), subject.id(), "{}", subject.name);
        }
    }

    /// Its release notes have it under 23.0.0.
    pub(crate) fn knows_zstd(&self) -> bool {
        let version = self.run(&["version", "--format", "{{.Server.Version}}"]);
        version.split('.').next().unwrap().parse::<u32>().unwrap() >= 23
    }

    /// It takes the layer for a tar.
    pub(crate) fn refuses_zstd(&self, arguments: &[&str]) {
        let refused = start(&mut self.command(arguments)).finish();
        assert!(!refused.status.success(), "Docker took zstd: {arguments:?}");
        assert!(refused.stderr.contains("archive/tar: invalid tar header"), "{}", refused.stderr);
        assert_eq!(self.run(&["image", "ls", "--all", "--quiet"]), "");
    }

    /// Removes the only image: else layers of the next would be taken for known, whatever they are compressed with.
    pub(crate) fn forget(&self, image: &str) {
        self.run(&["image", "rm", image]);
        assert_eq!(self.run(&["image", "ls", "--all", "--quiet"]), "");
    }

    pub(crate) fn container(&self, flags: &[&str], image: &str) -> String {
        self.run(&[&["run", "--pull", "never", "--network", "host"], flags, &[image]].concat())
    }
}
