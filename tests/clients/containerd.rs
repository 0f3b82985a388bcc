//! containerd imports the archive and the layout in a tar, knows the image under its full name, and runs it.

use crate::greeter::{Greeter, promptly};
use crate::place::Place;
use crate::process::start;
use crate::requirement::{self, Program};
use crate::subject::{Subject, Subjects};

pub(crate) const NEEDS: &[Program] =
    &[Program("containerd", "containerd"), Program("ctr", "containerd"), Program("runc", "runc")];

#[test]
fn containerd_imports_and_runs() {
    if !requirement::met("containerd", NEEDS) {
        return;
    }
    let subjects = Subjects::shared();
    let place = Place::new();
    serve(&place);
    for subject in &subjects.programs {
        let layout = place.shared().join("layout.tar");
        let (layout, directory) = (layout.to_str().unwrap(), subject.layout());
        place.run(["tar", "-cf", layout, "-C", directory.to_str().unwrap(), "."]);
        for (archive, container) in [(layout, "layout"), (subject.oci_archive().to_str().unwrap(), "archive")]
        {
            import(&place, subject, archive);
            let said = place.run(ctr(&place, &["run", "--rm", "--net-host", subject.full_name, container]));
            assert_eq!(said, subject.says, "{} from its {container}", subject.name);
            forget(&place, subject.full_name);
        }
    }

    import(&place, &subjects.greeter, subjects.greeter.oci_archive().to_str().unwrap());
    let greeter = Greeter::new(place.shared());
    let mount = format!("type=bind,src={},dst=/etc/greeter,options=rbind:ro", greeter.directory.display());
    let run = ["run", "--rm", "--net-host", "--mount", &mount, subjects.greeter.full_name, "greeter"];
    let server = start(&mut place.command(ctr(&place, &run)));
    assert_eq!(greeter.talk(), subjects.greeter.says);
    promptly(|| {
        place.run(ctr(&place, &["task", "kill", "greeter"]));
        server.finish().success();
    });
}

/// Starts containerd in this place.
pub(crate) fn serve(place: &Place) {
    let config = place.file("containerd.toml", &config(place));
    let daemon = ["containerd", "--config", config.to_str().unwrap()];
    place.daemon(&mut place.command(daemon), || place.command(ctr(place, &["version"])));
}

/// The plugin for Kubernetes, which is not asked here, wants a network of containers.
fn config(place: &Place) -> String {
    let (root, socket) = (place.data().join("containerd"), place.data().join("containerd.sock"));
    format!(
        "version = 2\nroot = {root:?}\nstate = \"/run/containerd-state\"\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {socket:?}\n"
    )
}

/// A command to this containerd. The namespace is the control group, too.
pub(crate) fn ctr(place: &Place, arguments: &[&str]) -> Vec<String> {
    let socket = place.data().join("containerd.sock");
    let always = ["ctr", "--address", socket.to_str().unwrap(), "--namespace", &place.cgroup];
    always.iter().chain(arguments).map(|argument| (*argument).to_owned()).collect()
}

/// Removes the only image: else layers of the next would be taken for known, whatever they are compressed with.
pub(crate) fn forget(place: &Place, image: &str) {
    place.run(ctr(place, &["images", "rm", "--sync", image]));
    assert_eq!(place.run(ctr(place, &["content", "ls", "--quiet"])), "");
    let snapshots = place.run(ctr(place, &["snapshots", "ls"]));
    assert_eq!(snapshots.lines().count(), 1, "{snapshots}");
}

fn import(place: &Place, subject: &Subject, archive: &str) {
    place.run(ctr(place, &["images", "import", archive]));
    let images = place.run(ctr(place, &["images", "ls", &format!("name=={}", subject.full_name)]));
    let image: Vec<&str> = images.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    assert_eq!(
        image.get(..3),
        Some(&[subject.full_name, manifest, &subject.digest][..]),
        "{archive}:\n{images}"
    );
}
