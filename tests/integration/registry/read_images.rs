//! Commands that are given an image read one at a registry as they read one on disk, and fetch no
//! more of it than they need.

use std::fs;
use std::path::Path;

use coracle_oci::registry::ManifestReference;
use serde_json::json;
use tempfile::TempDir;

use super::fake::{FakeRegistry, FakeRepositories as _, Fault};
use super::push_and_copy::{folder, run};
use super::test_image::{MANIFEST, image, upload};

/// A pod that mounts what the program reads.
const POD: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: shop}
spec:
  securityContext: {runAsUser: 65532, runAsGroup: 65532}
  containers:
    - name: shop
      image: coracle://shop
      volumeMounts: [{name: config, mountPath: /etc/shop}]
  volumes: [{name: config, configMap: {name: shop}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {shop.toml: \"a = 1\\n\"}
";

/// A folder with the image `shop:1` in a layout, and the same at the registry.
pub(crate) fn shop(fake: &FakeRegistry) -> (TempDir, String) {
    let folder = folder();
    let at = folder.path();
    fs::create_dir(at.join("config")).unwrap();
    fs::write(at.join("config/shop.toml"), "a = 1\n").unwrap();
    fs::write(at.join("pod.yaml"), POD).unwrap();
    let name = format!("{}/shop:1", fake.address);
    let args =
        ["build", "./app", "-t", &name, "--push", "-q", "-o=oci:shop.oci", "--config=config:/etc/shop"];
    let (code, stdout, said) = run(at, &args);
    assert_eq!(code, Some(0), "{said}");
    let digest = stdout.trim().split_once('@').unwrap().1.to_owned();
    fake.take_requests();
    (folder, digest)
}

/// Commands print the same for an image on disk and at a registry.
#[track_caller]
fn same(at: &Path, there: &str, args: &[&str]) -> String {
    let with = |place: &str| {
        let args: Vec<String> = args.iter().map(|arg| arg.replace('@', place)).collect();
        let (code, stdout, said) = run(at, &args.iter().map(String::as_str).collect::<Vec<_>>());
        (code, stdout, said.replace(place, "IMAGE"))
    };
    let (here, there) = (with("oci:shop.oci"), with(there));
    assert_eq!(here, there);
    assert_eq!(here.0, Some(0), "{}", here.2);
    here.1
}

#[test]
fn reads_images_at_registries_like_images_on_disk() {
    let fake = FakeRegistry::start();
    let (folder, digest) = shop(&fake);
    let (at, there) = (folder.path(), format!("docker://{}/shop:1", fake.address));
    let shown = same(at, &there, &["config", "show", "@"]);
    assert!(shown.contains("shop.toml"), "{shown}");
    let asked = fake.take_requests();
    let reads = ["GET /v2/shop/manifests/1", "GET /v2/shop/blobs/"];
    assert_eq!(asked.len(), 2, "documents alone: {asked:?}");
    assert!(asked.iter().zip(reads).all(|(asked, read)| asked.starts_with(read)), "{asked:?}");
    same(at, &there, &["config", "diff", "@", "@"]);
    same(at, &there, &["config", "check", "@", "pod.yaml"]);
    let resolved = same(at, &there, &["resolve", "pod.yaml", "--image", "shop=@"]);
    assert!(resolved.contains(&format!("image: {}/shop:1@{digest}", fake.address)), "{resolved}");
    let made = same(at, &there, &["manifests", "@", "--config=config:/etc/shop", "-q"]);
    assert!(made.contains(&format!("{}/shop:1@{digest}", fake.address)), "{made}");
    // By its digest alone it has no tag, not even `latest`.
    let by_digest = format!("docker://{}/shop@{digest}", fake.address);
    for args in [
        &["manifests", &by_digest, "--config=config:/etc/shop", "-q"][..],
        &["resolve", "pod.yaml", "--image", &format!("shop={by_digest}")],
    ] {
        let (code, stdout, said) = run(at, args);
        assert_eq!(code, Some(0), "{said}");
        assert!(stdout.contains(&format!("{}/shop@{digest}", fake.address)), "{stdout}");
    }
}

/// Each of these is one error, with the exit code of what failed.
#[test]
fn reports_unreadable_images() {
    let fake = FakeRegistry::start();
    let (folder, digest) = shop(&fake);
    let (at, host) = (folder.path(), fake.address.to_string());
    let shop = fake.shop();
    shop.push_blob(&upload(b"no json")).unwrap();
    let config = json!({"digest": coracle_core::digest::Digest::compute(b"no json").to_string(), "size": 7});
    let broken = json!({"mediaType": MANIFEST, "config": config, "layers": []}).to_string();
    shop.put_manifest(ManifestReference::Tag("broken"), MANIFEST, broken.as_bytes()).unwrap();
    image(&[9]).push(&shop, "plain").unwrap();
    for (fault, place, exit, part) in [
        (None, format!("docker://{host}/shop:none"), 3, "there is no image at `docker://"),
        (None, format!("docker://{host}/shop:broken"), 3, "is not JSON"),
        (None, format!("docker://{host}/shop:plain"), 1, "has no contract"),
        (None, "docker://127.0.0.1:1/shop".into(), 3, "connection refused"),
        (None, format!("docker://{host}/Shop"), 2, "is not a valid image location"),
        (Some(Fault::AlterResponse), format!("docker://{host}/shop@{digest}"), 3, "instead of"),
        (Some(Fault::Respond(404, vec![], "")), format!("docker://{host}/shop@{digest}"), 3, "404"),
        (Some(Fault::Respond(403, vec![], "")), format!("docker://{host}/shop@{digest}"), 3, "403"),
    ] {
        if let Some(fault) = fault {
            fake.inject_fault(100, "GET", "blobs", fault);
        }
        let (code, stdout, said) = run(at, &["config", "show", &place]);
        assert_eq!((code, stdout.as_str()), (Some(exit), ""), "{place}: {said}");
        assert!(said.starts_with("error: ") && said.contains(part), "{place}: {said}");
        fake.state().faults.clear();
    }
}

/// `resolve --remote` pins every image of containers and volumes, for the price of one request each.
#[test]
fn pins_tags_to_the_registrys_digests() {
    let fake = FakeRegistry::start();
    let (folder, digest) = shop(&fake);
    let (at, host) = (folder.path(), fake.address.to_string());
    let other = image(&[9]);
    other.push(&fake.shop(), "latest").unwrap();
    fake.take_requests();
    let text = format!(
        "spec:\n  containers:\n  - image: {host}/shop:1  # ours\n  - image: {host}/shop\n  \
         - {{image: '{host}/shop:1'}}\n  - image: {host}/none@sha256:{}\n\
         template: {host}/unknown:1\n",
        "0".repeat(64),
    );
    fs::write(at.join("m.yaml"), &text).unwrap();
    let (code, stdout, said) = run(at, &["resolve", "m.yaml", "--remote"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let expected = text
        .replace(&format!("{host}/shop:1"), &format!("{host}/shop:1@{digest}"))
        .replace(&format!("{host}/shop\n"), &format!("{host}/shop:latest@{}\n", other.digest()));
    assert_eq!(stdout, expected);
    let mut asked = fake.take_requests();
    asked.sort();
    assert_eq!(asked, ["HEAD /v2/shop/manifests/1", "HEAD /v2/shop/manifests/latest"]);
    // Pinned images, and all images without the flag, are unchanged and need no request.
    fs::write(at.join("pinned.yaml"), &expected).unwrap();
    let (_, again, _) = run(at, &["resolve", "pinned.yaml", "--remote"]);
    assert_eq!(again, expected);
    let (_, plain, _) = run(at, &["resolve", "m.yaml"]);
    assert_eq!(plain, text);
    assert!(fake.take_requests().is_empty());

    for (image, exit, part) in [
        (format!("{host}/shop:none"), 1, "m.yaml:2:12: there is no image at"),
        ("$(IMAGE)".into(), 1, "m.yaml:2:12: `$(IMAGE)` is not an image name"),
        ("127.0.0.1:1/shop".into(), 3, "m.yaml:2:12: no response"),
        ("coracle://shop".into(), 1, "no known image is named"),
    ] {
        fs::write(at.join("m.yaml"), format!("containers:\n  - image: {image}\n")).unwrap();
        let (code, stdout, said) = run(at, &["resolve", "m.yaml", "--remote"]);
        assert_eq!((code, stdout.as_str()), (Some(exit), ""), "{said}");
        assert!(said.contains(part), "{said}");
    }
}
