//! Caches whose files were written by other jobs of a CI system.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tests::{files, open, pack};
use super::*;
use crate::layer::{Codec, Compression};
use coracle_core::digest::Digest;

/// Replaces the only stored layer by `blob`, under a file name that fits.
fn plant(cache: &Path, blob: &[u8]) {
    let [kept] = files(cache).try_into().unwrap();
    let name = kept.file_name().unwrap().to_str().unwrap().to_owned();
    let (diff_id, _) = name.split_once('-').unwrap();
    fs::remove_file(&kept).unwrap();
    fs::write(kept.with_file_name(format!("{diff_id}-{}", Digest::compute(blob).hex())), blob).unwrap();
}

#[test]
fn uses_no_layer_with_other_contents_or_frames() {
    let home = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    for codec in [Codec::Gzip, Codec::Zstd] {
        let compression = Compression { codec, level: None };
        let cache = BuildCache::open(&home.path().join(codec.to_string()), "test").unwrap();
        let (_, blob) = pack(&cache, &["one", "two"], compression);
        let (_, malicious) = pack(&open(&other), &["one", "TWO"], compression);
        let (_, uncompressed) =
            pack(&open(&other), &["one", "two"], Compression { codec: Codec::None, level: None });
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0][..], &blob].concat();
        for planted in [malicious, uncompressed, skippable] {
            plant(&home.path().join(codec.to_string()), &planted);
            // `pack` compares the layer with one that is packed without a cache.
            pack(&cache, &["one", "two"], compression);
            let [kept] = files(&home.path().join(codec.to_string())).try_into().unwrap();
            assert_eq!(fs::read(kept).unwrap(), blob, "{codec}");
        }
        assert!(cache.take_warning().is_none());
    }
}

fn key_directory(cache: &Path) -> PathBuf {
    files(cache)[0].parent().unwrap().to_owned()
}

#[test]
fn neither_follows_links_nor_waits_for_pipes() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("cache");
    fs::create_dir(home.path().join("precious")).unwrap();
    let precious = home.path().join("precious/file");
    fs::write(&precious, "mine").unwrap();
    let cache = open(&home);
    let (layer, _) = pack(&cache, &["one", "two"], Compression::default());
    let directory = key_directory(&root);
    // An unfinished file, a layer and the lock that lead elsewhere.
    symlink(&precious, directory.join("part")).unwrap();
    let [kept] = files(&directory)
        .into_iter()
        .filter(|path| !path.is_symlink())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    fs::remove_file(&kept).unwrap();
    symlink(&precious, &kept).unwrap();
    assert_eq!(pack(&cache, &["one", "two"], Compression::default()).0, layer);
    fs::remove_file(directory.join("lock")).unwrap();
    assert!(Command::new("mkfifo").arg(directory.join("lock")).status().unwrap().success());
    assert_eq!(pack(&cache, &["one", "two"], Compression::default()).0, layer);
    fs::remove_file(directory.join("lock")).unwrap();
    assert_eq!(fs::read_to_string(&precious).unwrap(), "mine");
    // A directory of a cache key that is a link.
    symlink(home.path().join("precious"), directory.with_file_name("0".repeat(64))).unwrap();
    cache.prune(0).unwrap();
    assert_eq!(fs::read_to_string(&precious).unwrap(), "mine");
}

#[test]
fn refuses_a_cache_whose_directories_are_links() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("cache");
    drop(open(&home));
    fs::rename(root.join("v1/layers"), home.path().join("layers")).unwrap();
    symlink(home.path().join("layers"), root.join("v1/layers")).unwrap();
    let error = BuildCache::open(&root, "test").unwrap_err().to_string();
    assert_eq!(error, format!("cannot use `{}`", root.join("v1/layers").display()));
}
