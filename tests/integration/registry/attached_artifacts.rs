//! Referrers are copied with their image: `coracle copy --referrers`, and the example that
//! lists it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use coracle_core::digest::Digest;
use coracle_oci::registry::{Access, RegistryClient, RepositoryClient};
use coracle_testing::built_example;
use serde_json::Value;

use super::fake::{FakeRegistry, FakeRepositories as _, settings};
use super::push_and_copy::{folder, run};
use super::referrers::Artifact;
use super::test_image::image;
use super::{docker_registry, read_images};

fn other(fake: &FakeRegistry, name: &str) -> RepositoryClient {
    RegistryClient::new(settings()).unwrap().repository_client(&fake.repository(name), &Access::push())
}

fn about(remote: &RepositoryClient, subject: &Digest) -> BTreeSet<Digest> {
    remote.referrers(subject).unwrap().into_iter().map(|referrer| referrer.digest).collect()
}

/// With the API and without, beside what others say there, and once more for nothing.
#[test]
fn copies_referrers_of_an_image() {
    for has_api in [false, true] {
        let (fake, folder) = (FakeRegistry::start(), folder());
        fake.state().referrers = has_api;
        let (shop, there) = (fake.shop(), other(&fake, "other"));
        let image = image(&[9]);
        image.push(&shop, "1").unwrap();
        let notes = [Artifact::new(&image, "one"), Artifact::new(&image, "two")];
        for note in &notes {
            note.push(&shop).unwrap();
        }
        // A note about a note.
        let deep = notes[0].about_note("deep");
        deep.push(&shop).unwrap();
        let theirs = Artifact::new(&image, "theirs");
        theirs.push(&there).unwrap();
        fake.take_requests();
        let (from, to) =
            (format!("docker://{}/shop:1", fake.address), format!("docker://{}/other:1", fake.address));
        let args = ["copy", &from, &to, "--referrers"];
        let (code, stdout, said) = run(folder.path(), &args);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.matches("  referrer  sha256:").count(), 3, "{said}");
        assert_eq!(stdout.trim().split_once('@').unwrap().1, image.digest().to_string());
        let expected = [notes[0].digest(), notes[1].digest(), theirs.digest()];
        assert_eq!(about(&there, &image.digest()), expected.into());
        assert_eq!(about(&there, &notes[0].digest()), [deep.digest()].into());
        fake.take_requests();
        let (code, stdout, said) = run(folder.path(), &[&args[..], &["--format=json"]].concat());
        assert_eq!(code, Some(0), "{said}");
        let shown: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(shown["referrers"].as_array().unwrap().len(), 3);
        let asked = fake.take_requests();
        assert!(asked.iter().all(|request| !request.starts_with("P")), "{asked:?}");
    }
}

/// From a registry to a layout and from there to another registry; a referrer that can't be read
/// leaves the names as they were.
#[test]
fn copies_referrers_through_a_layout() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    fake.state().referrers = true;
    let (shop, there) = (fake.shop(), other(&fake, "other"));
    let image = image(&[9]);
    image.push(&shop, "1").unwrap();
    let note = Artifact::about(&image);
    let deep = note.about_note("deep");
    for artifact in [&note, &deep] {
        artifact.push(&shop).unwrap();
    }
    let copy = |from: &str, to: &str| run(folder.path(), &["copy", from, to, "--referrers", "-q"]);
    let from = format!("docker://{}/shop:1", fake.address);
    for _ in 0..2 {
        let (code, _, said) = copy(&from, "oci:x.oci:1");
        assert_eq!(code, Some(0), "{said}");
    }
    let index = fs::read_to_string(folder.path().join("x.oci/index.json")).unwrap();
    assert_eq!(index.matches("io.coracle.subject").count(), 2, "{index}");
    let to = format!("docker://{}/other:1", fake.address);
    fake.take_requests();
    let (code, _, said) = copy("oci:x.oci", &to);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fake.take_requests().last().unwrap(), "PUT /v2/other/manifests/1", "the tag comes last");
    assert_eq!(about(&there, &image.digest()), [note.digest()].into());
    assert_eq!(about(&there, &note.digest()), [deep.digest()].into());

    // Another image under the tag replaces the first one and what was said of it.
    let newer = super::test_image::image(&[8]);
    newer.push(&shop, "2").unwrap();
    let (code, _, said) = copy(&format!("docker://{}/shop:2", fake.address), "oci:x.oci:1");
    assert_eq!(code, Some(0), "{said}");
    let blobs = fs::read_dir(folder.path().join("x.oci/blobs/sha256")).unwrap().count();
    assert_eq!(blobs, 3, "config, layer and manifest");

    fake.state().blobs.remove(&("shop".into(), Digest::compute(b"{}").to_string()));
    let last = format!("docker://{}/last:1", fake.address);
    for to in ["oci:y.oci", &last] {
        let (code, stdout, said) = copy(&from, to);
        assert_eq!((code, stdout.as_str()), (Some(3), ""), "{said}");
    }
    assert!(!folder.path().join("y.oci/index.json").exists());
    assert!(!fake.state().tags.keys().any(|(repository, _)| repository == "last"));
}

#[test]
fn archives_and_engines_can_not_hold_referrers() {
    let folder = folder();
    for to in ["oci-archive:x.tar", "docker-archive:x.tar", "docker-daemon:x"] {
        let (code, _, said) = run(folder.path(), &["copy", "docker://127.0.0.1:1/shop", to, "--referrers"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("can't hold referrers, only registries and layouts can"), "{said}");
    }
}

/// The whole contract is beside the image before the image has its name, and costs one request more when nothing changed.
#[test]
fn publishes_a_contract_as_a_referrer() {
    for has_api in [false, true] {
        let fake = FakeRegistry::start();
        fake.state().referrers = has_api;
        let (folder, digest) = read_images::shop(&fake);
        let (at, host) = (folder.path(), fake.address.to_string());
        let (image, contract) = (format!("docker://{host}/shop:2"), format!("docker://{host}/shop"));
        fs::write(at.join("v.toml"), "").unwrap();
        let check = |image: &str, from: &[&str]| {
            let args = [&["config", "check", image, "pod.yaml", "--values=v.toml"][..], from].concat();
            run(at, &args)
        };
        let (code, _, said) = check(&format!("docker://{host}/shop:1"), &[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("has no whole contract of"), "{said}");
        let name = format!("-t={host}/shop:2");
        let published = format!("--publish-contract={contract}");
        let args = ["build", "./app", &name, "--push", "-q", "-o=oci:two.oci", "--config=config:/etc/shop"];
        let args = [&args[..], &[&published, "--cache-dir=cache"]].concat();
        fake.take_requests();
        let (code, stdout, said) = run(at, &args);
        assert_eq!(code, Some(0), "{said}");
        assert!(stdout.trim().ends_with(&digest), "{stdout}");
        let asked = fake.take_requests();
        assert_eq!(asked.last().unwrap(), "PUT /v2/shop/manifests/2", "the name comes last: {asked:?}");
        let there = about(&fake.shop(), &digest.parse().unwrap());
        let [artifact] = Vec::from_iter(there).try_into().unwrap();
        fake.take_requests();

        let (_, again, said) = run(at, &args);
        assert_eq!(again, stdout, "{said}");
        let expected =
            ["HEAD /v2/shop/manifests/2".to_owned(), format!("HEAD /v2/shop/manifests/{artifact}")];
        assert_eq!(fake.take_requests(), expected);

        assert_eq!(check(&image, &[]).0, Some(0));
        // Joined, the image is one of an index, and what was said of it counts.
        let index = format!("docker://{host}/shop:all");
        assert_eq!(run(at, &["index", &index, &image]).0, Some(0));
        assert_eq!(check(&index, &[]).0, Some(0));
        assert_eq!(check("oci:two.oci", &["--contract", &contract]).0, Some(0));
        let (code, shown, said) = run(at, &["config", "show", "oci:two.oci", "--contract", &contract]);
        assert_eq!(code, Some(0), "{said}");
        assert!(shown.contains("shop.toml"), "{shown}");
        assert_eq!(check("oci:two.oci", &["--contract", &format!("docker://{host}/other")]).0, Some(1));

        // Who took it away gets it again.
        fake.state().manifests.remove(&("shop".to_owned(), artifact.to_string()));
        let (code, _, said) = run(at, &args);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(about(&fake.shop(), &digest.parse().unwrap()), [artifact].into());
    }
}

#[test]
fn reports_destinations_that_can_not_hold_a_contract() {
    let folder = folder();
    let at = folder.path();
    fs::create_dir(at.join("config")).unwrap();
    fs::write(at.join("config/a"), "").unwrap();
    for (place, exit, part) in [
        ("docker://127.0.0.1:1/shop:1", 2, "a contract is stored without a tag"),
        ("docker://127.0.0.1:1/Shop", 2, "write `docker://NAME"),
        ("docker://127.0.0.1:1/shop", 3, "connection refused"),
    ] {
        let published = format!("--publish-contract={place}");
        let (code, stdout, said) =
            run(at, &["build", "./app", "-q", "-o=oci:app.oci", "--config=config:/etc/a", &published]);
        assert_eq!((code, stdout.as_str()), (Some(exit), ""), "{said}");
        assert!(said.contains(part), "{said}");
    }
}

/// The example, which cargo builds before it runs tests.
fn mirror(args: &[&str]) -> (bool, String, String) {
    let output = Command::new(built_example("mirror")).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_example_mirrors_an_image_and_lists_its_referrers() {
    if !docker_registry::met(&["docker-registry"], "docker-registry") {
        return;
    }
    let (registry, folder) = (docker_registry::Registry::plain(), tempfile::tempdir().unwrap());
    let name = format!("localhost:{}/acme/shop:1", registry.port);
    let image = image(&[9, 70_000]);
    let shop = registry.open("acme/shop", settings());
    image.push(&shop, "1").unwrap();
    let note = Artifact::about(&image);
    note.push(&shop).unwrap();
    let layout = format!("oci:{}", folder.path().join("shop.oci").display());
    let (done, stdout, said) = mirror(&[&format!("docker://{name}"), &layout]);
    assert!(done, "{said}");
    let (digest, kind) = (image.digest(), "application/vnd.example.note");
    assert_eq!(stdout, format!("{digest} {layout}\n{digest} linux/amd64\n{} {kind}\n", note.digest()));
    let (done, stdout, said) = mirror(&[&layout, &format!("docker://localhost:{}/copy:1", registry.port)]);
    assert!(done && stdout.starts_with(&digest.to_string()), "{stdout}{said}");
    let (done, _, said) = mirror(&[&layout]);
    assert!(!done && said.starts_with("mirror: usage: "), "{said}");
}
