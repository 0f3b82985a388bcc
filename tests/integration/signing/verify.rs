//! `coracle verify`: whole and sound images, and every fault of others at once.

use std::fs;
use std::path::Path;

use coracle_core::digest::Digest;
use serde_json::{Value, json};

use super::{fail, folder, succeed};
use crate::registry::fake::{FakeRegistry, FakeRepositories as _};

/// The path of a blob in `app.oci`.
fn blob_path(folder: &Path, digest: &Value) -> std::path::PathBuf {
    let digest: Digest = digest.as_str().unwrap().parse().unwrap();
    folder.join("app.oci/blobs/sha256").join(digest.hex())
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Writes a document as a blob, and returns its descriptor.
fn put(folder: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let digest = Digest::compute(bytes);
    fs::write(folder.join("app.oci/blobs/sha256").join(digest.hex()), bytes).unwrap();
    json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
}

/// The layout `app.oci` after `change` has changed manifest and config.
fn change_image(folder: &Path, change: impl FnOnce(&mut Value, &mut Value)) {
    succeed(folder, &["build", "./app", "-o", "oci:app.oci", "-q"]);
    let path = folder.join("app.oci/index.json");
    let mut index = read_json(&path);
    let mut manifest = read_json(&blob_path(folder, &index["manifests"][0]["digest"]));
    let mut config = read_json(&blob_path(folder, &manifest["config"]["digest"]));
    change(&mut manifest, &mut config);
    let kind = manifest["config"]["mediaType"].as_str().unwrap().to_owned();
    manifest["config"] = put(folder, &kind, config.to_string().as_bytes());
    let kind = manifest["mediaType"].as_str().unwrap().to_owned();
    let entry = put(folder, &kind, manifest.to_string().as_bytes());
    index["manifests"][0]["digest"] = entry["digest"].clone();
    index["manifests"][0]["size"] = entry["size"].clone();
    fs::write(path, index.to_string()).unwrap();
}

#[test]
fn images_at_every_location_are_whole_and_sound() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    let name = format!("{}/shop:1", fake.address);
    let stdout = succeed(at, &["build", "./app", "-t", &name, "--push", "-q", "-o", "oci:app.oci"]);
    let digest = stdout.trim().rsplit_once('@').unwrap().1.to_owned();
    for to in ["oci-archive:app.tar", "docker-archive:docker.tar"] {
        succeed(at, &["copy", "oci:app.oci", to, "-q"]);
    }
    let remote = format!("docker://{name}");
    for image in ["oci:app.oci", "oci-archive:app.tar", "docker-archive:docker.tar", &remote] {
        assert_eq!(succeed(at, &["verify", image, "-q"]), format!("{digest}\n"), "{image}");
        let report = succeed(at, &["verify", image, "-q", "--format", "json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        let checks: Vec<&str> = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| check["check"].as_str().unwrap())
            .collect();
        assert_eq!(checks, ["whole", "sound"], "{image}");
        assert!(report["checks"].as_array().unwrap().iter().all(|check| check["passed"] == true));
    }
    for (part, expected) in [("--whole", "whole"), ("--sound", "sound")] {
        let report = succeed(at, &["verify", "oci:app.oci", "-q", "--format", "json", part]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["checks"].as_array().unwrap().len(), 1);
        assert_eq!(report["checks"][0]["check"], expected);
    }
}

#[test]
fn all_faults_of_an_image_are_listed_at_once() {
    let folder = folder();
    let at = folder.path();
    let mut layers = Vec::new();
    change_image(at, |manifest, config| {
        layers = manifest["layers"].as_array().unwrap().clone();
        config["rootfs"]["diff_ids"][1] = Digest::compute(b"other").to_string().into();
        config["os"] = "".into();
        config["history"].as_array_mut().unwrap().pop();
        manifest["layers"][1]["size"] = 1.into();
        manifest["schemaVersion"] = 1.into();
    });
    // A byte of the first layer.
    let path = blob_path(at, &layers[0]["digest"]);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let said = fail(at, 4, &["verify", "oci:app.oci", "--whole"]);
    for part in [
        "its `schemaVersion` is not 2",
        "it has no `os`",
        "its history has 1 layers, and the manifest has 2",
        "and its descriptor says 1",
        "layer 2 unpacks to `sha256:",
        &format!("{}: its content has the digest `sha256:", layers[0]["digest"].as_str().unwrap()),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn missing_blobs_and_documents_are_faults() {
    let folder = folder();
    let at = folder.path();
    let (mut config, mut layer) = (Value::Null, Value::Null);
    change_image(at, |manifest, _| layer = manifest["layers"][0]["digest"].clone());
    let index = read_json(&at.join("app.oci/index.json"));
    let manifest = read_json(&blob_path(at, &index["manifests"][0]["digest"]));
    config.clone_from(&manifest["config"]["digest"]);
    fs::remove_file(blob_path(at, &config)).unwrap();
    fs::remove_file(blob_path(at, &layer)).unwrap();
    let said = fail(at, 4, &["verify", "oci:app.oci"]);
    for digest in [&config, &layer] {
        assert!(said.contains(&format!("    {}: ", digest.as_str().unwrap())), "{said}");
    }
}

#[test]
fn a_missing_library_or_contract_makes_an_image_unsound() {
    let folder = folder();
    let at = folder.path();
    // Without the layer of the libraries.
    change_image(at, |manifest, config| {
        manifest["layers"].as_array_mut().unwrap().remove(0);
        config["rootfs"]["diff_ids"].as_array_mut().unwrap().remove(0);
        config["history"].as_array_mut().unwrap().remove(0);
        config["config"]["Labels"] = json!({"io.coracle.config.v1": "{"});
    });
    let said = fail(at, 4, &["verify", "oci:app.oci"]);
    assert!(said.contains("whole       passed"), "{said}");
    assert!(
        said.contains("its program `/app/app` can't be started") || said.contains("needs `libc.so.6`"),
        "{said}"
    );
    assert!(said.contains("its contract can't be read"), "{said}");
}

#[test]
fn a_whiteout_that_hides_nothing_makes_an_image_unsound() {
    let folder = folder();
    let at = folder.path();
    change_image(at, |manifest, config| {
        let mut tar = tar::Builder::new(Vec::new());
        for name in ["etc/.wh.passwd", "srv/.wh.nothing", "nowhere/.wh..wh..opq"] {
            let mut header = tar::Header::new_ustar();
            header.set_path(name).unwrap();
            header.set_size(0);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append(&header, &[][..]).unwrap();
        }
        let bytes = tar.into_inner().unwrap();
        let layer = put(at, "application/vnd.oci.image.layer.v1.tar", &bytes);
        config["rootfs"]["diff_ids"].as_array_mut().unwrap().push(layer["digest"].clone());
        config["history"].as_array_mut().unwrap().push(json!({"created_by": "test"}));
        manifest["layers"].as_array_mut().unwrap().push(layer);
    });
    let said = fail(at, 4, &["verify", "oci:app.oci"]);
    assert!(said.contains("whole       passed"), "{said}");
    for (path, hides_nothing) in
        [("/etc/.wh.passwd", false), ("/srv/.wh.nothing", true), ("/nowhere/.wh..wh..opq", true)]
    {
        let line = format!("layer 3: `{path}` is a whiteout that hides nothing");
        assert_eq!(said.contains(&line), hides_nothing, "{path}: {said}");
    }
}

/// A signature that was moved to another image, or has no payload, does not count.
#[test]
fn signatures_of_other_images_do_not_count() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    fake.state().referrers = true;
    let name = |tag: &str| format!("{}/shop:{tag}", fake.address);
    let signed = ["build", "./app", "-t", &name("1"), "--push", "-q", "--sign-key", "one.key"];
    let stdout = succeed(at, &signed);
    fs::copy("/usr/bin/true", at.join("app")).unwrap();
    let other = succeed(at, &["build", "./app", "-t", &name("2"), "--push", "-q"]);
    let digest = |stdout: &str| stdout.trim().rsplit_once('@').unwrap().1.to_owned();
    // The artifact of the first image, with the second one as its subject.
    let [referrer] = fake.shop().referrers(&digest(&stdout).parse().unwrap()).unwrap().try_into().unwrap();
    let key = |digest: &str| ("shop".to_owned(), digest.to_owned());
    let (kind, bytes) = fake.state().manifests[&key(&referrer.digest.to_string())].clone();
    let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
    manifest["subject"]["digest"] = digest(&other).into();
    let push = |manifest: &Value| {
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::compute(&bytes).to_string();
        fake.state().manifests.insert(key(&digest), (kind.clone(), bytes));
    };
    push(&manifest);
    let empty = br#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":""}}}"#;
    let empty_digest = Digest::compute(empty).to_string();
    fake.state().blobs.insert(key(&empty_digest), empty.to_vec());
    manifest["layers"][0]["digest"] = empty_digest.into();
    manifest["layers"][0]["size"] = empty.len().into();
    push(&manifest);
    let said = fail(at, 4, &["verify", &format!("docker://{}", name("2")), "--key", "one.pub"]);
    assert!(said.contains("no signature of it was made with this key"), "{said}");
    assert!(said.contains(&format!("it is about another image, not about `{}`", digest(&other))), "{said}");
    assert!(said.contains("the bundle has no payload"), "{said}");
    succeed(at, &["verify", &format!("docker://{}", name("1")), "--key", "one.pub", "-q"]);
}

#[test]
fn ten_thousand_referrers_are_an_error_that_says_so() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    fake.state().referrers = true;
    let name = format!("{}/shop:1", fake.address);
    let stdout = succeed(at, &["build", "./app", "-t", &name, "--push", "-q"]);
    let digest = stdout.trim().rsplit_once('@').unwrap().1.to_owned();
    {
        let mut state = fake.state();
        for number in 0..10_000 {
            let manifest = json!({"schemaVersion": 2, "subject": {"digest": digest, "size": 1}, "annotations": {"n": number.to_string()}});
            let bytes = manifest.to_string().into_bytes();
            let key = ("shop".to_owned(), Digest::compute(&bytes).to_string());
            state.manifests.insert(key, ("application/vnd.oci.image.manifest.v1+json".into(), bytes));
        }
        state.page_size = Some(1000);
    }
    for args in [
        &["verify", &format!("docker://{name}"), "--key", "one.pub"][..],
        &["sign", &format!("docker://{name}"), "--key", "one.key"],
        &["copy", &format!("docker://{name}"), "oci:x.oci", "--referrers"],
    ] {
        let said = fail(at, 3, args);
        assert!(said.contains("has more than 1024 referrers"), "{said}");
    }
    assert!(!at.join("x.oci/index.json").exists());
}
