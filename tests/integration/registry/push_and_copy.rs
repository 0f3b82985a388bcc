//! `coracle build --push` and `coracle copy`, as their users meet them.

use std::fs;
use std::path::Path;
use std::process::Output;

use coracle_core::digest::Digest;
use coracle_oci::registry::ManifestReference;
use coracle_testing::{coracle_in, listing};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::docker_registry;
use super::fake::{FakeRegistry, FakeRepositories as _, Fault};
use super::test_image::{MANIFEST, image};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Runs `coracle` in `folder`: exit code, stdout, stderr.
#[track_caller]
pub(crate) fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    run_with(folder, args, &[])
}

pub(crate) fn run_with(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = coracle_in(folder, []).command();
    let Output { status, stdout, stderr } = command.args(args).envs(env.iter().copied()).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A folder with a program in it.
pub(crate) fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::copy("/usr/bin/env", folder.path().join("app")).unwrap();
    // Of a file that has changed in the same tick of the clock no record is kept.
    std::thread::sleep(std::time::Duration::from_millis(60));
    folder
}

#[test]
fn pushes_a_build_and_checks_an_unchanged_one_with_one_request() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let name = format!("{}/shop:1", fake.address);
    let args = ["build", "./app", "-t", &name, "--push", "--cache-dir=cache", "-o", "oci:app.oci"];
    let (code, stdout, said) = run(folder.path(), &args);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("  pushed to  docker://{name}: sent 3 blobs, ")), "{said}");
    let digest = stdout.trim().strip_prefix(&format!("{name}@")).unwrap().to_owned();
    let asked = fake.take_requests();
    let last = asked.last().unwrap();
    assert_eq!(last, "PUT /v2/shop/manifests/1", "the name comes last: {asked:?}");
    let head = fake.shop().head_manifest(ManifestReference::Tag("1")).unwrap().unwrap();
    assert_eq!(head.digest.to_string(), digest);
    fake.take_requests();

    let (_, again, said) = run(folder.path(), &args);
    assert_eq!(again, stdout);
    assert!(said.contains(": unchanged\n"), "{said}");
    assert_eq!(fake.take_requests(), ["HEAD /v2/shop/manifests/1"]);

    // Another program, the same libraries: its layer, its config, its manifest.
    let mut bytes = fs::read(folder.path().join("app")).unwrap();
    bytes.push(0);
    fs::write(folder.path().join("app"), bytes).unwrap();
    let (_, _, said) = run(folder.path(), &args);
    assert!(said.contains("sent 2 blobs, ") && said.contains("; 1 there already"), "{said}");
    let writes = fake.take_requests().into_iter().filter(|request| request.starts_with("PUT ")).count();
    assert_eq!(writes, 3);
}

#[test]
fn reports_failed_pushes() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let (code, _, said) = run(folder.path(), &["build", "./app", "--push", "-q"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("the image has no name") && said.contains("--tag REGISTRY/NAME:TAG"), "{said}");
    assert!(!folder.path().join("app.oci").exists());
    // The image is built all the same, and the failure is the network's.
    fake.inject_fault(100, "PUT", "manifests", Fault::Respond(403, vec![], ""));
    let name = format!("{}/shop:1", fake.address);
    let (code, stdout, said) =
        run(folder.path(), &["build", "./app", "-t", &name, "--push", "-q", "-o=oci:app.oci"]);
    assert_eq!((code, stdout.as_str()), (Some(3), ""), "{said}");
    assert!(said.contains("PUT /v2/shop/manifests/1") && said.contains("403"), "{said}");
    assert!(folder.path().join("app.oci/index.json").exists());
    assert!(fake.shop().head_manifest(ManifestReference::Tag("1")).unwrap().is_none());
}

/// A layout, a registry, another repository, and back: the same bytes.
#[test]
fn copies_an_image_between_all_locations() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let (at, host) = (folder.path(), fake.address.to_string());
    let (_, stdout, _) =
        run(at, &["build", "./app", "-t", "shop:1", "-q", "-o=oci:one.oci", "-o=oci-archive:one.tar"]);
    let digest = stdout.trim().split_once('@').unwrap().1.to_owned();
    let copy = |from: &str, to: &str| {
        let (code, stdout, said) = run(at, &["copy", from, to]);
        assert_eq!(code, Some(0), "{said}");
        assert!(stdout.trim().ends_with(&digest), "{stdout}");
        said
    };
    assert!(copy("oci:one.oci", &format!("docker://{host}/shop:1")).contains("sent 3 blobs"));
    assert!(copy("oci-archive:one.tar", &format!("docker://{host}/archive:1")).contains("sent 3 blobs"));
    fake.take_requests();
    let said = copy(&format!("docker://{host}/shop:1"), &format!("docker://{host}/other:2"));
    assert!(said.contains("sent 0 blobs, 0 B; 3 mounted from another repository"), "{said}");
    assert!(
        fake.take_requests()
            .iter()
            .all(|request| !request.starts_with("PATCH ") && !request.contains("digest=")
                || request.contains("mount="))
    );
    copy(&format!("docker://{host}/other:2@{digest}"), "oci:two.oci");
    let blobs = |layout: &str| listing(&at.join(layout).join("blobs")).into_keys().collect::<Vec<_>>();
    assert_eq!(blobs("two.oci"), blobs("one.oci"));
    assert!(coracle_oci::layout::verify_layout(&at.join("two.oci")).unwrap().is_empty());
    let index: Value = serde_json::from_slice(&fs::read(at.join("two.oci/index.json")).unwrap()).unwrap();
    let annotations = &index["manifests"][0]["annotations"];
    assert_eq!(annotations["io.containerd.image.name"], format!("{host}/other:2"));
    // Existing blobs are not requested again.
    fake.take_requests();
    copy(&format!("docker://{host}/other:2"), "oci:two.oci:3");
    assert!(fake.take_requests().iter().all(|request| !request.contains("/blobs/")));
    let (_, shown, _) =
        run(at, &["copy", "oci:two.oci:3", &format!("docker://{host}/shop:1"), "--format=json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["digest"], &shown["sent"]["unchanged"]), (&json!(digest), &json!(true)));
}

#[test]
fn an_index_is_copied_with_all_its_images() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let (shop, images) = (fake.shop(), [image(&[7, 9]), image(&[9, 300_000])]);
    let entries = images.each_ref().map(|image| {
        image.push(&shop, "part").unwrap();
        json!({"mediaType": MANIFEST, "digest": image.digest().to_string(), "size": image.manifest.len()})
    });
    // Spaces, and a member that nobody knows: the bytes are somebody else's.
    let index =
        json!({"schemaVersion": 2, "mediaType": INDEX, "x-unknown": 1, "manifests": entries}).to_string();
    let index = index.replace(",", " ,\n ").into_bytes();
    shop.put_manifest(ManifestReference::Tag("all"), INDEX, &index).unwrap();
    let host = fake.address.to_string();
    let (code, stdout, said) =
        run(folder.path(), &["copy", &format!("docker://{host}/shop:all"), "oci:all.oci"]);
    assert_eq!((code, stdout.trim()), (Some(0), Digest::compute(&index).to_string().as_str()), "{said}");
    let blob = folder.path().join("all.oci/blobs/sha256").join(Digest::compute(&index).hex());
    assert_eq!(fs::read(blob).unwrap(), index);
    let (code, _, said) = run(folder.path(), &["copy", "oci:all.oci", &format!("docker://{host}/new:all")]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fake.state().tags[&("new".to_owned(), "all".to_owned())], Digest::compute(&index).to_string());
}

/// From a registry into an archive, and on from there: nothing is made anew, and the same archive comes twice.
#[test]
fn copies_into_archives() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let (at, host, shop) = (folder.path(), fake.address.to_string(), fake.shop());
    let images = [image(&[7, 300_000]), image(&[300_000, 9])];
    let entries = images.each_ref().map(|image| {
        image.push(&shop, "part").unwrap();
        json!({"mediaType": MANIFEST, "digest": image.digest().to_string(), "size": image.manifest.len()})
    });
    let index = json!({"manifests": entries, "mediaType": INDEX, "schemaVersion": 2}).to_string();
    shop.put_manifest(ManifestReference::Tag("all"), INDEX, index.as_bytes()).unwrap();
    let digest = Digest::compute(index.as_bytes()).to_string();
    for (from, to) in [
        (format!("docker://{host}/shop:all"), "oci-archive:one.tar".to_owned()),
        (format!("docker://{host}/shop:all"), "oci-archive:deep/two.tar".into()),
        ("oci-archive:one.tar".into(), "oci:all.oci:2".into()),
        ("oci:all.oci".into(), "oci-archive:three.tar:all".into()),
        ("oci-archive:three.tar:all".into(), format!("docker://{host}/new:all")),
    ] {
        let (code, stdout, said) = run(at, &["copy", &from, &to]);
        assert_eq!(code, Some(0), "{said}");
        assert!(stdout.trim().ends_with(&digest), "{stdout}");
    }
    assert_eq!(fake.state().tags[&("new".to_owned(), "all".to_owned())], digest);
    let read = |name: &str| fs::read(at.join(name)).unwrap();
    assert_eq!(read("one.tar"), read("deep/two.tar"));
    assert_eq!(read("one.tar"), read("three.tar"));
    // The old image is kept if the new one can't be read.
    let (code, _, said) = run(at, &["copy", "oci:all.oci", "docker-archive:one.tar"]);
    assert!(code == Some(1) && said.contains("supports only one platform"), "{said}");
    assert!(said.contains("hint: write `oci-archive:one.tar`"), "{said}");
    assert_eq!(read("one.tar"), read("three.tar"));
}

/// A built image comes out of a layout as the build itself would have written it, but for its place in the index.
#[test]
fn writes_dockers_manifest_into_archives() {
    let folder = folder();
    let at = folder.path();
    let outputs = ["-o=oci:app.oci", "-o=docker-archive:built.tar"];
    let (code, _, said) = run(at, &[&["build", "./app", "-q", "-t=acme/app:1"], &outputs[..]].concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = run(at, &["copy", "oci:app.oci", "docker-archive:copied.tar"]);
    assert_eq!(code, Some(0), "{said}");
    let members = |name: &str| -> Vec<(String, Vec<u8>)> {
        let mut archive = tar::Archive::new(fs::File::open(at.join(name)).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            (entry.path().unwrap().display().to_string(), bytes)
        });
        entries.filter(|(name, _)| name != "index.json").collect()
    };
    assert_eq!(members("built.tar"), members("copied.tar"));
    assert!(members("copied.tar").iter().any(|(name, _)| name == "manifest.json"));
}

/// Each fails with a clear word, and what was in the layout stays.
#[test]
fn reports_failed_copies() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let (at, host) = (folder.path(), fake.address.to_string());
    run(at, &["build", "./app", "-q", "-o=oci:there.oci"]);
    image(&[400_000]).push(&fake.shop(), "1").unwrap();
    let shop = format!("docker://{host}/shop:1");
    let other = format!("docker://{host}/shop:1@{}", Digest::compute(b"other"));
    let before = listing(at);
    for (fault, from, to, exit, part) in [
        (None, "docker://127.0.0.1:1/shop", "oci:there.oci", 3, "connection refused"),
        (None, &*format!("docker://{host}/none:1"), "oci:there.oci", 3, "there is no image at"),
        (None, &other, "oci:there.oci", 3, "there is no image at"),
        (None, "oci:there.oci", &other, 1, "includes the digest `sha256:"),
        (None, "oci:there.oci", "oci-archive:.", 1, "it is a directory"),
        (None, &shop, "oci-archive:there.oci/index.json/x", 1, "is not a directory"),
        (None, "there.oci", &shop, 2, "is not a valid image location"),
        (None, &shop, "docker://Capital/Shop", 2, "is not a valid image location"),
        (Some(Fault::AlterResponse), &shop, "oci:there.oci", 3, "instead of"),
        (Some(Fault::AlterResponse), &shop, "oci-archive:new/x.tar", 3, "instead of"),
        (Some(Fault::Respond(404, vec![], "")), &shop, "oci:there.oci", 3, "404"),
    ] {
        if let Some(fault) = fault {
            fake.inject_fault(100, "GET", "blobs", fault);
        }
        let (code, stdout, said) = run(at, &["copy", from, to]);
        assert_eq!((code, stdout.as_str()), (Some(exit), ""), "{from} {to}: {said}");
        assert!(said.starts_with("error: ") && said.contains(part), "{from} {to}: {said}");
        assert_eq!(listing(at), before, "{from} {to}");
        fake.state().faults.clear();
    }
}

/// One layout, one tag, two images: each is sent under its own name.
#[test]
fn replaces_images_in_a_layout() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    for name in ["a", "b"] {
        let recipe = format!(
            "[image]\nname = \"{}/{name}\"\nprograms = [\"app\"]\nargs = [\"{name}\"]\n",
            fake.address
        );
        fs::write(at.join(name), recipe).unwrap();
    }
    let (code, stdout, said) = run(at, &["build", "-f=a", "-f=b", "-o=oci:all.oci", "--push", "-q"]);
    assert_eq!(code, Some(0), "{said}");
    let printed: Vec<&str> = stdout.lines().map(|line| line.split_once('@').unwrap().1).collect();
    let state = fake.state();
    let sent = ["a", "b"].map(|name| state.tags[&(name.to_owned(), "latest".to_owned())].as_str());
    assert_eq!(printed, sent);
}

/// A document that some clients read as a manifest and others as an index (CVE-2021-41190).
#[test]
fn refuses_ambiguous_documents() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    let image = image(&[7]);
    let mut document: Value = serde_json::from_slice(&image.manifest).unwrap();
    for uploaded in image.uploads() {
        fake.shop().push_blob(&uploaded).unwrap();
    }
    for (media_type, why) in [(MANIFEST, "a manifest with `manifests`"), (INDEX, "an index with `config`")] {
        document["mediaType"] = media_type.into();
        document["manifests"] = json!([]);
        let bytes = document.to_string();
        fake.shop().put_manifest(ManifestReference::Tag("1"), media_type, bytes.as_bytes()).unwrap();
        let there = format!("docker://{}/shop:1", fake.address);
        let copy = format!("docker://{}/shop:2", fake.address);

        // The same in a layout.
        let blobs = at.join("both.oci/blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let digest = Digest::compute(bytes.as_bytes());
        fs::write(blobs.join(digest.hex()), &bytes).unwrap();
        fs::write(at.join("both.oci/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let entry = json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()});
        let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
        fs::write(at.join("both.oci/index.json"), index).unwrap();

        for args in [
            &["copy", &there, "oci:new.oci"][..],
            &["copy", &there, &copy],
            &["copy", "oci:both.oci", &copy],
            &["copy", "oci:both.oci", "oci-archive:new.tar"],
            &["index", "oci:new.oci", &there],
            &["config", "show", "oci:both.oci"],
            &["build", "./app", "--base", "oci:both.oci", "-o=oci:new.oci"],
        ] {
            let (code, stdout, said) = run(at, args);
            assert!(code != Some(0) && stdout.is_empty() && said.contains(why), "{args:?}: {said}");
        }
        assert!(!at.join("new.oci").exists() && !at.join("new.tar").exists());
    }
}

/// A digest names no tag: `latest` stays what it is, here and there.
#[test]
fn a_digest_alone_moves_no_tag() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let (at, shop) = (folder.path(), fake.shop());
    let (old, new) = (image(&[7]), image(&[8]));
    old.push(&shop, "old").unwrap();
    new.push(&shop, "latest").unwrap();
    let place = format!("docker://{}/shop@{}", fake.address, old.digest());
    let (code, _, said) = run(at, &["copy", &place, "oci:old.oci"]);
    assert_eq!(code, Some(0), "{said}");
    let index: Value = serde_json::from_slice(&fs::read(at.join("old.oci/index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["annotations"], Value::Null);
    let (code, stdout, said) = run(at, &["copy", "oci:old.oci", &place]);
    assert_eq!((code, stdout.trim()), (Some(0), place.trim_start_matches("docker://")), "{said}");
    assert_eq!(shop.head_manifest(ManifestReference::Tag("latest")).unwrap().unwrap().digest, new.digest());
}

#[test]
fn rejects_incomplete_credentials_of_the_environment() {
    let folder = folder();
    let args = ["copy", "docker://127.0.0.1:1/shop", "oci:shop.oci"];
    let [user, password, token] =
        ["CORACLE_REGISTRY_USER", "CORACLE_REGISTRY_PASSWORD", "CORACLE_REGISTRY_TOKEN"];
    for (env, message) in [
        (
            &[(user, "ada")][..],
            "CORACLE_REGISTRY_USER is set, but CORACLE_REGISTRY_PASSWORD is not set or is empty",
        ),
        (
            // As a secret that the job may not read.
            &[(user, "ada"), (password, "")],
            "CORACLE_REGISTRY_USER is set, but CORACLE_REGISTRY_PASSWORD is not set or is empty",
        ),
        (
            &[(password, "hidden")],
            "CORACLE_REGISTRY_PASSWORD is set, but CORACLE_REGISTRY_USER is not set or is empty",
        ),
        (
            &[(token, "hidden"), (user, "ada")],
            "CORACLE_REGISTRY_TOKEN and CORACLE_REGISTRY_USER are both set",
        ),
        (
            &[(token, "hidden"), (password, "hidden")],
            "CORACLE_REGISTRY_TOKEN and CORACLE_REGISTRY_PASSWORD are both set",
        ),
    ] {
        let (code, _, said) = run_with(folder.path(), &args, env);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.starts_with(&format!("error: {message}\n")), "{said}");
        assert!(said.contains("only CORACLE_REGISTRY_TOKEN") && !said.contains("hidden"), "{said}");
    }
    // Nor do they go to two registries.
    for args in [
        ["build", "./app", "-t=127.0.0.1:1/a", "-t=127.0.0.1:2/a", "--push", "-q"],
        ["build", "./app", "-t=127.0.0.1:1/a", "-o=docker://127.0.0.1:2/a", "--push", "-q"],
    ] {
        let (code, _, said) = run_with(folder.path(), &args, &[("CORACLE_REGISTRY_TOKEN", "hidden")]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("are for one registry") && !said.contains("hidden"), "{said}");
    }
}

/// Debian's registry, and skopeo, who reads what came there.
#[test]
fn other_tools_read_pushed_images() {
    if !docker_registry::met(&["docker-registry", "skopeo"], "docker-registry skopeo") {
        return;
    }
    let (registry, folder) = (docker_registry::Registry::plain(), folder());
    let name = format!("localhost:{}/acme/app:1", registry.port);
    let (code, stdout, said) = run(folder.path(), &["build", "./app", "-t", &name, "--push", "-q"]);
    assert_eq!(code, Some(0), "{said}");
    let inspected = std::process::Command::new("skopeo")
        .args(["inspect", "--tls-verify=false", "--format={{.Digest}}", &format!("docker://{name}")])
        .output()
        .unwrap();
    let digest = String::from_utf8(inspected.stdout).unwrap();
    assert_eq!(stdout.trim(), format!("{name}@{}", digest.trim()));
    let (code, _, said) = run(folder.path(), &["copy", &format!("docker://{name}"), "oci:back.oci"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(coracle_oci::layout::verify_layout(&folder.path().join("back.oci")).unwrap().is_empty());
}
