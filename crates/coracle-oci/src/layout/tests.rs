//! Whole images in layouts and archives, checked by [`verify`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::image::{Image, ImageConfig, ImageSet, InheritedBase};
use crate::layer::{Compression, Layer, PackRequest};
use coracle_core::content::Content;
use coracle_core::content_scanner::NoScanner;
use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind, Owner};
use coracle_core::fs::{self, Durability};
use coracle_core::hint::Hint as _;
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use coracle_core::reference::ImageReference;

/// A temporary directory for layouts and archives.
pub(super) struct Sandbox {
    home: TempDir,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(super) fn destination(&self, text: &str) -> DiskLocation {
        let (transport, rest) = text.split_once(':').unwrap();
        format!("{transport}:{}", self.path(rest).display()).parse().unwrap()
    }

    /// Builds an image of one program and writes it to `destination`.
    pub(super) fn build(
        &self,
        program: &str,
        names: &[&str],
        destination: &str,
    ) -> Result<(ImageSet, Vec<LayoutWarning>), LayoutError> {
        let destination = self.destination(destination);
        let staging = Staging::new(&destination, Durability::Unsynced)?;
        let root = root(&[image(&staging, program, "amd64")]);
        let warnings = write_image(&root, &staging, references(names).as_slice().into(), &destination)?;
        Ok((root, warnings))
    }

    pub(super) fn blobs(&self, layout: &str) -> usize {
        fs::list_directory(&self.path(layout).join("blobs/sha256")).unwrap().len()
    }

    /// Returns the tags of the layout's entries, `-` for none.
    pub(super) fn tags(&self, layout: &str) -> Vec<String> {
        let index = json_at(&self.path(layout).join("index.json"));
        let tag = |entry: &Value| {
            entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or("-").to_owned()
        };
        index["manifests"].as_array().unwrap().iter().map(tag).collect()
    }

    pub(super) fn assert_sound(&self, layout: &str) {
        assert_eq!(verify_layout(&self.path(layout)).unwrap(), []);
        assert_eq!(names_in(&self.path(layout)), ["blobs", "index.json", "oci-layout"]);
    }
}

pub(super) fn names_in(directory: &Path) -> Vec<String> {
    fs::list_directory(directory).unwrap().into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
}

pub(super) fn json_at(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(super) fn references(names: &[&str]) -> Vec<ImageReference> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn layer(staging: &Staging, path: &str, content: &str, kind: LayerKind) -> Layer {
    let (node, owner) = (EntryNode::File(Content::from_bytes(content)), Owner::ROOT);
    let entry =
        Entry { node, owner, mode: 0o755, modified: 0, reason: EntryReason::Program, layer_kind: kind };
    let path: ImagePath = path.parse().unwrap();
    let entries = [(&path, &entry)];
    let (compression, progress) = (Compression::default(), &());
    staging
        .pack_layer(&PackRequest { entries: &entries, kind, compression, progress }, None, &mut NoScanner)
        .unwrap()
}

fn image(staging: &Staging, program: &str, architecture: &str) -> Image {
    let layers = [
        layer(staging, "/lib", "libraries", LayerKind::Libraries),
        layer(staging, "/app", program, LayerKind::Program),
    ];
    let config = ImageConfig { entrypoint: vec!["/app".into()], ..ImageConfig::default() };
    Image::new(&config, &Platform::linux(architecture, None), &InheritedBase::default(), &layers, 0).unwrap()
}

fn root(images: &[Image]) -> ImageSet {
    ImageSet::new(images.to_vec()).unwrap()
}

#[test]
fn writes_a_new_layout_without_other_files() {
    let sandbox = Sandbox::new();
    let (root, warnings) = sandbox.build("one", &["shop", "ghcr.io/acme/shop:1"], "oci:a/b/x").unwrap();
    sandbox.assert_sound("a/b/x");
    assert_eq!((sandbox.blobs("a/b/x"), warnings), (4, vec![]));
    let descriptor = |tag: &str, full: &str| {
        json!({
            "annotations": {"io.containerd.image.name": full, "org.opencontainers.image.ref.name": tag},
            "digest": root.digest().to_string(),
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "platform": {"architecture": "amd64", "os": "linux"},
            "size": root.descriptor().size,
        })
    };
    let shop = descriptor("latest", "docker.io/library/shop:latest");
    let manifests = json!([shop, descriptor("1", "ghcr.io/acme/shop:1")]);
    let index =
        json!({"manifests": manifests, "mediaType": crate::image::media_type::INDEX, "schemaVersion": 2});
    assert_eq!(json_at(&sandbox.path("a/b/x/index.json")), index);
    assert_eq!(names_in(sandbox.home.path()), ["a"]);
}

#[test]
fn keeps_other_tags_and_removes_unused_blobs() {
    let sandbox = Sandbox::new();
    sandbox.build("one", &["shop:1"], "oci:x").unwrap();
    sandbox.build("two", &["shop:2"], "oci:x").unwrap();
    assert_eq!((sandbox.tags("x"), sandbox.blobs("x")), (vec!["1".into(), "2".into()], 7));
    sandbox.build("three", &[], "oci:x").unwrap();
    sandbox.build("four", &[], "oci:x").unwrap();
    assert_eq!((sandbox.tags("x"), sandbox.blobs("x")), (vec!["1".into(), "2".into(), "-".into()], 10));
    sandbox.build("two", &["other"], "oci:x:1").unwrap();
    assert_eq!((sandbox.tags("x"), sandbox.blobs("x")), (vec!["1".into(), "2".into(), "-".into()], 7));
    std::fs::write(sandbox.path("x/blobs/sha256/note"), "not a blob").unwrap();
    sandbox.build("two", &[], "oci:x").unwrap();
    assert_eq!(sandbox.blobs("x"), 5);
    sandbox.assert_sound("x");
}

#[test]
fn keeps_blobs_of_nested_indexes() {
    let sandbox = Sandbox::new();
    let destination = sandbox.destination("oci:x");
    let staging = Staging::new(&destination, Durability::Unsynced).unwrap();
    let both = root(&[image(&staging, "one", "amd64"), image(&staging, "two", "arm64")]);
    write_image(&both, &staging, references(&["multi"]).as_slice().into(), &destination).unwrap();
    drop(staging);
    sandbox.build("one", &[], "oci:x:single").unwrap();
    assert_eq!(sandbox.blobs("x"), 3 + 4 + 1);
    sandbox.assert_sound("x");
}

#[test]
fn removes_nothing_if_a_document_is_missing() {
    let sandbox = Sandbox::new();
    let (old, _) = sandbox.build("one", &["shop:1"], "oci:x").unwrap();
    std::fs::remove_file(sandbox.path("x/blobs/sha256").join(old.digest().hex())).unwrap();
    sandbox.build("two", &["shop:2"], "oci:x").unwrap();
    let (_, warnings) = sandbox.build("three", &["shop:2"], "oci:x").unwrap();
    let digest = old.digest().to_string();
    assert_eq!(warnings, [LayoutWarning::UnusedBlobsKept { directory: sandbox.path("x"), digest }]);
    assert_eq!(sandbox.blobs("x"), 9);
}

#[test]
fn check_rejects_paths_that_are_not_layouts() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("file"), "").unwrap();
    for (name, files) in [
        ("full", &[("precious", "")][..]),
        ("old", &[("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#)]),
        ("broken", &[("oci-layout", "{")]),
        ("index", &[("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#), ("index.json", "[]")]),
    ] {
        std::fs::create_dir(sandbox.path(name)).unwrap();
        files.iter().for_each(|(file, text)| std::fs::write(sandbox.path(name).join(file), text).unwrap());
    }
    for (name, why) in [
        ("file", "it is not a directory"),
        ("full", "it contains other files but no `oci-layout`"),
        ("old", "the version in its `oci-layout` is not 1.0"),
        ("broken", "its `oci-layout` is not JSON (EOF while parsing an object at line 1 column 1)"),
        ("index", "its `index.json` has no array `manifests`"),
    ] {
        let error = sandbox.destination(&format!("oci:{name}")).check_writable().unwrap_err();
        let message = format!("cannot write a layout to `{}`: {why}", sandbox.path(name).display());
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn writes_to_empty_directories_and_layouts_without_index() {
    let sandbox = Sandbox::new();
    for name in ["empty", "begun"] {
        std::fs::create_dir(sandbox.path(name)).unwrap();
    }
    std::fs::write(sandbox.path("begun/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    for (name, destination) in [("empty", "oci:empty"), ("begun", "oci:begun:v1")] {
        sandbox.build("one", &[], destination).unwrap();
        sandbox.assert_sound(name);
    }
}

#[test]
fn failure_keeps_previous_content() {
    let sandbox = Sandbox::new();
    sandbox.build("one", &["shop"], "oci:old").unwrap();
    let before = std::fs::read(sandbox.path("old/index.json")).unwrap();
    for destination in ["oci:old", "oci:a/new", "oci-archive:a/x.tar"] {
        let destination = sandbox.destination(destination);
        let staging = Staging::new(&destination, Durability::Unsynced).unwrap();
        let root = root(&[image(&staging, "two", "amd64")]);
        let lost = root.images()[0].packed_layers()[1].digest;
        std::fs::remove_file(staging.blob_path(lost)).unwrap();
        write_image(&root, &staging, ImageNames::default(), &destination).unwrap_err();
    }
    assert_eq!(names_in(sandbox.home.path()), ["old"]);
    assert_eq!(std::fs::read(sandbox.path("old/index.json")).unwrap(), before);
    assert_eq!(verify_layout(&sandbox.path("old")).unwrap(), []);
}

#[test]
fn concurrent_builds_keep_all_images() {
    let sandbox = Sandbox::new();
    let tags: Vec<String> = (0..8).map(|number| format!("shop:{number}")).collect();
    std::thread::scope(|scope| {
        for tag in &tags {
            let sandbox = &sandbox;
            scope.spawn(move || sandbox.build(tag, &[tag], "oci:x").unwrap());
        }
    });
    let mut found = sandbox.tags("x");
    found.sort();
    assert_eq!(found, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(sandbox.blobs("x"), 1 + 8 * 3);
    sandbox.assert_sound("x");
}

/// Returns the names and contents of an archive's members, in their order.
fn members(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let member = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        (String::from_utf8_lossy(&entry.path_bytes()).into_owned(), content)
    };
    archive.entries().unwrap().map(member).collect()
}

#[test]
fn publishes_to_several_destinations() {
    let sandbox = Sandbox::new();
    let destinations = ["oci:x", "oci:y", "oci:x", "oci-archive:o.tar", "docker-archive:d.tar"]
        .map(|text| sandbox.destination(text));
    let staging = Staging::new(&destinations[0], Durability::Unsynced).unwrap();
    let root = root(&[image(&staging, "one", "amd64")]);
    for destination in &destinations {
        write_image(&root, &staging, references(&["shop:1"]).as_slice().into(), destination).unwrap();
    }
    drop(staging);
    assert_eq!(names_in(sandbox.home.path()), ["d.tar", "o.tar", "x", "y"]);
    sandbox.assert_sound("x");
    sandbox.assert_sound("y");
    let members = members(&sandbox.path("o.tar"));
    assert!(members.is_sorted());
    let docker: BTreeMap<String, Vec<u8>> = self::members(&sandbox.path("d.tar")).into_iter().collect();
    assert!(members.iter().all(|(name, bytes)| name == "index.json" || docker[name] == *bytes));
    let files: BTreeMap<String, Vec<u8>> = members.into_iter().collect();
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(manifest[0]["RepoTags"], json!(["docker.io/library/shop:1"]));
    let image = &root.images()[0];
    assert_eq!(files[manifest[0]["Config"].as_str().unwrap()], image.config().bytes());
    let layers = manifest[0]["Layers"].as_array().unwrap();
    assert_eq!(files[layers[1].as_str().unwrap()].len() as u64, image.packed_layers()[1].size);
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    assert_eq!(index, json_at(&sandbox.path("x/index.json")));
    // For engines, Docker's archive names the image by its digest, too.
    let index: Value = serde_json::from_slice(&docker["index.json"]).unwrap();
    let names = index["manifests"].as_array().unwrap().iter().map(|entry| &entry["annotations"]);
    let names: Vec<&str> = names.map(|names| names["io.containerd.image.name"].as_str().unwrap()).collect();
    let by_digest = format!("docker.io/library/shop@{}", root.digest());
    assert_eq!(names, ["docker.io/library/shop:1", &by_digest]);
}

#[test]
fn only_oci_archives_support_several_platforms() {
    let sandbox = Sandbox::new();
    let destination = sandbox.destination("oci-archive:o.tar");
    let staging = Staging::new(&destination, Durability::Unsynced).unwrap();
    let root = root(&[image(&staging, "one", "amd64"), image(&staging, "two", "arm64")]);
    write_image(&root, &staging, ImageNames::default(), &destination).unwrap();
    assert!(members(&sandbox.path("o.tar")).iter().all(|(name, _)| name != "manifest.json"));
    let destination = sandbox.destination("docker-archive:d.tar");
    let error = write_image(&root, &staging, ImageNames::default(), &destination).unwrap_err();
    assert_eq!(error.hint(), Some(format!("write `oci-archive:{}`", sandbox.path("d.tar").display())));
}

#[test]
fn verify_finds_every_mismatch() {
    let sandbox = Sandbox::new();
    let (root, _) = sandbox.build("one", &["shop"], "oci:x").unwrap();
    let blob = |digest: coracle_core::digest::Digest| sandbox.path("x/blobs/sha256").join(digest.hex());
    let [libraries, program] = root.images()[0].packed_layers() else { panic!("two layers were built") };
    std::fs::copy(blob(libraries.digest), blob(program.digest)).unwrap();
    let mut config: Value = serde_json::from_slice(root.images()[0].config().bytes()).unwrap();
    config["history"] = json!([]);
    let config_digest = root.images()[0].config().descriptor().digest;
    std::fs::write(blob(config_digest), serde_json::to_vec_pretty(&config).unwrap()).unwrap();
    let found: Vec<String> =
        verify_layout(&sandbox.path("x")).unwrap().iter().map(LayoutProblem::to_string).collect();
    let wanted = [
        format!("the content of the blob `{config_digest}` has the digest"),
        format!("the content of the blob `{}` has the digest `{}`", program.digest, libraries.digest),
        format!("the blob `{config_digest}` has "),
        format!("`{config_digest}` is not sorted, compact JSON"),
        format!("layer 1 of `{}` unpacks to `{}`", root.digest(), libraries.diff_id),
        format!("`{}` has 2 layers, but its config has 2 diff IDs and 0 history entries", root.digest()),
    ];
    for wanted in wanted {
        assert!(found.iter().any(|found| found.starts_with(&wanted)), "{wanted} in {found:#?}");
    }
    std::fs::write(blob(libraries.digest), "this is no gzip stream").unwrap();
    std::fs::remove_file(blob(config_digest)).unwrap();
    let found: Vec<String> =
        verify_layout(&sandbox.path("x")).unwrap().iter().map(LayoutProblem::to_string).collect();
    assert!(found.contains(&format!("the blob `{config_digest}` is missing")), "{found:#?}");
    assert!(
        found.contains(&format!("`{}` cannot be read: invalid gzip header", libraries.digest)),
        "{found:#?}"
    );
}

#[test]
fn traces_detect_replaced_images() {
    let sandbox = Sandbox::new();
    for to in ["oci:x", "oci-archive:x.tar", "docker-archive:y.tar"] {
        let (one, _) = sandbox.build("one", &["shop:1"], to).unwrap();
        sandbox.build("two", &["shop:1"], to).unwrap();
        let traces = || {
            let mut traces = OutputStamp::default();
            traces
                .add_image(&one, references(&["shop:1"]).as_slice().into(), &sandbox.destination(to))
                .unwrap();
            traces.index_stamps
        };
        assert!(!traces().iter().all(IndexStamp::are_index_entries_current), "{to}");
        sandbox.build("one", &["shop:1"], to).unwrap();
        assert!(traces().iter().all(IndexStamp::are_index_entries_current), "{to}");
    }
}
