//! `coracle copy` into engines and out of them: what they lack is sent, once, and what can't be
//! done is said.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use coracle_testing::process::{Finished, start};
use coracle_testing::requirement;
use coracle_testing::sandbox::Sandbox;

use crate::docker::Docker;
use crate::podman::Podman;
use crate::test_images::{Subject, Subjects};
use crate::{containerd, docker, podman};

/// `coracle` in the sandbox of an engine; of the environment it sees what the engine's user would have set.
struct Coracle<'a> {
    sandbox: &'a Sandbox,
    environment: Vec<(&'static str, String)>,
}

impl Coracle<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(["env"]);
        command.args(self.environment.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(env!("CARGO_BIN_EXE_coracle")).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        start(&mut self.command(arguments)).finish()
    }

    /// Copies an image that has to arrive, and gives what was said.
    fn copies(&self, from: &str, to: &str) -> (String, String) {
        let finished = self.run(&["copy", from, to]);
        assert!(finished.status.success(), "{from} {to}: {}", finished.stderr);
        (finished.stdout, finished.stderr)
    }

    /// Brings an image that is new there, then once more, then under another name.
    fn brings(&self, subject: &Subject, transport: &str, digest: &str) {
        let from = format!("oci:{}", subject.in_layout());
        let to = format!("{transport}{}", subject.name);
        let (printed, said) = self.copies(&from, &to);
        assert_eq!(printed, format!("{}@{digest}\n", subject.name));
        assert!(said.starts_with(&format!("{to}: sent ")), "{said}");
        assert_eq!(self.copies(&from, &to).1, format!("{to}: unchanged\n"));
        let other = format!("{transport}registry.example/again:9");
        assert_eq!(self.copies(&from, &other).1, format!("{other}: there already, name added\n"));
        assert_eq!(self.copies(&from, &other).1, format!("{other}: unchanged\n"));
    }

    /// Is told `part`, and why; nothing is on stdout.
    fn is_refused(&self, arguments: &[&str], parts: &[&str]) {
        let finished = self.run(arguments);
        assert_eq!((finished.status.success(), finished.stdout.as_str()), (false, ""), "{}", finished.stderr);
        for part in parts {
            assert!(finished.stderr.contains(part), "no `{part}` in: {}", finished.stderr);
        }
    }
}

#[test]
fn copies_missing_layers_into_docker() {
    if !requirement::programs_installed("docker", docker::NEEDS) {
        return;
    }
    let (subjects, sandbox) = (Subjects::shared(), Sandbox::new());
    let docker = Docker::start(&sandbox);
    let coracle = Coracle { sandbox: &sandbox, environment: vec![("DOCKER_HOST", docker.socket())] };
    for subject in subjects.programs.iter().filter(|subject| !subject.is_zstd() || docker.knows_zstd()) {
        coracle.brings(subject, "docker-daemon:", &subject.digest);
        assert_eq!(
            docker.run(&["image", "inspect", "--format", "{{.Id}}", subject.name]).trim(),
            subject.id()
        );
        assert_eq!(docker.container(&["--rm"], subject.name), subject.says, "{}", subject.name);
        docker.run(&["image", "rm", "registry.example/again:9"]);
        docker.run(&["image", "rm", subject.name]);
    }
    if !docker.knows_zstd() {
        let zstd = subjects.programs.iter().find(|subject| subject.is_zstd()).unwrap();
        coracle.is_refused(
            &["copy", &format!("oci:{}", zstd.in_layout()), "docker-daemon:zstd"],
            &["error: Docker failed to load an image: ", "hint: Docker before 23.0 does not support zstd"],
        );
    }

    // The libraries are there, so that the program alone is sent.
    let build = |layout: &str, argument: &str| {
        let out = format!("oci:{}", sandbox.shared().join(layout).display());
        let args =
            ["build", "/usr/bin/curl", "--no-cache", "-q", "-t", "acme/curl:1", "-o", &out, "--", argument];
        assert!(coracle.run(&args).status.success());
        out
    };
    let (one, two) = (build("one", "--version"), build("two", "--help"));
    let to = "docker-daemon:acme/curl:1";
    assert!(coracle.copies(&one, to).1.contains("sent 2 layers"), "the whole image is new");
    let (_, said) = coracle.copies(&two, to);
    assert!(said.contains("sent 0 layers") && said.contains("2 there already"), "{said}");
    assert!(docker.container(&["--rm"], "acme/curl:1").starts_with("Usage: curl"));

    // Without another word, it is the engine that is there; an index gives it its own platform.
    let layout = format!("oci:{}", sandbox.shared().join("load").display());
    let build =
        ["build", "/usr/bin/curl", "--no-cache", "-t", "loaded:1", "-t", "loaded:2", "--load", "-o", &layout];
    let loaded = coracle.run(&build);
    assert!(loaded.status.success(), "{}", loaded.stderr);
    assert!(loaded.stderr.contains("loaded as  docker-daemon:loaded:1: "), "{}", loaded.stderr);
    assert!(loaded.stderr.contains("loaded as  docker-daemon:loaded:2: there already"), "{}", loaded.stderr);
    let again = coracle.run(&build);
    assert!(again.stderr.contains("docker-daemon:loaded:1: unchanged"), "{}", again.stderr);
    // Without a name, it is called like its program.
    let unnamed = coracle.run(&["build", "/usr/bin/curl", "--no-cache", "--load", "-o", &layout]);
    assert!(unnamed.stderr.contains("loaded as  docker-daemon:curl:latest: "), "{}", unnamed.stderr);
    let direct = ["build", "/usr/bin/curl", "--no-cache", "-q", "-o", "docker-daemon:direct:1"];
    assert!(coracle.run(&direct).status.success());
    assert!(docker.run(&["image", "inspect", "--format", "{{.Id}}", "direct:1"]).starts_with("sha256:"));

    // Out of it comes Docker's own description, or a manifest from newer ones.
    coracle.is_refused(&["copy", "docker-daemon:none:1", "oci:none"], &["Docker failed to save an image"]);

    // Nobody may talk to it but root.
    let socket = docker.socket();
    let path = sandbox.host_path(Path::new(socket.strip_prefix("unix://").unwrap()));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::set_permissions(sandbox.shared(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = sandbox.shared().join("coracle");
    std::fs::copy(env!("CARGO_BIN_EXE_coracle"), &program).unwrap();
    let mut nobody = sandbox.command(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    nobody.arg(&program).args(["copy", &one, to]).env("DOCKER_HOST", &socket);
    let refused = start(&mut nobody).finish();
    assert!(refused.stderr.contains("Permission denied"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("hint: run the command as root, or join the group"),
        "{}",
        refused.stderr
    );

    // It has stopped, and its socket is left.
    sandbox.run([
        "sh",
        "-c",
        "kill $(cat /run/docker.pid); while [ -e /run/docker.pid ]; do sleep 0.05; done",
    ]);
    coracle.is_refused(&["copy", &one, to], &["error: cannot reach Docker at `unix:///", "hint: start it"]);
}

#[test]
fn copies_missing_layers_into_podman() {
    if !requirement::programs_installed("podman", podman::NEEDS) {
        return;
    }
    let (subjects, sandbox) = (Subjects::shared(), Sandbox::new());
    let podman = Podman::new(&sandbox);
    let coracle = Coracle { sandbox: &sandbox, environment: podman.environment().into() };
    for subject in &subjects.programs {
        coracle.brings(subject, "containers-storage:", &subject.digest);
        let known =
            podman.run(&["image", "inspect", "--format", "{{.Digest}} sha256:{{.Id}}", subject.full_name]);
        assert_eq!(known, format!("{} {}\n", subject.digest, subject.id()));
        assert_eq!(podman.container(&["--rm"], subject.full_name), subject.says, "{}", subject.name);
        podman.run(&["rmi", "registry.example/again:9"]);
        podman.forget(subject.full_name);
    }
    // Out again.
    let hello = &subjects.programs[0];
    let layout = format!("oci:{}", sandbox.shared().join("out").display());
    coracle.copies(&format!("oci:{}", hello.in_layout()), "containers-storage:hello:latest");
    let (printed, _) = coracle.copies("containers-storage:hello:latest", &layout);
    assert!(printed.starts_with("sha256:"), "{printed}");
    coracle.is_refused(
        &["copy", "containers-storage:none:1", &layout],
        &["error: Podman failed to save an image: ", "none:1"],
    );
    let build = ["build", "/usr/bin/curl", "--no-cache", "-t", "loaded:1", "--load", "-o", "oci:/run/load"];
    let loaded = coracle.run(&build);
    assert!(loaded.stderr.contains("loaded as  containers-storage:loaded:1: sent "), "{}", loaded.stderr);
    // No such program.
    let none = vec![("PATH", "/nowhere".into()), ("DOCKER_HOST", "unix:///nowhere.sock".into())];
    let none = Coracle { sandbox: &sandbox, environment: none };
    none.is_refused(
        &build,
        &[
            "error: no container engine was found to load the image into\n",
            "Docker      cannot reach Docker at `unix:///nowhere.sock`",
            "Podman      cannot find `podman`",
            "containerd  cannot find `ctr`",
            "hint: start one of them",
        ],
    );
    let bare = Coracle { sandbox: &sandbox, environment: vec![("PATH", "/nowhere".into())] };
    bare.is_refused(
        &["copy", &layout, "containers-storage:hello"],
        &["error: cannot find `podman`, the command-line client of Podman", "hint: install Podman"],
    );
}

#[test]
fn copies_missing_layers_into_containerd() {
    if !requirement::programs_installed("containerd", containerd::NEEDS) {
        return;
    }
    let (subjects, sandbox) = (Subjects::shared(), Sandbox::new());
    containerd::serve(&sandbox);
    let socket = sandbox.data().join("containerd.sock").display().to_string();
    let environment =
        vec![("CONTAINERD_ADDRESS", socket.clone()), ("CONTAINERD_NAMESPACE", sandbox.cgroup.clone())];
    let coracle = Coracle { sandbox: &sandbox, environment };
    for subject in &subjects.programs {
        coracle.brings(subject, "containerd:", &subject.digest);
        let run = ["run", "--rm", "--net-host", subject.full_name, "program"];
        assert_eq!(sandbox.run(containerd::ctr(&sandbox, &run)), subject.says, "{}", subject.name);
        for name in [subject.digest_name(), format!("registry.example/again@{}", subject.digest)] {
            assert!(containerd::names_of_images(&sandbox).contains(&name), "{name}");
        }
        // `unchanged` means that both names are there.
        let (from, to) = (format!("oci:{}", subject.in_layout()), format!("containerd:{}", subject.name));
        for name in [subject.full_name.to_owned(), subject.digest_name()] {
            sandbox.run(containerd::ctr(&sandbox, &["images", "rm", &name]));
            assert_eq!(coracle.copies(&from, &to).1, format!("{to}: there already, name added\n"));
            assert!(containerd::names_of_images(&sandbox).contains(&name), "{name}");
            assert_eq!(coracle.copies(&from, &to).1, format!("{to}: unchanged\n"));
        }
        containerd::forget(&sandbox);
    }
    // A namespace that a sandbox names, where a kubelet would look.
    let hello = &subjects.programs[0];
    let to = format!("containerd:k8s.io@{}", hello.full_name);
    let (printed, _) = coracle.copies(&format!("oci:{}", hello.in_layout()), &to);
    assert_eq!(printed, format!("{}@{}\n", hello.full_name, hello.digest));
    let images =
        sandbox.run(["ctr", "--address", &socket, "--namespace", "k8s.io", "images", "ls", "--quiet"]);
    assert_eq!(images, format!("{}\n{}\n", hello.full_name, hello.digest_name()));
    // Out again, byte for byte.
    let layout = format!("oci:{}", sandbox.shared().join("out").display());
    assert_eq!(coracle.copies(&to, &layout).0, format!("{}\n", hello.digest));
    coracle.is_refused(
        &["copy", "containerd:none:1", &layout],
        &["error: containerd failed to export an image: ", "not found"],
    );
    let away =
        Coracle { sandbox: &sandbox, environment: vec![("CONTAINERD_ADDRESS", "/nowhere.sock".into())] };
    away.is_refused(
        &["copy", &layout, "containerd:hello"],
        &[
            "error: cannot reach containerd at `/nowhere.sock`: ",
            "hint: start it with `systemctl start containerd`",
        ],
    );
}
