//! `coracle sign` and `build --sign-key`: what is stored where, and in which order.

use std::fs;

use coracle_testing::{workspace_root, write_executable};
use serde_json::Value;

use super::{fail, folder, run, succeed};
use crate::registry::fake::{FakeRegistry, FakeRepositories as _, Fault};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

#[test]
fn signs_a_build_before_its_tag_is_written() {
    for (has_api, config_type) in [(false, false), (true, false), (true, true)] {
        let (fake, folder) = (FakeRegistry::start(), folder());
        let at = folder.path();
        (fake.state().referrers, fake.state().config_as_artifact_type) = (has_api, config_type);
        let name = format!("{}/shop:1", fake.address);
        let args = ["build", "./app", "-t", &name, "-o", "oci:app.oci", "--push", "-q"];
        let unsigned = succeed(at, &args);
        fake.take_requests();
        let signed = [&args[..], &["--sign-key", "one.key", "--provenance"]].concat();
        let stdout = succeed(at, &signed);
        assert_eq!(stdout, unsigned, "the digest of the image does not change");
        let requests = fake.take_requests();
        assert!(requests.last().unwrap().contains("/manifests/1"), "the tag comes last: {requests:?}");
        let digest = stdout.trim().rsplit_once('@').unwrap().1.parse().unwrap();
        let stored = fake.shop().referrers(&digest).unwrap();
        assert_eq!(stored.len(), 2, "the signature and the provenance");
        for image in [format!("docker://{name}"), "oci:app.oci".into()] {
            succeed(at, &["verify", &image, "--key", "one.pub", "--provenance", "-q"]);
            let said = fail(at, 4, &["verify", &image, "--key", "two.pub"]);
            assert!(said.contains("no signature of it was made with this key"), "{said}");
        }
        // The same again has the same bytes, and adds nothing.
        assert_eq!(succeed(at, &signed), unsigned);
        assert_eq!(fake.shop().referrers(&digest).unwrap(), stored);
    }
}

#[test]
fn a_tag_never_refers_to_an_image_whose_signature_failed() {
    for has_api in [false, true] {
        let (fake, folder) = (FakeRegistry::start(), folder());
        let at = folder.path();
        fake.state().referrers = has_api;
        let name = format!("{}/shop:1", fake.address);
        let args = ["build", "./app", "-t", &name, "--push", "-q", "--sign-key", "one.key"];
        let args = [&args[..], &["-o", "oci:app.oci"]].concat();
        fake.inject_fault(99, "PUT", "/manifests/sha256", Fault::Respond(403, vec![], "{}"));
        let (code, stdout, said) = run(at, &args);
        assert_eq!((code, stdout.as_str()), (Some(3), ""), "{said}");
        assert!(fake.state().tags.is_empty(), "{:?}", fake.state().tags);
    }
}

#[test]
fn a_failing_signer_publishes_nothing() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    write_executable(&at.join("fails"), "#!/bin/sh\ncat >/dev/null; exit 7\n");
    write_executable(&at.join("silent"), "#!/bin/sh\ncat >/dev/null\n");
    write_executable(&at.join("other"), "#!/bin/sh\ntar -c --files-from=/dev/null\n");
    let name = format!("{}/shop:1", fake.address);
    for (signer, why) in [
        ("./fails", "the signer `./fails` failed: exit status: 7"),
        ("./silent", "the signer `./silent` wrote no signature of the image"),
        ("./other", "the signer `./other` wrote no signature of the image"),
        ("./absent", "cannot run the signer `./absent`"),
    ] {
        let args = ["build", "./app", "-t", &name, "--push", "-q", "-o", "oci:app.oci", "--signer", signer];
        let (code, stdout, said) = run(at, &args);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{signer}: {said}");
        assert!(said.contains(why), "{signer}: {said}");
        assert!(fake.state().tags.is_empty());
        assert!(!at.join("app.oci/index.json").exists());
    }
}

/// The example script signs with OpenSSL.
#[test]
fn a_signer_program_signs_the_image_and_its_provenance() {
    if !coracle_testing::requirement::is_available("openssl", true, "openssl") {
        return;
    }
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    let signer = workspace_root().join("examples/signers/openssl");
    let name = format!("{}/shop:1", fake.address);
    let signing = ["--signer", signer.to_str().unwrap(), "--signer-arg", "one.key"];
    succeed(at, &[&["build", "./app", "-t", &name, "--push", "-q", "--provenance"], &signing[..]].concat());
    let image = format!("docker://{name}");
    succeed(at, &["verify", &image, "--key", "one.pub"]);
    succeed(at, &["build", "./app", "-o", "oci:app.oci", "-q"]);
    fail(at, 4, &["verify", "oci:app.oci", "--key", "one.pub"]);
    succeed(at, &[&["sign", "oci:app.oci"], &signing[..]].concat());
    succeed(at, &["verify", "oci:app.oci", "--key", "one.pub"]);
}

#[test]
fn signs_stored_sboms_and_provenance() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    fake.state().referrers = true;
    let name = format!("{}/shop:1", fake.address);
    succeed(at, &["build", "./app", "-t", &name, "--push", "-q", "--provenance"]);
    let image = format!("docker://{name}");
    succeed(at, &["verify", &image, "--provenance", "-q"]);
    fail(at, 4, &["verify", &image, "--provenance", "--key", "one.pub"]);
    let said = fail(at, 4, &["verify", &image, "--sbom"]);
    assert!(said.contains("there is no SBOM about"), "{said}");
    let stdout = succeed(at, &["sign", &image, "--key", "one.key", "-q", "--format", "json"]);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let signed: Vec<&str> =
        report["signatures"].as_array().unwrap().iter().map(|one| one["signed"].as_str().unwrap()).collect();
    assert_eq!(signed, ["image", "https://slsa.dev/provenance/v1"]);
    succeed(at, &["verify", &image, "--provenance", "--key", "one.pub", "-q"]);
    // Signatures go along with the image.
    succeed(at, &["copy", &image, "oci:copy.oci", "--referrers", "-q"]);
    succeed(at, &["verify", "oci:copy.oci", "--provenance", "--key", "one.pub", "-q"]);
    let index = fs::read_to_string(at.join("copy.oci/index.json")).unwrap();
    assert_eq!(index.matches(&format!(r#""artifactType":"{BUNDLE}""#)).count(), 2, "{index}");
}

#[test]
fn destinations_without_room_for_signatures_are_refused_before_anything_is_written() {
    let folder = folder();
    let at = folder.path();
    for to in ["oci-archive:x.tar", "docker-archive:x.tar", "docker-daemon:x"] {
        let said = fail(at, 2, &["build", "./app", "-q", "-t", "x", "-o", to, "--sign-key", "one.key"]);
        assert!(
            said.contains("can't hold signatures and provenance, only registries and layouts can"),
            "{said}"
        );
        let said = fail(at, 2, &["sign", to, "--key", "one.key"]);
        assert!(said.contains("can't hold signatures"), "{said}");
    }
    assert!(!at.join("x.tar").exists());
    succeed(at, &["build", "./app", "-o", "oci:app.oci", "-q"]);
    let said = fail(at, 2, &["sign", "oci:app.oci", "--key", "one.key", "--simple-signing"]);
    assert!(said.contains("`--simple-signing` needs a key, and an image in a registry"), "{said}");
    let said = fail(at, 2, &["build", "./app", "-q", "--simple-signing"]);
    assert!(said.contains("`--simple-signing` needs a key"), "{said}");
}

#[test]
fn engines_find_simple_signatures_at_a_tag() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    let name = format!("{}/shop:1", fake.address);
    let image = format!("docker://{name}");
    let build = ["build", "./app", "-t", &name, "--push", "-q", "--simple-signing"];
    let stdout = succeed(at, &[&build[..], &["--sign-key", "one.key"]].concat());
    let digest = stdout.trim().rsplit_once('@').unwrap().1.replace(':', "-");
    let layers = || {
        let state = fake.state();
        let manifest = &state.tags[&("shop".to_owned(), format!("{digest}.sig"))];
        let (_, bytes) = &state.manifests[&("shop".to_owned(), manifest.clone())];
        let manifest: Value = serde_json::from_slice(bytes).unwrap();
        manifest["layers"].as_array().unwrap().clone()
    };
    let first = layers();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["mediaType"], "application/vnd.dev.cosign.simplesigning.v1+json");
    let payload =
        &fake.state().blobs[&("shop".to_owned(), first[0]["digest"].as_str().unwrap().to_owned())].clone();
    let payload: Value = serde_json::from_slice(payload).unwrap();
    let reference = payload["critical"]["identity"]["docker-reference"].as_str().unwrap();
    assert_eq!(reference, format!("{}/shop", fake.address));
    // The same signature is added once; one with another key is kept beside it.
    for key in ["one.key", "two.key", "one.key"] {
        succeed(at, &["sign", &image, "--key", key, "--simple-signing", "-q"]);
    }
    assert_eq!(layers().len(), 2);
    assert_eq!(layers()[0], first[0]);
}

#[test]
fn a_build_signs_its_sboms() {
    for has_referrers_api in [true, false] {
        let (fake, folder) = (FakeRegistry::start(), folder());
        let at = folder.path();
        fake.state().referrers = has_referrers_api;
        let name = format!("{}/acme/shop:1", fake.address);
        let args = ["build", "./app", "-t", &name, "--push", "-o", "oci:app.oci", "-q"];
        let plain = succeed(at, &args);
        let signing = ["--attach-sbom", "spdx", "--attach-sbom", "cyclonedx", "--sign-key", "one.key"];
        assert_eq!(succeed(at, &[&args[..], &signing[..]].concat()), plain, "the digest is unchanged");
        let remote = format!("docker://{name}");
        succeed(at, &["copy", &remote, "oci:copy.oci", "--referrers", "-q"]);
        for image in ["oci:app.oci", &remote, "oci:copy.oci"] {
            succeed(at, &["verify", image, "--key", "one.pub", "--sbom", "-q"]);
            fail(at, 4, &["verify", image, "--key", "two.pub", "--sbom", "-q"]);
        }
    }
}
