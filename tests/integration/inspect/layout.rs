//! Image layouts that are written by hand, as other tools and attackers write them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use coracle_core::digest::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A member of a tar: name, content, mode and mtime.
pub(crate) struct Member<'a>(pub(crate) &'a str, pub(crate) &'a [u8], pub(crate) u32, pub(crate) u64);

pub(crate) fn tar(members: &[Member<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for Member(name, content, mode, time) in members {
        let mut header = tar::Header::new_ustar();
        header.set_mode(*mode);
        header.set_mtime(*time);
        header.set_size(content.len() as u64);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A layout with one image.
pub(crate) struct Layout(TempDir);

impl Layout {
    /// Writes an image of these layers, with `config` as the `config` of its config.
    pub(crate) fn new(layers: &[(&str, Vec<u8>)], config: Value) -> Self {
        let config = json!({"architecture": "amd64", "os": "linux", "config": config});
        Self::with_config(layers, CONFIG, &config)
    }

    pub(crate) fn with_config(layers: &[(&str, Vec<u8>)], kind: &str, config: &Value) -> Self {
        let layout = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(layout.path().join("blobs/sha256")).unwrap();
        let config = layout.add(kind, config.to_string().as_bytes());
        let layers: Vec<Value> = layers.iter().map(|(kind, bytes)| layout.add(kind, bytes)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": layers,
        });
        let manifest =
            layout.add("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes());
        let index = json!({"schemaVersion": 2, "manifests": [manifest]}).to_string();
        std::fs::write(layout.path().join("index.json"), index).unwrap();
        std::fs::write(layout.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        layout
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn location(&self) -> String {
        format!("oci:{}", self.path().display())
    }

    pub(crate) fn blob(&self, bytes: &[u8]) -> PathBuf {
        self.path().join("blobs/sha256").join(Digest::compute(bytes).hex())
    }

    fn add(&self, kind: &str, bytes: &[u8]) -> Value {
        std::fs::write(self.blob(bytes), bytes).unwrap();
        json!({"mediaType": kind, "digest": Digest::compute(bytes).to_string(), "size": bytes.len()})
    }
}

/// The result of a command: exit code, stdout and stderr.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Fails unless the command ended with `code`.
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }
}

/// Runs `coracle` with these arguments.
pub(crate) fn coracle(args: &[&str]) -> Ended {
    let output = Command::new(coracle_testing::program("coracle")).args(args).output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Builds an image of `program` in a new layout.
pub(crate) fn build(program: &str, flags: &[&str]) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let location = format!("oci:{}", directory.path().join("image.oci").display());
    let args = [&["build", program, "-t", "app:1", "--no-cache", "-q", "-o", &location], flags].concat();
    coracle(&args).with_code(0);
    (directory, location)
}
