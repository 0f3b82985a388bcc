//! The example as a pod, from the manifests that `coracle` makes of its templates: it reads its
//! ConfigMap, and takes up a change of it without a restart.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use coracle_testing::config_map_volume::AtomicWriter;
use coracle_testing::process::{poll, stdout_of};
use coracle_testing::requirement;
use coracle_testing::sandbox::Sandbox;

use crate::greeter::{free_port, get};
use crate::podman::{NEEDS, Podman};
use crate::test_images::{Subject, Subjects};

const TEMPLATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/greeter");

#[test]
fn a_pod_reloads_its_config_map() {
    if !requirement::programs_installed("a pod under podman", NEEDS) {
        return;
    }
    let subjects = Subjects::shared();
    let sandbox = Sandbox::new();
    let podman = Podman::new(&sandbox);
    podman.load(&subjects.greeter);
    let port = free_port();
    let says = |name: &str, expected: &str| {
        let heard = || get(port, name).ok().filter(|answer| answer.ends_with(expected));
        assert!(poll(Duration::from_secs(30), heard).is_some(), "{expected:?}: {:?}", get(port, name));
    };

    let manifests = sandbox.file("manifests.yaml", &manifests(&subjects.greeter, sandbox.shared(), port));
    let manifests = manifests.to_str().unwrap();
    podman.run(&["kube", "play", "--network", "host", manifests]);
    says("/ada", "Good day, ada!\n");
    let process = || podman.run(&["inspect", "--format", "{{.State.Pid}}", "greeter-pod-0-greeter"]);
    let before = process();

    // podman itself never updates a map; so the volume becomes what a kubelet would have made, and then changes.
    let volume = podman.run(&["volume", "inspect", "--format", "{{.Mountpoint}}", "greeter-config"]);
    let volume = sandbox.host_path(Path::new(volume.trim()));
    let text = fs::read_to_string(volume.join("greeter.toml")).unwrap();
    let mut writer = AtomicWriter::new(&volume);
    writer.write(&[("greeter.toml", &text)]);
    says("/ada", "Good day, ada!\n");
    writer.write(&[("greeter.toml", &text.replace("Good day", "Good night"))]);
    says("/ada", "Good night, ada!\n");
    assert_eq!(process(), before, "the container was started again");
    podman.run(&["kube", "down", manifests]);
}

/// The output of `coracle manifests` for the image, without features that podman 4.3 lacks.
fn manifests(image: &Subject, directory: &Path, port: u16) -> String {
    let recipe = fs::read_to_string(Path::new(TEMPLATES).join("coracle.toml")).unwrap();
    // Ports and the host's network exclude each other; probes need curl in the image and timers of systemd.
    let left_out = |line: &&str| !line.starts_with("expose") && !line.starts_with("probes");
    let recipe: Vec<&str> = recipe.lines().filter(left_out).collect();
    let recipe = recipe.join("\n").replace("\"../../target/release/greeter\"", "\"greeter\"");
    for entry in fs::read_dir(TEMPLATES).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, directory.join(path.file_name().unwrap())).unwrap();
    }
    fs::write(directory.join("coracle.toml"), recipe).unwrap();
    let mut coracle = Command::new(env!("CARGO_BIN_EXE_coracle"));
    coracle
        .arg("manifests")
        .arg(format!("oci:{}", image.in_layout()))
        .arg("-f")
        .arg(directory.join("coracle.toml"));
    coracle.args(["--environment", "production", "--set", "address=127.0.0.1", "--quiet"]);
    let printed = stdout_of(coracle.arg("--set").arg(format!("port={port}")));
    let named = format!("{}@{}", image.name, image.digest);
    assert!(printed.contains(&named), "{printed}");
    // A tag beside a digest is more than it takes.
    printed.replace(&named, image.full_name)
}
