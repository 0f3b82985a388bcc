//! podman pulls from the layout, loads the archive, and runs both.

use std::process::Command;

use coracle_testing::process::stdout_of;
use coracle_testing::requirement::{self, Program};
use coracle_testing::sandbox::Sandbox;

use crate::greeter::{Greeter, promptly};
use crate::test_images::{Subject, Subjects};

pub(crate) const NEEDS: &[Program] = &[Program("podman", "podman"), Program("runc", "runc")];

/// Limits and control groups as a container of a CI has them: podman's own are for a host with systemd.
const CONTAINERS: &str = r#"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"#;

#[test]
fn podman_pulls_loads_and_runs() {
    if !requirement::programs_installed("podman", NEEDS) {
        return;
    }
    let subjects = Subjects::shared();
    let sandbox = Sandbox::new();
    let podman = Podman::new(&sandbox);
    for subject in &subjects.programs {
        let id = podman.pull(subject);
        assert_eq!(format!("sha256:{id}"), subject.id(), "{}", subject.name);
        assert_eq!(podman.container(&["--rm"], &id), subject.says, "{} from its layout", subject.name);
        podman.forget(&id);

        podman.load(subject);
        assert_eq!(
            podman.container(&["--rm"], subject.name),
            subject.says,
            "{} from its archive",
            subject.name
        );
        podman.forget(subject.full_name);
    }

    podman.load(&subjects.greeter);
    let greeter = Greeter::new(sandbox.shared());
    let mount = format!("{}:/etc/greeter:ro", greeter.directory.display());
    let restricted =
        ["--detach", "--name", "greeter", "--read-only", "--cap-drop", "ALL", "--volume", &mount];
    podman.container(&restricted, subjects.greeter.name);
    assert_eq!(greeter.talk(), subjects.greeter.says);
    promptly(|| drop(podman.run(&["stop", "greeter"])));
    assert_eq!(
        podman.run(&["inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "greeter"]),
        "exited 0\n"
    );
}

pub(crate) struct Podman<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> Podman<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox) -> Self {
        sandbox.file("containers.conf", CONTAINERS);
        let root = sandbox.data().join("podman");
        let storage =
            format!("[storage]\ndriver = \"overlay\"\ngraphroot = {root:?}\nrunroot = \"/run/podman\"\n");
        sandbox.file("storage.conf", &storage);
        Self { sandbox }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(["podman"]);
        command.args(arguments);
        command.envs(self.environment());
        command
    }

    /// Where its settings are.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        [("CONTAINERS_CONF", "containers.conf"), ("CONTAINERS_STORAGE_CONF", "storage.conf")]
            .map(|(name, file)| (name, self.sandbox.shared().join(file).display().to_string()))
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        stdout_of(&mut self.command(arguments))
    }

    /// podman makes a name of the layout's path, and fails when there are capitals in it.
    fn pull(&self, subject: &Subject) -> String {
        let layout = format!("/run/{}", subject.short_name());
        self.sandbox.run(["cp", "-r", subject.layout().to_str().unwrap(), &layout]);
        self.run(&["pull", "--quiet", &format!("oci:{layout}:{}", subject.tag())]).trim_end().to_owned()
    }

    pub(crate) fn load(&self, subject: &Subject) {
        let archive = subject.oci_archive();
        let said = self.run(&["load", "--quiet", "--input", archive.to_str().unwrap()]);
        assert_eq!(said, format!("Loaded image: {}\n", subject.full_name));
        let known =
            self.run(&["image", "inspect", "--format", "{{.Digest}} sha256:{{.Id}}", subject.full_name]);
        assert_eq!(known, format!("{} {}\n", subject.digest, subject.id()), "{}", subject.name);
    }

    /// Removes the only image: else layers of the next would be taken for known, whatever they are compressed with.
    pub(crate) fn forget(&self, image: &str) {
        self.run(&["rmi", image]);
        assert_eq!(self.run(&["images", "--all", "--quiet"]), "");
    }

    pub(crate) fn container(&self, flags: &[&str], image: &str) -> String {
        self.container_with(flags, image, &[])
    }

    /// The same, with arguments of the program.
    pub(crate) fn container_with(&self, flags: &[&str], image: &str, args: &[&str]) -> String {
        let cgroup = format!("/{}", self.sandbox.cgroup);
        let always = ["run", "--pull", "never", "--network", "host", "--cgroup-parent", &cgroup];
        self.run(&[&always[..], flags, &[image], args].concat())
    }
}
