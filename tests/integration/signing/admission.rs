//! The policies in examples/admission: each is valid for the schema of its tool, and what they call works.

use std::fs;
use std::process::Command;

use coracle_testing::{program, workspace_root};
use serde_json::Value;

use super::{folder, succeed};
use crate::registry::docker_registry::{self, Registry};
use crate::registry::fake::FakeRegistry;

/// The schemas are those of the custom resource definitions of Kyverno 1.19.1 and policy-controller 0.13.1, without
/// descriptions; unknown fields are an error.
#[test]
fn policies_are_valid_for_their_schemas() {
    for name in ["kyverno-cluster-policy", "kyverno-image-validating-policy", "policy-controller"] {
        let root = workspace_root();
        let schema = root.join("tests/integration/signing/schemas").join(name).with_extension("json");
        let schema: Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
        let policy = root.join("examples/admission").join(name).with_extension("yaml");
        let policy: Value = serde_saphyr::from_str(&fs::read_to_string(policy).unwrap()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&policy)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        let mut wrong = policy.clone();
        wrong["spec"]["absent"] = 1.into();
        assert!(!validator.is_valid(&wrong), "{name}: an unknown field is an error");
    }
}

/// Debian's skopeo reads the policy and looks for signatures where they are; it verifies none (`Debian-local change`).
#[test]
fn skopeo_reads_the_policy_and_finds_where_signatures_are() {
    if !docker_registry::met(&["docker-registry", "skopeo"], "docker-registry skopeo") {
        return;
    }
    let (registry, folder) = (Registry::plain(), folder());
    let at = folder.path();
    let host = format!("127.0.0.1:{}", registry.port);
    let name = format!("{host}/acme/shop:1");
    succeed(at, &["build", "./app", "-t", &name, "--push", "-q"]);
    let examples = workspace_root().join("examples/admission");
    let read = |file: &str| fs::read_to_string(examples.join(file)).unwrap().replace("ghcr.io", &host);
    let key = at.join("one.pub");
    fs::write(
        at.join("policy.json"),
        read("containers-policy.json").replace("/etc/pki/containers/release.pub", key.to_str().unwrap()),
    )
    .unwrap();
    fs::create_dir(at.join("registries.d")).unwrap();
    fs::write(at.join("registries.d/acme.yaml"), read("registries.d.yaml")).unwrap();
    let copy = || {
        let output = Command::new("skopeo")
            .current_dir(at)
            .args([
                "--policy",
                "policy.json",
                "--registries.d",
                "registries.d",
                "copy",
                "--src-tls-verify=false",
            ])
            .args([&format!("docker://{name}"), "dir:copy"])
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (copied, said) = copy();
    assert!(!copied && said.contains("A signature was required, but no signature exists"), "{said}");
    succeed(at, &["sign", &format!("docker://{name}"), "--key", "one.key", "--simple-signing", "-q"]);
    let (_, said) = copy();
    assert!(!said.contains("no signature exists") || said.contains("sigstore"), "{said}");
}

#[test]
fn the_verifier_of_containerd_admits_signed_images_only() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    fake.state().referrers = true;
    let script = fs::read_to_string(workspace_root().join("examples/admission/containerd-verifier")).unwrap();
    let script = script.replace("ghcr.io/acme", &format!("{}/acme", fake.address));
    coracle_testing::write_executable(&at.join("verifier"), &script);
    let path = format!("{}:/usr/bin:/bin", program("coracle").parent().unwrap().display());
    let admits = |name: &str, digest: &str| {
        let args =
            ["-name", name, "-digest", digest, "-stdin-media-type", "application/vnd.oci.descriptor.v1+json"];
        let mut command = Command::new(at.join("verifier"));
        let output =
            command.args(args).env("PATH", &path).env("RELEASE_KEY", at.join("one.pub")).output().unwrap();
        output.status.success()
    };
    let name = |tag: &str| format!("{}/acme/shop:{tag}", fake.address);
    let build = ["build", "./app", "--push", "-q"];
    let signed = succeed(at, &[&build[..], &["-t", &name("1"), "--sign-key", "one.key"]].concat());
    let digest = |stdout: &str| stdout.trim().rsplit_once('@').unwrap().1.to_owned();
    assert!(admits(&name("1"), &digest(&signed)));
    assert!(admits(&format!("{}@{}", name("1"), digest(&signed)), &digest(&signed)));
    fs::copy("/usr/bin/true", at.join("app")).unwrap();
    let unsigned = succeed(at, &[&build[..], &["-t", &name("2")]].concat());
    assert!(!admits(&name("1"), &digest(&unsigned)), "the digest decides");
    assert!(admits("docker.io/library/other:1", &digest(&unsigned)), "images of others need no signature");
}
