use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::layer::{self, Codec, Compression, Layer, PackRequest};
use coracle_core::content::Content;
use coracle_core::content_scanner::NoScanner;
use coracle_core::digest::Digest;
use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind, Owner};
use coracle_core::fs;
use coracle_core::hint::Hint as _;
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::progress::Progress;

/// Returns layer entries with the given contents.
fn entries(contents: &[&str]) -> Vec<(ImagePath, Entry)> {
    let entry = |(index, content): (usize, &&str)| {
        let node = EntryNode::File(Content::from_bytes(*content));
        let reason = EntryReason::Needed { by: RawPath::new("/app"), rule: "a test".into() };
        let entry = Entry {
            node,
            owner: Owner::ROOT,
            mode: 0o755,
            modified: 0,
            reason,
            layer_kind: LayerKind::Libraries,
        };
        (format!("/lib/{index}.so").parse().unwrap(), entry)
    };
    contents.iter().enumerate().map(entry).collect()
}

fn request<'a>(entries: &'a [(&'a ImagePath, &'a Entry)], compression: Compression) -> PackRequest<'a> {
    PackRequest { entries, kind: LayerKind::Libraries, compression, progress: &() }
}

/// Cancels when it is asked for the fourth time.
#[derive(Default)]
struct CancelsAtFourthPoll(AtomicU64);

impl Progress for CancelsAtFourthPoll {
    fn is_cancelled(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= 3
    }
}

/// Packs a layer with these contents, and checks that the cache does not change it. Returns the
/// layer and its blob.
pub(super) fn pack(cache: &BuildCache, contents: &[&str], compression: Compression) -> (Layer, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let entries = entries(contents);
    let entries: Vec<(&ImagePath, &Entry)> = entries.iter().map(|(path, entry)| (path, entry)).collect();
    let layer = cache.pack_layer(&request(&entries, compression), &out, &mut NoScanner).unwrap();
    let again = folder.path().join("again");
    let fresh = layer::pack_layer(&request(&entries, compression), &again, &mut NoScanner).unwrap();
    assert_eq!(layer, fresh, "a cache changes nothing");
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&again).unwrap());
    (layer, std::fs::read(&out).unwrap())
}

/// Returns all files in `folder`, without locks.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in fs::list_directory(folder).unwrap() {
        let path = folder.join(fs::path_from_bytes(&name));
        if path.is_dir() {
            found.extend(files(&path));
        } else if name != b"lock" && name != b"CACHEDIR.TAG" {
            found.push(path);
        }
    }
    found
}

pub(super) fn open(home: &tempfile::TempDir) -> BuildCache {
    BuildCache::open(&home.path().join("cache"), "test").unwrap()
}

#[test]
fn packs_a_layer_once() {
    let home = tempfile::tempdir().unwrap();
    let cache = open(&home);
    let (layer, blob) = pack(&cache, &["one", "two"], Compression::default());
    let [kept] = files(&home.path().join("cache")).try_into().unwrap();
    assert_eq!(std::fs::read(&kept).unwrap(), blob);
    // The second build copies the stored file and does not replace it.
    let inode = fs::stat(&kept).unwrap().file_id;
    assert_eq!(pack(&cache, &["one", "two"], Compression::default()).0, layer);
    assert_eq!(fs::stat(&kept).unwrap().file_id, inode, "it was not packed again");
    // The same key with other contents, another size, another codec, another level.
    let zstd = Compression { codec: Codec::Zstd, level: None };
    let level = Compression { codec: Codec::Gzip, level: Some(1) };
    for (contents, compression, files_then) in [
        (&["one", "TWO"], Compression::default(), 2),
        (&["one", "three"], Compression::default(), 3),
        (&["one", "two"], zstd, 4),
        (&["one", "two"], level, 5),
        (&["one", "two"], Compression::default(), 5),
    ] {
        pack(&cache, contents, compression);
        assert_eq!(files(&home.path().join("cache")).len(), files_then);
    }
    assert!(cache.take_warning().is_none());
}

#[test]
fn replaces_damaged_blobs() {
    let home = tempfile::tempdir().unwrap();
    let cache = open(&home);
    let (_, blob) = pack(&cache, &["one", "two"], Compression::default());
    let [kept] = files(&home.path().join("cache")).try_into().unwrap();
    let mut flipped = blob.clone();
    flipped[20] ^= 1;
    for damaged in
        [&flipped, &blob[..blob.len() - 1].to_vec(), &Vec::new(), &[blob.clone(), vec![0]].concat()]
    {
        std::fs::write(&kept, damaged).unwrap();
        pack(&cache, &["one", "two"], Compression::default());
        assert_eq!(std::fs::read(&kept).unwrap(), blob);
    }
    // A directory at this path cannot be removed as a file. This is a warning only.
    std::fs::remove_file(&kept).unwrap();
    std::fs::create_dir(&kept).unwrap();
    pack(&cache, &["one", "two"], Compression::default());
    assert!(cache.take_warning().unwrap().to_string().contains("the images are correct"));
    assert!(cache.take_warning().is_none(), "the warning is returned once");
}

#[test]
fn returns_intact_records_only() {
    let home = tempfile::tempdir().unwrap();
    let cache = open(&home);
    let key = Digest::compute(b"key");
    assert_eq!(cache.read_record(key), None);
    cache.write_record(key, b"one");
    cache.write_record(key, b"two");
    assert_eq!(cache.read_record(key).as_deref(), Some(&b"two"[..]));
    let [kept] = files(&home.path().join("cache")).try_into().unwrap();
    let bytes = std::fs::read(&kept).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        std::fs::write(&kept, damaged).unwrap();
        assert_eq!(cache.read_record(key), None, "byte {at}");
        std::fs::write(&kept, &bytes[..at]).unwrap();
        assert_eq!(cache.read_record(key), None, "{at} bytes");
    }
    cache.remove_record(key);
    cache.remove_record(key);
    assert!(files(&home.path().join("cache")).is_empty());
    assert!(cache.take_warning().is_none());
}

#[test]
fn prunes_least_recently_used_first() {
    let home = tempfile::tempdir().unwrap();
    let sizes: Vec<u64> = ["a", "b", "c"]
        .map(|content| {
            // Each cache is opened at a later time.
            std::thread::sleep(std::time::Duration::from_millis(20));
            pack(&open(&home), &[content], Compression { codec: Codec::None, level: None }).0.size
        })
        .into();
    // The first is used again, so the second is the least recently used.
    std::thread::sleep(std::time::Duration::from_millis(20));
    pack(&open(&home), &["a"], Compression { codec: Codec::None, level: None });
    let cache = open(&home);
    let all: u64 = sizes.iter().sum();
    assert_eq!(
        cache.prune(all).unwrap(),
        PruneResult { removed_files: 0, freed_bytes: 0, remaining_bytes: all }
    );
    let pruned = cache.prune(all - 1).unwrap();
    assert_eq!(
        pruned,
        PruneResult { removed_files: 1, freed_bytes: sizes[1], remaining_bytes: all - sizes[1] }
    );
    let left: Vec<String> = files(&home.path().join("cache"))
        .iter()
        .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).matches(['a', 'c']).collect())
        .collect();
    assert!(left.iter().any(|text| text.contains('c')), "{left:?}");
    assert_eq!(cache.prune(0).unwrap().remaining_bytes, 0);
    assert!(fs::list_directory(&home.path().join("cache/v1/layers")).unwrap().is_empty());
}

#[test]
fn locked_layers_are_waited_for_and_not_pruned() {
    let home = tempfile::tempdir().unwrap();
    let cache = open(&home);
    pack(&cache, &["one"], Compression::default());
    let [kept] = files(&home.path().join("cache")).try_into().unwrap();
    let lock = lock_file::try_lock(&kept.with_file_name("lock")).unwrap().unwrap();
    assert_eq!(cache.prune(0).unwrap().removed_files, 0);
    let entries = entries(&["one"]);
    let entries: Vec<(&ImagePath, &Entry)> = entries.iter().map(|(path, entry)| (path, entry)).collect();
    // Waiting can be cancelled.
    let cancels_later = CancelsAtFourthPoll::default();
    let out = home.path().join("out");
    let packed = cache.pack_layer(
        &PackRequest { progress: &cancels_later, ..request(&entries, Compression::default()) },
        &out,
        &mut NoScanner,
    );
    assert!(matches!(packed, Err(layer::LayerError::Cancelled)));
    assert!(!out.exists());
    drop(lock);
    pack(&cache, &["one"], Compression::default());
}

#[cfg(unix)]
#[test]
fn requires_a_private_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("a/cache");
    BuildCache::open(&root, "test").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode(&root), mode(&root.join("v1/layers"))], [0o700, 0o700]);
    assert!(
        std::fs::read_to_string(root.join("v1/CACHEDIR.TAG"))
            .unwrap()
            .starts_with("Signature: 8a477f597d28d172")
    );
    for open_to in [0o701, 0o710, 0o722] {
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(open_to)).unwrap();
        let error = BuildCache::open(&root, "test").unwrap_err();
        assert!(error.to_string().contains("accessible to other users"), "{error}");
        assert!(error.hint().unwrap().contains("chmod 700"));
    }
}

#[test]
fn keeps_files_of_other_versions() {
    let home = tempfile::tempdir().unwrap();
    let other = home.path().join("cache/v0/layers/x");
    std::fs::create_dir_all(&other).unwrap();
    let set = std::fs::metadata(home.path().join("cache")).unwrap().permissions();
    #[cfg(unix)]
    let set = {
        use std::os::unix::fs::PermissionsExt as _;
        let mut set = set;
        set.set_mode(0o700);
        set
    };
    std::fs::set_permissions(home.path().join("cache"), set).unwrap();
    let cache = open(&home);
    pack(&cache, &["one"], Compression::default());
    cache.prune(0).unwrap();
    assert!(other.exists());
}
