//! containerd imports the archive and the layout in a tar, knows the image under its full name, and
//! runs it.

use coracle_testing::process::start;
use coracle_testing::requirement::{self, Program};
use coracle_testing::sandbox::Sandbox;

use crate::greeter::{Greeter, promptly};
use crate::test_images::{Subject, Subjects};

pub(crate) const NEEDS: &[Program] =
    &[Program("containerd", "containerd"), Program("ctr", "containerd"), Program("runc", "runc")];

#[test]
fn containerd_imports_and_runs() {
    if !requirement::programs_installed("containerd", NEEDS) {
        return;
    }
    let subjects = Subjects::shared();
    let sandbox = Sandbox::new();
    serve(&sandbox);
    for subject in &subjects.programs {
        let layout = sandbox.shared().join("layout.tar");
        let (layout, directory) = (layout.to_str().unwrap(), subject.layout());
        sandbox.run(["tar", "-cf", layout, "-C", directory.to_str().unwrap(), "."]);
        let (oci, docker) = (subject.oci_archive(), subject.docker_archive());
        let digest_name = subject.digest_name();
        for (archive, container, names) in [
            (layout, "layout", &[subject.full_name][..]),
            (oci.to_str().unwrap(), "archive", &[subject.full_name]),
            // By the second name a kubelet finds the image of a pod that names a digest.
            (docker.to_str().unwrap(), "docker", &[subject.full_name, &digest_name]),
        ] {
            import(&sandbox, subject, archive);
            assert_eq!(names_of_images(&sandbox), names, "{container}");
            for name in names {
                let said = sandbox.run(ctr(&sandbox, &["run", "--rm", "--net-host", name, container]));
                assert_eq!(said, subject.says, "{name} from its {container}");
            }
            forget(&sandbox);
        }
    }

    import(&sandbox, &subjects.greeter, subjects.greeter.oci_archive().to_str().unwrap());
    let greeter = Greeter::new(sandbox.shared());
    let mount = format!("type=bind,src={},dst=/etc/greeter,options=rbind:ro", greeter.directory.display());
    let run = ["run", "--rm", "--net-host", "--mount", &mount, subjects.greeter.full_name, "greeter"];
    let server = start(&mut sandbox.command(ctr(&sandbox, &run)));
    assert_eq!(greeter.talk(), subjects.greeter.says);
    promptly(|| {
        sandbox.run(ctr(&sandbox, &["task", "kill", "greeter"]));
        server.finish().success();
    });
}

/// Starts containerd in this sandbox.
pub(crate) fn serve(sandbox: &Sandbox) {
    let config = sandbox.file("containerd.toml", &config(sandbox));
    let daemon = ["containerd", "--config", config.to_str().unwrap()];
    sandbox.daemon(&mut sandbox.command(daemon), || sandbox.command(ctr(sandbox, &["version"])));
}

/// The plugin for Kubernetes, which is not asked here, wants a network of containers.
fn config(sandbox: &Sandbox) -> String {
    let (root, socket) = (sandbox.data().join("containerd"), sandbox.data().join("containerd.sock"));
    format!(
        "version = 2\nroot = {root:?}\nstate = \"/run/containerd-state\"\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {socket:?}\n"
    )
}

/// A command to this containerd. The namespace is the control group, too.
pub(crate) fn ctr(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let socket = sandbox.data().join("containerd.sock");
    let always = ["ctr", "--address", socket.to_str().unwrap(), "--namespace", &sandbox.cgroup];
    always.iter().chain(arguments).map(|argument| (*argument).to_owned()).collect()
}

/// The names of all images.
pub(crate) fn names_of_images(sandbox: &Sandbox) -> Vec<String> {
    let names = sandbox.run(ctr(sandbox, &["images", "ls", "--quiet"]));
    names.lines().map(str::to_owned).collect()
}

/// Removes the only image: else layers of the next would be taken for known, whatever they are compressed with.
pub(crate) fn forget(sandbox: &Sandbox) {
    for name in names_of_images(sandbox) {
        sandbox.run(ctr(sandbox, &["images", "rm", "--sync", &name]));
    }
    assert_eq!(sandbox.run(ctr(sandbox, &["content", "ls", "--quiet"])), "");
    let snapshots = sandbox.run(ctr(sandbox, &["snapshots", "ls"]));
    assert_eq!(snapshots.lines().count(), 1, "{snapshots}");
}

fn import(sandbox: &Sandbox, subject: &Subject, archive: &str) {
    sandbox.run(ctr(sandbox, &["images", "import", archive]));
    let images = sandbox.run(ctr(sandbox, &["images", "ls", &format!("name=={}", subject.full_name)]));
    let image: Vec<&str> = images.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    assert_eq!(
        image.get(..3),
        Some(&[subject.full_name, manifest, &subject.digest][..]),
        "{archive}:\n{images}"
    );
}
