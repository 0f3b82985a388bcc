//! The programs of others accept our signatures and refuse what is wrong with them, and we accept theirs:
//! cosign, npm's @sigstore/verify, and PyPI's securesystemslib and in-toto-attestation.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use coracle_core::digest::Digest;
use coracle_testing::{skipped, workspace_root};
use serde_json::Value;

use super::{fail, folder, run_with, succeed};
use crate::registry::docker_registry::{self, Registry};
use crate::registry::fake::FakeRegistry;

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Whether `.ci/tools` has installed these programs.
#[track_caller]
fn are_installed(tools: &[&str]) -> bool {
    let tools_dir = workspace_root().join("target/tools");
    let missing: Vec<&&str> = tools.iter().filter(|tool| !tools_dir.join(tool).exists()).collect();
    if !missing.is_empty() {
        skipped(&format!("{missing:?} missing: `bash .ci/tools` installs them into target/tools"));
    }
    missing.is_empty()
}

fn cosign(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(workspace_root().join("target/tools/bin/cosign"));
    command.current_dir(folder).env("COSIGN_PASSWORD", "").args(args).output().unwrap()
}

/// Whether cosign accepts the signature of an image.
fn accepts(folder: &Path, key: &str, image: &str, more: &[&str]) -> bool {
    let args = [&["verify", "--key", key, "--insecure-ignore-tlog=true"], more, &[image]].concat();
    cosign(folder, &args).status.success()
}

/// cosign and Coracle verify each other's signatures at a registry. The fake registry takes no uploads of
/// unknown length, as cosign sends them: `takes_uploads` is false there.
fn check_cosign(address: &str, takes_uploads: bool) {
    let folder = folder();
    let at = folder.path();
    let name = format!("{address}/team/shop:1");
    let build = ["build", "./app", "-t", &name, "--push", "-q", "--sign-key", "one.key"];
    let stdout = succeed(at, &[&build[..], &["--provenance", "--simple-signing"]].concat());
    let image = format!("{address}/team/shop@{}", stdout.trim().rsplit_once('@').unwrap().1);
    assert!(accepts(at, "one.pub", &image, &[]));
    assert!(accepts(at, "one.pub", &image, &["--new-bundle-format=false"]), "the form for engines");
    assert!(!accepts(at, "two.pub", &image, &[]));
    let attestation = [
        "verify-attestation",
        "--type",
        "slsaprovenance1",
        "--key",
        "one.pub",
        "--insecure-ignore-tlog=true",
        &image,
    ];
    assert!(cosign(at, &attestation).status.success(), "{:?}", cosign(at, &attestation));

    // Another image of the repository is not signed.
    fs::copy("/usr/bin/true", at.join("app")).unwrap();
    let other = format!("{address}/team/shop:2");
    let stdout = succeed(at, &["build", "./app", "-t", &other, "--push", "-q"]);
    let unsigned = format!("{address}/team/shop@{}", stdout.trim().rsplit_once('@').unwrap().1);
    assert!(!accepts(at, "one.pub", &unsigned, &[]));

    // cosign's key signs here.
    assert!(cosign(at, &["generate-key-pair"]).status.success());
    let sign = ["sign", &format!("docker://{name}"), "--key", "cosign.key", "-q"];
    let (code, _, said) = run_with(at, &sign, &[("COSIGN_PASSWORD", "")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(accepts(at, "cosign.pub", &image, &[]) && accepts(at, "one.pub", &image, &[]));
    if !takes_uploads {
        return;
    }
    // And its signature is accepted here.
    let sign =
        ["sign", "-y", "--key", "cosign.key", "--tlog-upload=false", "--use-signing-config=false", &unsigned];
    let signed = cosign(at, &sign);
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    succeed(at, &["verify", &format!("docker://{other}"), "--key", "cosign.pub", "-q"]);
    fail(at, 4, &["verify", &format!("docker://{other}"), "--key", "one.pub"]);
}

#[test]
fn cosign_accepts_our_signatures_at_a_registry_with_the_referrers_api() {
    if are_installed(&["bin/cosign"]) {
        let fake = FakeRegistry::start();
        fake.state().referrers = true;
        check_cosign(&fake.address.to_string(), false);
    }
}

#[test]
fn cosign_accepts_our_signatures_at_a_registry_without_the_referrers_api() {
    if are_installed(&["bin/cosign"]) && docker_registry::met(&["docker-registry"], "docker-registry") {
        let registry = Registry::plain();
        check_cosign(&format!("127.0.0.1:{}", registry.port), true);
    }
}

/// The bundles in a layout, each as a file, with the predicate types.
fn bundles(folder: &Path, layout: &str) -> Vec<(String, String)> {
    let blob = |descriptor: &Value| {
        let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
        fs::read(folder.join(layout).join("blobs/sha256").join(digest.hex())).unwrap()
    };
    let index: Value =
        serde_json::from_slice(&fs::read(folder.join(layout).join("index.json")).unwrap()).unwrap();
    let entries =
        index["manifests"].as_array().unwrap().iter().filter(|entry| entry["artifactType"] == BUNDLE);
    let write = |(number, entry): (usize, &Value)| {
        let manifest: Value = serde_json::from_slice(&blob(entry)).unwrap();
        let name = format!("bundle-{number}.json");
        fs::write(folder.join(&name), blob(&manifest["layers"][0])).unwrap();
        let kind = manifest["annotations"]["dev.sigstore.bundle.predicateType"].as_str().unwrap();
        (name, kind.to_owned())
    };
    entries.enumerate().map(write).collect()
}

/// A verifier of others: whether it accepts a bundle, and the predicate type that it prints.
type Verifier<'a> = &'a dyn Fn(&str, &str, &str) -> (bool, String);

/// `verify` accepts our bundles, and refuses another key, a changed payload and another digest.
fn check_bundles(folder: &Path, verify: Verifier<'_>) {
    let build = ["build", "./app", "-o", "oci:app.oci", "-q", "--sign-key", "one.key", "--provenance"];
    let stdout = succeed(folder, &build);
    let digest = stdout.trim().rsplit_once(':').unwrap().1.to_owned();
    let bundles = bundles(folder, "app.oci");
    assert_eq!(bundles.len(), 2);
    for (bundle, kind) in &bundles {
        let (accepted, said) = verify(bundle, "one.pub", &digest);
        assert!(accepted && said.trim() == kind, "{said}");
        assert!(!verify(bundle, "two.pub", &digest).0, "another key");
        assert!(!verify(bundle, "one.pub", &Digest::compute(b"").hex()).0, "another digest");
        let text = fs::read_to_string(folder.join(bundle)).unwrap();
        let mut document: Value = serde_json::from_str(&text).unwrap();
        let payload = document["dsseEnvelope"]["payload"].as_str().unwrap().to_owned();
        // Another letter at the start of the base64 of `{"_type"`.
        document["dsseEnvelope"]["payload"] = payload.replacen("eyJf", "eyJg", 1).into();
        fs::write(folder.join("changed.json"), document.to_string()).unwrap();
        assert!(!verify("changed.json", "one.pub", &digest).0, "a changed payload");
    }
}

#[test]
fn sigstore_for_node_accepts_our_bundles() {
    if !are_installed(&["bin/node", "npm/node_modules/@sigstore/verify"]) {
        return;
    }
    let folder = folder();
    let at = folder.path();
    let program = workspace_root().join("tests/integration/signing/programs/verify_bundle.mjs");
    check_bundles(at, &|bundle, key, digest| {
        let output = Command::new(workspace_root().join("target/tools/bin/node"))
            .current_dir(workspace_root().join("target/tools/npm"))
            .arg(&program)
            .args([at.join(bundle), at.join(key)])
            .arg(digest)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    });
}

#[test]
fn securesystemslib_and_in_toto_accept_our_statements() {
    let python = workspace_root().join("target/tools/bin/python");
    let import = ["-c", "import securesystemslib, in_toto_attestation, cryptography"];
    let is_installed =
        Command::new(&python).args(import).output().is_ok_and(|output| output.status.success());
    if !is_installed {
        return skipped("securesystemslib is missing: `bash .ci/tools` installs it into target/tools");
    }
    let folder = folder();
    let at = folder.path();
    let program = workspace_root().join("tests/integration/signing/programs/verify_envelope.py");
    check_bundles(at, &|bundle, key, digest| {
        let output =
            Command::new(&python).current_dir(at).arg(&program).args([bundle, key, digest]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    });
}
