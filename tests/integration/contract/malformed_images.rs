//! Images that are none, or not what they say.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::contract::test_image::{TestFolder, shop};

/// The first line of what is said when the contract of `image` is asked for.
fn said(folder: &TestFolder, image: &str) -> (i32, String) {
    let ended = folder.run(&["config", "show", image]);
    assert_eq!(ended.stdout, "");
    (ended.status, ended.stderr.lines().next().unwrap_or_default().to_owned())
}

/// A copy of the image, at `x`.
fn copy(folder: &TestFolder) -> Value {
    let to = folder.folder().join("x");
    let _ = fs::remove_dir_all(&to);
    assert!(Command::new("cp").arg("-r").arg(shop().join("shop.oci")).arg(&to).status().unwrap().success());
    serde_json::from_slice(&fs::read(to.join("index.json")).unwrap()).unwrap()
}

/// A blob of the layout `y`, and its descriptor.
fn put(folder: &TestFolder, bytes: &[u8], kind: &str) -> Value {
    use sha2::Digest as _;
    let hex: String = sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    folder.file(&format!("y/blobs/sha256/{hex}"), bytes);
    let kind = format!("application/vnd.oci.image.{kind}.v1+json");
    json!({"mediaType": kind, "digest": format!("sha256:{hex}"), "size": bytes.len()})
}

/// A layout of one image with this config.
fn layout(folder: &TestFolder, config: &[u8]) {
    let config = put(folder, config, "config");
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": []}).to_string();
    let manifest = put(folder, manifest.as_bytes(), "manifest");
    folder.file("y/index.json", json!({"schemaVersion": 2, "manifests": [manifest]}).to_string());
    folder.file("y/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
}

#[test]
fn rejects_malformed_labels() {
    let folder = TestFolder::new();
    for (label, expected) in [
        ("no json", "is not a valid contract: expected ident at line 1 column 2"),
        ("[]", "is not a valid contract: `version` is missing"),
        ("{\"version\":7}", "the contract has format version 7"),
        (
            r#"{"version":1,"mounts":[{"path":"/a","reload":"x","files":[{"key":"../../x"}]}]}"#,
            "is not a valid key",
        ),
    ] {
        layout(
            &folder,
            json!({"config": {"Labels": {"io.coracle.config.v1": label}}}).to_string().as_bytes(),
        );
        let (status, line) = said(&folder, "oci:y");
        assert!(status == 1 && line.contains(expected), "{label}: {line}");
    }
    let label = json!({"version": 1, "ports": ["\u{1b}[2J"], "parameters": {"\u{7}\n": {}}}).to_string();
    layout(&folder, json!({"config": {"Labels": {"io.coracle.config.v1": label}}}).to_string().as_bytes());
    let shown = folder.run(&["config", "show", "oci:y"]).stdout;
    assert_eq!(shown, "parameters\n  \\u{7}\\n  anything\nports  \\u{1b}[2J\n");
    layout(&folder, "not json at all".as_bytes());
    assert!(said(&folder, "oci:y").1.contains("is not JSON"));
    layout(&folder, &vec![b' '; (4 << 20) + 1]);
    assert!(said(&folder, "oci:y").1.contains("more than the limit of 4194304"));
}

#[test]
fn rejects_blobs_with_another_digest() {
    let folder = TestFolder::new();
    let index = copy(&folder);
    let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let blob = folder.folder().join("x/blobs/sha256").join(digest.trim_start_matches("sha256:"));
    let manifest = fs::read(&blob).unwrap();
    fs::write(&blob, [manifest.as_slice(), b" "].concat()).unwrap();
    assert!(said(&folder, "oci:x").1.starts_with(&format!(
        "error: cannot read `oci:x`: the content of `{digest}` has the digest `sha256:"
    )));
    fs::remove_file(&blob).unwrap();
    assert_eq!(said(&folder, "oci:x"), (1, format!("error: cannot read `oci:x`: `{digest}` is missing")));
    fs::write(&blob, manifest).unwrap();
    let mut other = index.clone();
    other["manifests"][0]["digest"] = "sha256:../../../../etc/passwd".into();
    folder.file("x/index.json", other.to_string());
    assert!(said(&folder, "oci:x").1.ends_with("is not a sha256 digest"));
    folder.file("x/index.json", "{");
    assert!(said(&folder, "oci:x").1.contains("`index.json` is not JSON"));
    fs::remove_file(folder.folder().join("x/index.json")).unwrap();
    assert!(said(&folder, "oci:x").1.ends_with("it has no `index.json`, so it is not an image layout"));
    assert_eq!(said(&folder, "oci:none").0, 1);
}

#[test]
fn notes_that_a_malformed_layer_can_not_be_checked() {
    let folder = TestFolder::new();
    copy(&folder);
    for entry in fs::read_dir(folder.folder().join("x/blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        }
    }
    let ended = folder.run_with(&["config", "check", "oci:x", "-"], crate::contract::test_image::MANIFEST);
    assert_eq!(ended.status, 0);
    assert!(
        ended
            .stderr
            .starts_with("warning: oci:x: cannot check which files of the image are hidden by mounts: cannot read `oci:x`: layer 0"),
        "{}",
        ended.stderr
    );
}

#[test]
fn selects_one_of_several_images_by_tag() {
    let folder = TestFolder::new();
    let program = shop().join("app");
    let program = program.to_str().unwrap();
    folder.run(&["build", program, "-t", "a:1", "-o", "oci:z"]);
    folder.run(&["build", program, "-t", "a:2", "--user", "7", "-o", "oci:z"]);
    let ended = folder.run(&["config", "show", "oci:z"]);
    assert_eq!(
        ended.stderr,
        "error: cannot read `oci:z`: it contains several images\n\nhint: choose one by its tag: 1, 2\n"
    );
    let ended = folder.run(&["config", "show", "oci:z:3"]);
    assert_eq!(
        ended.stderr,
        "error: cannot read `oci:z:3`: no image in it has the tag `3`\n\nhint: its tags: 1, 2\n"
    );
    assert!(said(&folder, "oci:z:2").1.contains("has no contract"));
}

#[test]
fn reads_archives_without_unpacking() {
    let folder = TestFolder::new();
    let recipe = shop().join("coracle.toml");
    let recipe = recipe.to_str().unwrap();
    let expected = folder.run(&["config", "show", "@"]);
    for kind in ["oci-archive", "docker-archive"] {
        let place = format!("{kind}:a.tar");
        folder.run(&["build", "-q", "-f", recipe, "-o", &place]);
        assert_eq!(folder.run(&["config", "show", &place]), expected);
        let ended = folder.run_with(&["config", "check", &place, "-"], crate::contract::test_image::MANIFEST);
        assert_eq!((ended.status, ended.stdout.as_str()), (0, ""));
        let whole = fs::read(folder.folder().join("a.tar")).unwrap();
        folder.file("cut.tar", &whole[..whole.len() / 2]);
        let (status, line) = said(&folder, &format!("{kind}:cut.tar"));
        assert_eq!((status, line.as_str()), (1, "error: cannot read `cut.tar`: it is truncated"));
        folder.file("no.tar", "this is no tar".repeat(100));
        let (status, line) = said(&folder, &format!("{kind}:no.tar"));
        assert_eq!(
            (status, line.as_str()),
            (1, "error: cannot read `no.tar`: a header has a wrong checksum, so it is not a tar archive")
        );
    }
}

#[test]
fn unsupported_image_locations_have_a_hint() {
    let folder = TestFolder::new();
    copy(&folder);
    let ended = folder.run(&["config", "show", "dir:a"]);
    let expected = "error: `dir:a` is not a valid image location: images cannot be read with this transport\n\n\
                    hint: write `docker://NAME[:TAG]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (2, expected));
    folder.file("m.yaml", crate::contract::test_image::MANIFEST);
    let ended = folder.run(&["config", "check", "x", "m.yaml"]);
    assert_eq!(
        ended.stderr,
        "error: `x` is not a valid image location: it has no transport such as `oci:`\n\nhint: write `oci:x` for an image layout\n"
    );
    assert_eq!(ended.status, 2);
}

#[test]
fn reports_platforms_with_different_contracts() {
    let folder = TestFolder::new();
    let mut index =
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []});
    for (architecture, port) in [("amd64", 1), ("arm64", 2)] {
        let label = json!({"version": 1, "ports": [format!("{port}/tcp")]}).to_string();
        let config = json!({"os": "linux", "architecture": architecture, "config": {"Labels": {"io.coracle.config.v1": label}}});
        layout(&folder, config.to_string().as_bytes());
        let one: Value =
            serde_json::from_slice(&fs::read(folder.folder().join("y/index.json")).unwrap()).unwrap();
        index["manifests"].as_array_mut().unwrap().push(one["manifests"][0].clone());
    }
    let nested = put(&folder, index.to_string().as_bytes(), "index");
    folder.file("y/index.json", json!({"schemaVersion": 2, "manifests": [nested]}).to_string());
    let ended = folder.run(&["config", "show", "oci:y"]);
    let expected = "error: cannot read `oci:y`: the label `io.coracle.config.v1` of its image for linux/amd64 differs from that for linux/arm64\n\n\
                    hint: choose one with `--platform linux/amd64`\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (1, expected));
    let ended = folder.run(&["config", "show", "oci:y", "--platform", "linux/arm64"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (0, "ports  2/tcp\n"));
    let ended = folder.run(&["config", "show", "oci:y", "--platform", "linux/s390x"]);
    let expected = "error: cannot read `oci:y`: it has no image for linux/s390x\n\nhint: it has linux/amd64, linux/arm64\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (1, expected));
}

#[test]
fn reads_docker_archives() {
    let folder = TestFolder::new();
    let label = json!({"version": 1, "ports": ["1/tcp"]}).to_string();
    let config = json!({"os": "linux", "architecture": "amd64", "config": {"Labels": {"io.coracle.config.v1": label}}});
    folder.file("d/config.json", config.to_string());
    folder.file("d/one/layer.tar", [0; 1024]);
    let entry =
        |layer: &str| json!([{"Config": "config.json", "RepoTags": ["a:1"], "Layers": [layer]}]).to_string();
    let pack = |entry: String| {
        folder.file("d/manifest.json", entry);
        let mut tar = Command::new("tar");
        tar.args(["-C", "d", "-cf", "d.tar", "config.json", "one", "manifest.json"]);
        assert!(tar.current_dir(folder.folder()).status().unwrap().success());
    };
    pack(entry("one/layer.tar"));
    let ended = folder.run(&["config", "show", "docker-archive:d.tar:1"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (0, "ports  1/tcp\n"));
    let ended = folder.run_with(&["resolve", "-", "--image", "a=docker-archive:d.tar"], "image: a\n");
    assert!(ended.status == 1 && ended.stderr.contains("has no digest"), "{}", ended.stderr);
    let ended = folder.run_with(
        &["config", "check", "docker-archive:d.tar", "-"],
        "{kind: Pod, spec: {containers: [{name: a}]}}",
    );
    assert_eq!(
        (ended.status, ended.stderr.as_str()),
        (0, "Pod/, container `a` matches the contract of docker-archive:d.tar\n")
    );
    pack(entry("../../etc/passwd"));
    let ended = folder.run_with(
        &["config", "check", "docker-archive:d.tar", "-"],
        "{kind: Pod, spec: {containers: [{name: a}]}}",
    );
    assert!(ended.stderr.contains("layer 0, `../../etc/passwd`: it is missing"), "{}", ended.stderr);
}
