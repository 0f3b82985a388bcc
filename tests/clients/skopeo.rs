//! skopeo reads layout and archives, and copies images without a change.

use coracle_testing::process::start;
use coracle_testing::requirement::{self, Program};
use coracle_testing::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::test_images::{Subject, Subjects};

#[test]
fn skopeo_inspects_and_copies() {
    if !requirement::programs_installed("skopeo", &[Program("skopeo", "skopeo")]) {
        return;
    }
    let subjects = Subjects::shared();
    let sandbox = Sandbox::new();
    for subject in subjects.all() {
        inspects(&sandbox, subject);
        copies(&sandbox, subject);
    }
}

/// In all three forms the image is the same.
fn inspects(sandbox: &Sandbox, subject: &Subject) {
    let layout = format!("oci:{}", subject.in_layout());
    let oci_archive = format!("oci-archive:{}", subject.oci_archive().display());
    let docker_archive = format!("docker-archive:{}", subject.docker_archive().display());
    for image in [&layout, &oci_archive] {
        let digest = sandbox.run(["skopeo", "inspect", "--format", "{{.Digest}}", image]);
        assert_eq!(digest.trim_end(), subject.digest, "{image}");
    }
    // skopeo needs a tag if there are several entries, so only Docker's archive has the second name.
    let entries = |archive: std::path::PathBuf| {
        let index = sandbox.run(["tar", "-xOf", archive.to_str().unwrap(), "index.json"]);
        serde_json::from_str::<Value>(&index).unwrap()["manifests"].as_array().unwrap().clone()
    };
    let (oci, docker) = (entries(subject.oci_archive()), entries(subject.docker_archive()));
    assert_eq!((oci.len(), &oci[..]), (1, &docker[..1]), "{}", subject.name);
    assert_eq!(docker[1]["annotations"]["io.containerd.image.name"], subject.digest_name().as_str());
    let config = subject.blob(&subject.id());
    for image in [&layout, &oci_archive, &docker_archive] {
        // Without --raw skopeo shows what it understands.
        let shown = sandbox.run(["skopeo", "inspect", "--config", image]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["config"], config["config"], "{image}");
        assert_eq!(shown["rootfs"], config["rootfs"], "{image}");
        assert_eq!(shown["architecture"], std::env::consts::ARCH.replace("x86_64", "amd64"), "{image}");
        assert_eq!(shown["config"]["User"], "65532:65532", "{image}");
        assert_eq!(shown["config"]["Entrypoint"], json!([subject.entrypoint]), "{image}");
        assert_eq!(shown["config"].get("Cmd"), arguments(subject).as_ref(), "{image}");
    }
    let names = sandbox.run(["skopeo", "list-tags", &docker_archive]);
    let names: Value = serde_json::from_str(&names).unwrap();
    assert_eq!(names["Tags"], json!([subject.full_name]));
}

/// `Cmd`, which is not there when there is nothing in it.
fn arguments(subject: &Subject) -> Option<Value> {
    (!subject.args.is_empty()).then(|| json!(subject.args))
}

/// To a directory and back, to Docker's own form, and out of an archive: digests stay.
fn copies(sandbox: &Sandbox, subject: &Subject) {
    let data = sandbox.data().join(subject.short_name());
    let at = |transport: &str, name: &str| format!("{transport}:{}/{name}", data.display());
    let layout = format!("oci:{}", subject.in_layout());
    let archive = format!("oci-archive:{}", subject.oci_archive().display());
    sandbox.run(["mkdir".as_ref(), data.as_os_str()]);
    let copies = [
        (&layout, at("dir", "from-layout")),
        (&archive, at("dir", "from-archive")),
        (&at("dir", "from-layout"), at("oci", "back:again")),
    ];
    for (from, to) in copies {
        let mut copy = vec!["skopeo", "copy", "--quiet", from, &to];
        copy.extend(subject.is_plain().then_some("--preserve-digests"));
        sandbox.run(copy);
        let digest = sandbox.run(["skopeo", "inspect", "--format", "{{.Digest}}", &to]);
        assert_eq!(digest.trim_end(), subject.digest, "{from} → {to}");
    }
    // The copied image has the same bytes, including layers.
    let (blobs, back) = (subject.layout().join("blobs"), data.join("back/blobs"));
    sandbox.run(["diff".as_ref(), "-r".as_ref(), blobs.as_os_str(), back.as_os_str()]);

    if subject.is_plain() {
        compresses_what_is_not(sandbox, &layout, &at("oci", "compressed:by-skopeo"));
    }
    let docker = at("docker-archive", "docker.tar");
    let copy = ["skopeo", "copy", "--quiet", &layout, &format!("{docker}:{}", subject.name)];
    if subject.is_zstd() {
        return refuses_zstd(sandbox, copy);
    }
    sandbox.run(copy);
    let config = sandbox.run(["skopeo", "inspect", "--raw", "--config", &docker]);
    assert_eq!(serde_json::from_str::<Value>(&config).unwrap(), subject.blob(&subject.id()));
}

/// Why `--preserve-digests` is needed there: the image would be another.
fn compresses_what_is_not(sandbox: &Sandbox, from: &str, to: &str) {
    sandbox.run(["skopeo", "copy", "--quiet", from, to]);
    let manifest: Value = serde_json::from_str(&sandbox.run(["skopeo", "inspect", "--raw", to])).unwrap();
    for layer in manifest["layers"].as_array().unwrap() {
        assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip", "{manifest}");
    }
}

/// Docker's own manifest has no media type for it; `coracle` writes Docker's archive itself.
fn refuses_zstd(sandbox: &Sandbox, copy: [&str; 5]) {
    let refused = start(&mut sandbox.command(copy)).finish();
    assert!(!refused.status.success(), "skopeo wrote zstd to Docker's archive");
    assert!(
        refused.stderr.contains("zstd compression is not supported for docker images"),
        "{}",
        refused.stderr
    );
}
