//! skopeo reads layout and archives, and copies images without a change.

use serde_json::{Value, json};

use crate::place::Place;
use crate::requirement::{self, Program};
use crate::subject::{Subject, Subjects};

#[test]
fn skopeo_inspects_and_copies() {
    if !requirement::met("skopeo", &[Program("skopeo", "skopeo")]) {
        return;
    }
    let subjects = Subjects::shared();
    let place = Place::new();
    for subject in subjects.all() {
        inspects(&place, subject);
        copies(&place, subject);
    }
}

/// In all three forms the image is the same.
fn inspects(place: &Place, subject: &Subject) {
    let layout = format!("oci:{}", subject.in_layout());
    let oci_archive = format!("oci-archive:{}", subject.oci_archive().display());
    let docker_archive = format!("docker-archive:{}", subject.docker_archive().display());
    for image in [&layout, &oci_archive] {
        let digest = place.run(["skopeo", "inspect", "--format", "{{.Digest}}", image]);
        assert_eq!(digest.trim_end(), subject.digest, "{image}");
    }
    let archives = [subject.oci_archive(), subject.docker_archive()].map(|path| std::fs::read(path).unwrap());
    assert!(archives[0] == archives[1], "the archives of {} are one tar under two names", subject.name);
    let config = subject.blob(&subject.id());
    for image in [&layout, &oci_archive, &docker_archive] {
        // Without --raw skopeo shows what it understands.
        let shown = place.run(["skopeo", "inspect", "--config", image]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["config"], config["config"], "{image}");
        assert_eq!(shown["rootfs"], config["rootfs"], "{image}");
        assert_eq!(shown["architecture"], std::env::consts::ARCH.replace("x86_64", "amd64"), "{image}");
        assert_eq!(shown["config"]["User"], "65532:65532", "{image}");
        assert_eq!(shown["config"]["Entrypoint"], json!([subject.entrypoint]), "{image}");
        assert_eq!(shown["config"].get("Cmd"), arguments(subject).as_ref(), "{image}");
    }
    let names = place.run(["skopeo", "list-tags", &docker_archive]);
    let names: Value = serde_json::from_str(&names).unwrap();
    assert_eq!(names["Tags"], json!([subject.full_name]));
}

/// `Cmd`, which is not there when there is nothing in it.
fn arguments(subject: &Subject) -> Option<Value> {
    (!subject.args.is_empty()).then(|| json!(subject.args))
}

/// To a directory and back, to Docker's own form, and out of an archive: digests stay.
fn copies(place: &Place, subject: &Subject) {
    let data = place.data().join(subject.short_name());
    let at = |transport: &str, name: &str| format!("{transport}:{}/{name}", data.display());
    let layout = format!("oci:{}", subject.in_layout());
    let archive = format!("oci-archive:{}", subject.oci_archive().display());
    place.run(["mkdir".as_ref(), data.as_os_str()]);
    let copies = [
        (&layout, at("dir", "from-layout")),
        (&archive, at("dir", "from-archive")),
        (&at("dir", "from-layout"), at("oci", "back:again")),
    ];
    for (from, to) in copies {
        place.run(["skopeo", "copy", "--quiet", from, &to]);
        let digest = place.run(["skopeo", "inspect", "--format", "{{.Digest}}", &to]);
        assert_eq!(digest.trim_end(), subject.digest, "{from} → {to}");
    }
    let docker = at("docker-archive", "docker.tar");
    place.run(["skopeo", "copy", "--quiet", &layout, &format!("{docker}:{}", subject.name)]);
    let config = place.run(["skopeo", "inspect", "--raw", "--config", &docker]);
    assert_eq!(serde_json::from_str::<Value>(&config).unwrap(), subject.blob(&subject.id()));
}
