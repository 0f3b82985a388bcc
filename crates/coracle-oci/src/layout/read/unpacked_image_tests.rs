//! Reads layers of all compressions, layers that cannot be read, and damaged ones.

use std::io::Write as _;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::layout::DiskLocation;
use coracle_core::digest::Digest;
use coracle_core::file_system::{FileSystem as _, FsNode};
use coracle_core::path::ImagePath;

const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// Returns a tar of `NAME=CONTENT` files; `NAME>TARGET` is a hard link.
fn tar(members: &[&str]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o640);
        header.set_mtime(7);
        if let Some((name, target)) = member.split_once('>') {
            header.set_entry_type(tar::EntryType::Link);
            header.set_size(0);
            builder.append_link(&mut header, name, target).unwrap();
        } else {
            let (name, content) = member.split_once('=').unwrap();
            header.set_size(content.len() as u64);
            // `tar` refuses names that lead out of the archive.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An image layout with one image of these layers: media type, and the blob's bytes.
struct Layout(TempDir);

impl Layout {
    fn new(layers: &[(&str, Vec<u8>)]) -> Self {
        let layout = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(layout.0.path().join("blobs/sha256")).unwrap();
        let config = layout.add("c", b"{\"architecture\":\"amd64\",\"os\":\"linux\"}");
        let layers: Vec<Value> = layers.iter().map(|(kind, bytes)| layout.add(kind, bytes)).collect();
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers}).to_string();
        let manifest = layout.add("application/vnd.oci.image.manifest.v1+json", manifest.as_bytes());
        let index = json!({"schemaVersion": 2, "manifests": [manifest]}).to_string();
        std::fs::write(layout.0.path().join("index.json"), index).unwrap();
        layout
    }

    fn add(&self, kind: &str, bytes: &[u8]) -> Value {
        let digest = Digest::compute(bytes);
        std::fs::write(self.blob(&digest), bytes).unwrap();
        json!({"mediaType": kind, "digest": digest.to_string(), "size": bytes.len()})
    }

    fn blob(&self, digest: &Digest) -> std::path::PathBuf {
        self.0.path().join("blobs/sha256").join(digest.hex())
    }

    fn unpack(&self) -> UnpackedImage {
        let image = read_disk_image(&DiskLocation::layout(self.0.path().to_owned())).unwrap();
        let options = UnpackOptions {
            temp_dir: self.0.path(),
            keeps_content: &|header| header.name != b"unkept",
            hashes_files: true,
            known_layer: &|_| None,
            progress: &(),
        };
        image.unpack(&image.images[0], &options).unwrap()
    }
}

fn content(image: &UnpackedImage, path: &str) -> String {
    let path: ImagePath = path.parse().unwrap();
    match image.file_system.node(&path).unwrap() {
        Some(FsNode::File(file)) => {
            String::from_utf8(file.content.read_whole(path.as_bytes(), 1 << 20).unwrap()).unwrap()
        }
        node => format!("{node:?}"),
    }
}

#[test]
fn reads_layers_of_every_compression_and_merges_them() {
    let zstd = zstd::encode_all(tar(&["etc/.wh.b=", "etc/d>etc/a"]).as_slice(), 1).unwrap();
    let layout = Layout::new(&[
        (&format!("{TAR}+gzip"), gzip(&tar(&["etc/a=one", "etc/b=two", "unkept=zz"]))),
        (&format!("{TAR}+zstd"), zstd),
        (TAR, tar(&["etc/c=three"])),
    ]);
    let image = layout.unpack();
    assert_eq!([content(&image, "/etc/a"), content(&image, "/etc/d")], ["one", "one"]);
    assert_eq!(content(&image, "/etc/c"), "three");
    assert_eq!([content(&image, "/etc/b"), content(&image, "/unkept")], ["None", "None"]);
    let layer = &image.layers[0];
    assert_eq!(layer.unpacked_size, 4096);
    let shares: u64 = layer.members.iter().map(|member| member.compressed).sum();
    assert!(shares > 0 && shares <= layer.size, "{shares} of {}", layer.size);
    let header = &layer.members[0].header;
    assert_eq!((header.mode, header.modified, header.size), (0o640, 7, 3));
    assert_eq!(layer.members[0].digest, Some(Digest::compute(b"one")));
    assert!(image.layers.iter().all(|layer| layer.problem.is_none()));
}

#[test]
fn shares_of_an_uncompressed_layer_are_its_sizes() {
    let content = "x".repeat(100_000);
    let image = Layout::new(&[(TAR, tar(&[&format!("a={content}"), "b=1"]))]).unpack();
    let shares: Vec<u64> = image.layers[0].members.iter().map(|member| member.compressed).collect();
    assert_eq!(shares, [512 + 100_352, 1024]);
}

#[test]
fn unreadable_layers_do_not_hide_the_others() {
    let good = gzip(&tar(&["a=1"]));
    let mut cut = good.clone();
    cut.truncate(20);
    let layout = Layout::new(&[
        (&format!("{TAR}+gzip+encrypted"), b"secret".to_vec()),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", good.clone()),
        ("text/plain", b"notes".to_vec()),
        (&format!("{TAR}+gzip"), good),
        (&format!("{TAR}+gzip"), cut),
        (&format!("{TAR}+zstd"), b"no zstd at all".to_vec()),
        (TAR, b"no tar at all".to_vec()),
        (TAR, tar(&["../b=1"])),
        (TAR, tar(&["l>missing"])),
        (TAR, tar(&["c=1"])),
    ]);
    let image = layout.unpack();
    let damaged: Vec<Option<bool>> =
        image.layers.iter().map(|layer| layer.problem.as_ref().map(|problem| problem.is_damaged)).collect();
    let (other, damage) = (Some(false), Some(true));
    assert_eq!(damaged, [other, other, other, None, damage, damage, damage, damage, damage, None]);
    assert_eq!(content(&image, "/a"), "1");
    assert_eq!(content(&image, "/c"), "1");
    let problem = image.layers[0].problem.as_ref().unwrap();
    assert!(problem.why.starts_with("it is encrypted (`application/vnd.oci"), "{}", problem.why);
}

#[test]
fn a_blob_with_another_digest_is_damaged() {
    let tar = tar(&["a=1"]);
    let layout = Layout::new(&[(TAR, tar.clone())]);
    let mut other = tar.clone();
    other[512] = b'2';
    std::fs::write(layout.blob(&Digest::compute(&tar)), other).unwrap();
    let image = layout.unpack();
    let problem = image.layers[0].problem.clone().unwrap();
    assert!(problem.is_damaged && problem.why.contains("has the digest"), "{}", problem.why);
    assert_eq!(content(&image, "/a"), "None");
}
