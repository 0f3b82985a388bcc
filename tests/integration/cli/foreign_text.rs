//! Names, labels and platforms of others in all that is printed and written.

use std::fs;

use coracle_core::digest::Digest;
use coracle_core::escape::is_unsafe;
use serde_json::{Value, json};

use crate::build::project::Project;

/// Clears the screen, reorders the line, hides text, and starts a line that looks like one of Coracle's.
const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}2J\u{202e}\u{2066}\u{200b}\r\nhint: run sh";

/// Writes a layout whose platform, name, tags and label are hostile.
fn hostile_layout(project: &Project, name: &str, platform: &str) {
    let put = |bytes: String, kind: &str| -> Value {
        let digest = Digest::compute(bytes.as_bytes());
        project.file(&format!("{name}/blobs/sha256/{}", digest.hex()), &bytes);
        let kind = format!("application/vnd.oci.image.{kind}.v1+json");
        json!({"mediaType": kind, "digest": digest.to_string(), "size": bytes.len()})
    };
    let config = json!({"os": "linux", "architecture": platform, "rootfs": {"type": "layers", "diff_ids": []},
        "config": {"Labels": {"io.coracle.config.v1": HOSTILE}}});
    let config = put(config.to_string(), "config");
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": []}).to_string();
    let mut entry = put(manifest, "manifest");
    entry["annotations"] =
        json!({"io.containerd.image.name": HOSTILE, "org.opencontainers.image.ref.name": HOSTILE});
    let mut other = entry.clone();
    other["annotations"]["org.opencontainers.image.ref.name"] = format!("{HOSTILE}2").into();
    project.file(
        &format!("{name}/index.json"),
        json!({"schemaVersion": 2, "manifests": [entry, other]}).to_string(),
    );
    project.file(&format!("{name}/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
}

#[track_caller]
fn assert_escaped(text: &[u8], what: &str) {
    let text = std::str::from_utf8(text).unwrap();
    let found = text.chars().find(|c| is_unsafe(*c) && *c != '\n');
    assert_eq!(found, None, "{what}: {text:?}");
    assert!(!text.contains("\nhint: run sh"), "{what}: {text}");
}

#[test]
fn text_of_others_is_escaped_everywhere() {
    let project = Project::hello(&["-static"]);
    hostile_layout(&project, "hostile", HOSTILE);
    hostile_layout(&project, "base", "amd64");
    let hostile_path = format!("{}.oci", HOSTILE.replace([':', '/'], ""));
    project.file(&format!("assets/{HOSTILE}"), "1");
    fs::create_dir(project.path(&hostile_path)).unwrap();
    let at_hostile = format!("oci:{hostile_path}");
    let runs: [(&[&str], bool); 12] = [
        (&["index", "oci:joined", "oci:hostile"], true),
        (&["index", "oci:joined", "oci:hostile", "--format", "json"], true),
        (&["config", "show", "oci:hostile"], false),
        (&["config", "show", "oci:hostile:x"], false),
        (&["config", "check", "oci:hostile", "."], false),
        (&["copy", "oci:hostile:x", "oci:copied"], false),
        (&["copy", &at_hostile, "oci:copied"], false),
        (
            &[
                "build",
                "hello",
                "--base",
                "oci:base",
                "-o",
                "oci:based",
                "--summary",
                "s.md",
                "--dotenv",
                "d",
                "--metadata-file",
                "m.json",
            ],
            true,
        ),
        (&["build", "hello", "--base", "oci:base", "-o", "oci:based", "--dry-run"], true),
        (&["build", "hello", "--include", "assets:/srv", "--dry-run"], true),
        (&["build", "hello", "--include", "assets:/srv", "--dry-run", "--format", "json"], true),
        (&["build", "hello", "-o", &at_hostile, "--format", "json"], true),
    ];
    for (args, succeeds) in runs {
        let mut run = project.coracle([]);
        args.iter().for_each(|arg| run.more([*arg]));
        let output = run.command().output().unwrap();
        let what = format!("{args:?}");
        assert_eq!(output.status.success(), succeeds, "{what}: {}", String::from_utf8_lossy(&output.stderr));
        assert_escaped(&output.stdout, &what);
        assert_escaped(&output.stderr, &what);
    }
    for report in ["s.md", "d", "m.json"] {
        assert_escaped(&fs::read(project.path(report)).unwrap(), report);
    }
}
