//! `verify --rebuild`: an image is the same again, and each kind of difference is found and named.

use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use coracle_core::digest::Digest;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

use super::{fail, succeed};

/// A directory with a recipe, and the layout `app.oci` of it.
fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::copy("/usr/bin/env", at.join("app")).unwrap();
    fs::write(at.join("coracle.toml"), "[image]\nprograms = [\"app\"]\n").unwrap();
    succeed(at, &["build", "-q", "-o", "oci:app.oci"]);
    folder
}

#[test]
fn an_image_is_the_same_again() {
    let folder = project();
    let at = folder.path();
    succeed(at, &["verify", "oci:app.oci", "--rebuild", "-q"]);
    succeed(at, &["verify", "oci:app.oci", "--rebuild", "-f", "coracle.toml", "--whole", "--sound", "-q"]);
    fs::write(at.join("other.toml"), "[image]\nprograms = [\"app\"]\nuser = 7\n").unwrap();
    let said = fail(at, 4, &["verify", "oci:app.oci", "--rebuild", "-f", "other.toml"]);
    assert!(
        said.contains("config: `/config/User` is \"65532\"") || said.contains("`/config/User` is"),
        "{said}"
    );
    let said = fail(at, 4, &["verify", "oci:app.oci", "--rebuild", "--epoch", "1"]);
    assert!(said.contains("config: `/created` is"), "{said}");
    let said = fail(at, 2, &["verify", "oci:app.oci", "--rebuild", "-f", "absent.toml"]);
    assert!(said.contains("absent.toml"), "{said}");
}

/// An image in a layout that can be changed.
struct Editor<'a> {
    folder: &'a Path,
    manifest: Value,
    config: Value,
}

impl Editor<'_> {
    fn blob(folder: &Path, digest: &Value) -> Vec<u8> {
        let digest: Digest = digest.as_str().unwrap().parse().unwrap();
        fs::read(folder.join("app.oci/blobs/sha256").join(digest.hex())).unwrap()
    }

    fn put(&self, bytes: &[u8]) -> (Value, Value) {
        let digest = Digest::compute(bytes);
        fs::write(self.folder.join("app.oci/blobs/sha256").join(digest.hex()), bytes).unwrap();
        (digest.to_string().into(), bytes.len().into())
    }

    fn tar(&self, layer: usize) -> Vec<u8> {
        let mut tar = Vec::new();
        let blob = Self::blob(self.folder, &self.manifest["layers"][layer]["digest"]);
        MultiGzDecoder::new(Cursor::new(blob)).read_to_end(&mut tar).unwrap();
        tar
    }

    /// Replaces the blob of a layer by its tar, compressed anew.
    fn put_layer(&mut self, layer: usize, tar: &[u8]) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(tar).unwrap();
        let (digest, size) = self.put(&encoder.finish().unwrap());
        let entry = &mut self.manifest["layers"][layer];
        (entry["digest"], entry["size"]) = (digest, size);
    }

    /// Changes the members of a layer.
    fn edit_layer(&mut self, layer: usize, edit: impl FnOnce(&mut Vec<(tar::Header, Vec<u8>)>)) {
        let bytes = self.tar(layer);
        let mut archive = tar::Archive::new(Cursor::new(&bytes));
        let mut members: Vec<(tar::Header, Vec<u8>)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let (header, mut content) = (entry.header().clone(), Vec::new());
                entry.read_to_end(&mut content).unwrap();
                (header, content)
            })
            .collect();
        edit(&mut members);
        let mut tar = tar::Builder::new(Vec::new());
        for (mut header, content) in members {
            header.set_cksum();
            tar.append(&header, Cursor::new(content)).unwrap();
        }
        let tar = tar.into_inner().unwrap();
        self.config["rootfs"]["diff_ids"][layer] = Digest::compute(&tar).to_string().into();
        self.put_layer(layer, &tar);
    }
}

/// Plants a difference in the image, and returns what `verify --rebuild` says of it.
fn planted(change: impl FnOnce(&mut Editor<'_>)) -> String {
    let folder = project();
    let at = folder.path();
    let index_path = at.join("app.oci/index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&index_path).unwrap()).unwrap();
    let json = |digest: &Value| serde_json::from_slice::<Value>(&Editor::blob(at, digest)).unwrap();
    let manifest = json(&index["manifests"][0]["digest"]);
    let config = json(&manifest["config"]["digest"]);
    let mut editor = Editor { folder: at, manifest, config };
    change(&mut editor);
    let (digest, size) = editor.put(editor.config.to_string().as_bytes());
    (editor.manifest["config"]["digest"], editor.manifest["config"]["size"]) = (digest, size);
    let (digest, size) = editor.put(editor.manifest.to_string().as_bytes());
    (index["manifests"][0]["digest"], index["manifests"][0]["size"]) = (digest, size);
    fs::write(index_path, index.to_string()).unwrap();
    // The image itself is whole: only building it again shows the difference.
    succeed(at, &["verify", "oci:app.oci", "--whole", "-q"]);
    fail(at, 4, &["verify", "oci:app.oci", "--rebuild"])
}

fn is_file(path: &str, header: &tar::Header) -> bool {
    header.path().unwrap().to_string_lossy().ends_with(path) && header.entry_type().is_file()
}

#[test]
fn each_planted_difference_is_found_and_named() {
    let flip = |name: &'static str, layer: usize| {
        planted(move |image| {
            image.edit_layer(layer, |members| {
                let (_, content) = members.iter_mut().find(|(header, _)| is_file(name, header)).unwrap();
                let middle = content.len() / 2;
                content[middle] ^= 1;
            });
        })
    };
    let said = flip("app/app", 1);
    assert!(said.contains("`/app/app` has the digest sha256:"), "{said}");
    let said = flip("libc.so.6", 0);
    assert!(said.contains("/libc.so.6` has the digest sha256:"), "{said}");
    let said = planted(|image| {
        image.edit_layer(0, |members| {
            let (header, _) = members.iter_mut().find(|(header, _)| is_file("libc.so.6", header)).unwrap();
            header.set_mode(0o4755);
        });
    });
    assert!(said.contains("/libc.so.6` has the mode 4755, and 0755 when built here"), "{said}");
    let said = planted(|image| image.edit_layer(0, |members| members.reverse()));
    assert!(said.contains("layer 1: its entries are in another order"), "{said}");
    let said = planted(|image| {
        image.edit_layer(1, |members| {
            let (header, content) = members.last().unwrap().clone();
            let mut header = header;
            header.set_path("app/planted").unwrap();
            members.push((header, content));
        });
    });
    assert!(said.contains("`/app/planted` in layer 2 is not packed when built here"), "{said}");
    let said = planted(|image| image.config["config"]["Env"] = serde_json::json!(["LD_PRELOAD=/x"]));
    assert!(said.contains(r#"config: `/config/Env` is ["LD_PRELOAD=/x"], and "#), "{said}");
    let said = planted(|image| {
        let tar = image.tar(0);
        image.put_layer(0, &tar);
    });
    assert!(said.contains("layer 1: the same files, compressed differently"), "{said}");
}
