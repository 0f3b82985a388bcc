//! Whole layers: pinned digests, independence of the number of cores, errors that end all threads.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use proptest::prelude::*;

use super::pack::pack_layer_with_cores;
use super::*;
use coracle_core::content::Content;
use coracle_core::content_scanner::NoScanner;
use coracle_core::digest::{DiffId, Digest};
use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind, Owner};
use coracle_core::fs::{self, PathMetadata};
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::progress::Progress;

type Entries = BTreeMap<ImagePath, Entry>;

fn entry(node: EntryNode, mode: u32) -> Entry {
    let (owner, reason) = (Owner::ROOT, EntryReason::Program);
    Entry { node, owner, mode, modified: 0, reason, layer_kind: LayerKind::Program }
}

/// Parses `/dir/`, `/link -> target`, `/second = /first`, `/file: content` and `/file:
/// content*times`.
fn entries(text: &str) -> Entries {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let node = |line: &str| {
        let parsed = |path: &str| path.parse::<ImagePath>().unwrap();
        if let Some((path, target)) = line.split_once(" -> ") {
            (parsed(path), entry(EntryNode::Symlink(RawPath::new(target)), 0o777))
        } else if let Some((path, first)) = line.split_once(" = ") {
            (parsed(path), entry(EntryNode::HardLink(parsed(first)), 0o755))
        } else if let Some((path, content)) = line.split_once(": ") {
            let (piece, times) = content.split_once('*').unwrap_or((content, "1"));
            let content = Content::from_bytes(piece.repeat(times.parse().unwrap()));
            (parsed(path), entry(EntryNode::File(content), 0o755))
        } else {
            (parsed(line), entry(EntryNode::Directory, 0o755))
        }
    };
    lines.map(node).collect()
}

/// Returns the layer and its blob.
fn packed(cores: usize, entries: &Entries) -> Result<(Layer, Vec<u8>), LayerError> {
    packed_as(Compression::default(), cores, entries)
}

fn request<'a>(entries: &'a [(&'a ImagePath, &'a Entry)], compression: Compression) -> PackRequest<'a> {
    PackRequest { entries, kind: LayerKind::Program, compression, progress: &() }
}

/// Counts the bytes of the tar.
#[derive(Default)]
struct ByteCounter(AtomicU64);

impl Progress for ByteCounter {
    fn advance(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

fn packed_as(
    compression: Compression,
    cores: usize,
    entries: &Entries,
) -> Result<(Layer, Vec<u8>), LayerError> {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("layer");
    let entries: Vec<_> = entries.iter().collect();
    let progress = ByteCounter::default();
    let packed = pack_layer_with_cores(
        cores,
        &PackRequest { progress: &progress, ..request(&entries, compression) },
        &out,
        &mut NoScanner,
    );
    match &packed {
        Ok(layer) => assert_eq!(progress.0.into_inner(), layer.unpacked_size),
        Err(_) => assert!(!out.exists()),
    }
    packed.map(|layer| (layer, std::fs::read(&out).unwrap()))
}

fn unpacked(blob: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    MultiGzDecoder::new(blob).read_to_end(&mut tar).unwrap();
    tar
}

fn assert_sound(layer: &Layer, blob: &[u8]) {
    let tar = match layer.media_type.rsplit('+').next() {
        Some("gzip") => unpacked(blob),
        Some("zstd") => zstd::decode_all(blob).unwrap(),
        _ => blob.to_vec(),
    };
    assert_eq!((layer.digest, layer.size), (Digest::compute(blob), blob.len() as u64));
    assert_eq!((layer.diff_id, layer.unpacked_size), (DiffId::new(Digest::compute(&tar)), tar.len() as u64));
}

/// A changed diff ID is a breaking change; a changed digest with the same diff ID means that the
/// compressor's output changed.
#[test]
fn matches_pinned_digests() {
    let long = format!("/{0}/\n/{0}/{0}: x\n/link -> {0}/{0}", "n".repeat(90));
    let usr_merge = "/usr/\n/usr/lib/\n/usr/lib/a: a\n/usr/lib/b = /usr/lib/a\n/lib -> usr/lib";
    let pinned = [
        (
            "",
            "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
            "1fd9b01700e5fcc1adaa1d234d1a6d21f7048f08fea1062d7f3ed08ff2c1a1d5",
        ),
        (
            "/\n/app/\n/app/hello: hello",
            "1294a4f035cc397e707a6be85ac17c5bce5cc28ca51540457c14357b86d20923",
            "2978bf6a4a20fcd90d04900ab0ae07102fa72e77752ef7068c5fda9c744bd4e4",
        ),
        (
            usr_merge,
            "be2a91d33665e72d0a6f48289e7883850b8f060c95fe2e978e10643a57a696d4",
            "b1b945d2518e858c2532d79476e30aa9fa5ec9dcbb7051b60e871e6190f8d26c",
        ),
        (
            &long,
            "a0155d8cddd4ed71276534fc17808faef5214db0c4d87e477ab7a23233247e45",
            "050b73c3d16de57ec9fff2746eec166f5c42e475135d706422bf901f8e6fbae1",
        ),
        (
            "/large: 0123456789abcdef*65536\n/small: s",
            "dded6d19e0c9af929ebf85e54e8e5277e6b4e4375986bcdf6cc1e29deea465e9",
            "8ff70b468338979b2d072980e9bcb7a5d0e2f2d3439ca2c0f680b8a29a4939ce",
        ),
    ];
    let found = pinned.map(|(text, ..)| {
        let (layer, blob) = packed(2, &entries(text)).unwrap();
        assert_sound(&layer, &blob);
        (text, layer.diff_id.to_string(), layer.digest.to_string())
    });
    let pinned =
        pinned.map(|(text, diff_id, digest)| (text, format!("sha256:{diff_id}"), format!("sha256:{digest}")));
    assert_eq!(found, pinned);
}

/// All codecs pack the same tar. A changed digest means that an encoder's output changed.
#[test]
fn matches_pinned_digests_for_every_codec() {
    let text = "/large: 0123456789abcdef*400000\n/small: s";
    let pinned = [
        ("gzip", "b61976bd35b844defba5f977b4cc7fb0779b15f26873c439ece847fba72bf379"),
        ("gzip:1", "e99a049f0adbcbf9616c7c086247a63a1787c9832c4b6aa9a8e2a46f87d4bfbd"),
        ("zstd", "91c30dedd9c8dba2380b02b588b32541b28ca7a4e1672c15610c9789ab06f961"),
        ("zstd:1", "29a18317fe4b4a06ef0e65f5a391bd0375698cf39e806cb451fe1f72140380f8"),
        ("none", "1b8cf7d91d579dc3c50c299a4aff0939a1167493306ff2d942508def330d65b8"),
    ];
    let gzip = packed(1, &entries(text)).unwrap().0;
    let found = pinned.map(|(compression, _)| {
        let compression: Compression = compression.parse().unwrap();
        let [one, two] = [1, 2].map(|cores| packed_as(compression, cores, &entries(text)).unwrap());
        assert_eq!(one, two);
        let (layer, blob) = one;
        assert_sound(&layer, &blob);
        assert_eq!((layer.diff_id, layer.unpacked_size), (gzip.diff_id, gzip.unpacked_size));
        (compression.to_string(), layer.digest.hex())
    });
    assert_eq!(found, pinned.map(|(compression, digest)| (compression.to_owned(), digest.to_owned())));
}

#[test]
fn sorts_members_by_path_and_omits_the_root() {
    let text = "/\n/a.b/\n/a/\n/a/c: c\n/a/d = /a/c\n/z -> a";
    let (_, blob) = packed(1, &entries(text)).unwrap();
    let tar = unpacked(&blob);
    let mut archive = ::tar::Archive::new(tar.as_slice());
    let names = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let link = entry.link_name_bytes().map(|link| format!(" {}", String::from_utf8_lossy(&link)));
        format!("{}{}", String::from_utf8_lossy(&entry.path_bytes()), link.unwrap_or_default())
    });
    assert_eq!(names.collect::<Vec<_>>(), ["a/", "a/c", "a/d a/c", "a.b/", "z a"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn bytes_do_not_depend_on_the_number_of_cores(sizes in proptest::collection::vec(0_usize..3_000_000, 1..6), seed: u64) {
        let mut state = seed | 1;
        let mut entries = Entries::new();
        for (index, size) in sizes.iter().enumerate() {
            let content: Vec<u8> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state.to_be_bytes()[0] & 0x1f
            }).take(*size).collect();
            entries.insert(format!("/f{index}").parse().unwrap(), entry(EntryNode::File(Content::from_bytes(content)), 0o644));
        }
        let (layer, blob) = packed(1, &entries).unwrap();
        assert_sound(&layer, &blob);
        for cores in [2, 3, 64] {
            prop_assert_eq!(&packed(cores, &entries).unwrap().0, &layer);
        }
    }
}

fn host_file(path: PathBuf) -> Content {
    let Some(PathMetadata::File(stat)) = fs::symlink_metadata(&path).unwrap() else {
        panic!("no file {}", path.display())
    };
    Content::from_host_file(path, stat)
}

#[test]
fn changed_file_ends_all_threads() {
    let directory = tempfile::tempdir().unwrap();
    for (name, size) in [("small", 10), ("large", 20_000_000)] {
        let path = directory.path().join(name);
        std::fs::write(&path, vec![b'x'; size]).unwrap();
        let content = host_file(path.clone());
        let mut entries = entries("/before: 0123456789abcdef*200000");
        entries.insert("/file".parse().unwrap(), entry(EntryNode::File(content), 0o644));
        std::fs::write(&path, "shorter").unwrap();
        let error = packed(2, &entries).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read `{}`", path.display()));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn full_disk_ends_all_threads() {
    let mut output = hashing_file_writer::HashingFileWriter::open_for_test(Path::new("/dev/full"));
    let entries = entries("/a: 0123456789abcdef*2000000");
    let entries: Vec<_> = entries.iter().collect();
    let plan = encoder::EncoderSettings::new(Compression::default(), tar_header::tar_size(&entries));
    let error = parallel_compression::compress_blocks(
        2,
        plan,
        tar_header::tar_size(&entries),
        &mut output,
        |blocks| tar_stream::write_tar(&entries, blocks, &(), &mut NoScanner),
    );
    assert_eq!(error.unwrap_err().to_string(), "cannot write `/dev/full`");
}

#[test]
fn rejects_existing_output_and_invalid_links() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("layer");
    std::fs::write(&out, "precious").unwrap();
    assert!(pack_layer(&request(&[], Compression::default()), &out, &mut NoScanner).is_err());
    assert_eq!(std::fs::read(&out).unwrap(), b"precious");
    let link = entries("/l -> a\0b");
    let error = packed(1, &link).unwrap_err();
    assert_eq!(error.to_string(), "cannot pack the link `/l`: its target contains a NUL byte");
}

#[test]
fn rejects_names_that_delete_files() {
    let file = entry(EntryNode::File(Content::from_bytes("x")), 0o644);
    for path in ["/.wh.a", "/srv/.wh.d/x", "/srv/.wh..wh..opq"] {
        let path: ImagePath = path.parse().unwrap();
        let packed = compute_diff_id(&[(&path, &file)], &(), &mut NoScanner);
        assert!(matches!(packed, Err(LayerError::WhiteoutName(_))), "{path}");
    }
}
