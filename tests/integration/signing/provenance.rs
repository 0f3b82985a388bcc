//! Provenance: the recipe and every packed file, without a clock unless it is asked for.

use std::fs;
use std::path::Path;

use coracle_core::digest::Digest;
use serde_json::Value;

use super::{folder, run_with, succeed};

/// The statement in a layout that is not signed.
fn statement(folder: &Path, layout: &str) -> Value {
    let json = |digest: &Value| {
        let digest: Digest = digest.as_str().unwrap().parse().unwrap();
        let bytes = fs::read(folder.join(layout).join("blobs/sha256").join(digest.hex())).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };
    let index: Value =
        serde_json::from_slice(&fs::read(folder.join(layout).join("index.json")).unwrap()).unwrap();
    let mut entries = index["manifests"].as_array().unwrap().iter();
    let entry = entries.find(|entry| entry["artifactType"] == "application/vnd.in-toto+json").unwrap();
    assert_eq!(entry["annotations"]["in-toto.io/predicate-type"], "https://slsa.dev/provenance/v1");
    json(&json(&entry["digest"])["layers"][0]["digest"])
}

#[test]
fn provenance_has_every_file_and_no_clock() {
    let folder = folder();
    let at = folder.path();
    let args = ["build", "./app", "-q", "-o", "oci:app.oci", "--provenance", "--arg", "x"];
    let stdout = succeed(at, &args);
    let first = statement(at, "app.oci");
    assert_eq!(first["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(first["subject"][0]["digest"]["sha256"], stdout.trim().rsplit_once(':').unwrap().1);
    let predicate = &first["predicate"];
    let definition = &predicate["buildDefinition"];
    assert_eq!(definition["externalParameters"]["recipe"]["image"]["args"][0], "x");
    assert!(definition["internalParameters"]["scope"].as_str().unwrap().contains("not covered"));
    let dependencies = definition["resolvedDependencies"].as_array().unwrap();
    let named = |path: &str| dependencies.iter().find(|one| one["name"] == path).unwrap();
    let program = Digest::compute(&fs::read(at.join("app")).unwrap()).hex();
    assert_eq!(named("/app/app")["digest"]["sha256"], program);
    let library =
        dependencies.iter().find(|one| one["name"].as_str().unwrap().ends_with("/libc.so.6")).unwrap();
    assert!(library["uri"].as_str().unwrap().starts_with("pkg:deb/debian/libc6@"), "{library}");
    assert!(predicate["runDetails"].get("metadata").is_none());
    let text = first.to_string();
    assert!(!text.contains(at.to_str().unwrap()), "no path of this machine: {text}");
    // The same again.
    succeed(at, &args);
    assert_eq!(statement(at, "app.oci"), first);

    let more = ["--provenance-time", "--builder-id", "https://ci.example/job"];
    succeed(at, &[&["build", "./app", "-q", "-o", "oci:timed.oci", "--provenance"], &more[..]].concat());
    let details = &statement(at, "timed.oci")["predicate"]["runDetails"];
    assert_eq!(details["builder"]["id"], "https://ci.example/job");
    assert!(details["metadata"]["finishedOn"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn the_builder_is_that_of_the_ci_job() {
    let folder = folder();
    let at = folder.path();
    let build = ["build", "./app", "-q", "-o", "oci:app.oci", "--provenance"];
    let github = [
        ("GITHUB_SERVER_URL", "https://github.example"),
        ("GITHUB_WORKFLOW_REF", "acme/shop/.github/workflows/image.yml@refs/heads/main"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_RUN_ID", "7"),
    ];
    let gitlab = [
        ("CI_PROJECT_URL", "https://gitlab.example/acme/shop"),
        ("CI_RUNNER_ID", "3"),
        ("CI_JOB_URL", "https://gitlab.example/acme/shop/-/jobs/9"),
    ];
    for (env, builder, run) in [
        (
            &github[..],
            "https://github.example/acme/shop/.github/workflows/image.yml@refs/heads/main",
            "https://github.example/acme/shop/actions/runs/7/attempts/1",
        ),
        (
            &gitlab,
            "https://gitlab.example/acme/shop/-/runners/3",
            "https://gitlab.example/acme/shop/-/jobs/9",
        ),
    ] {
        let (code, _, said) = run_with(at, &build, env);
        assert_eq!(code, Some(0), "{said}");
        let details = &statement(at, "app.oci")["predicate"]["runDetails"];
        assert_eq!(details["builder"]["id"], builder);
        assert_eq!(details["metadata"]["invocationId"], run);
        // Only the newest provenance of the job is wanted.
        fs::remove_dir_all(at.join("app.oci")).unwrap();
    }
}
