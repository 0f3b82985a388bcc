//! The cost of single steps, without a process around them: `just bench-micro`.
//!
//! The content is real: curl and its libraries as an image holds them (19 MB on Debian 12), or this benchmark itself
//! where there is no curl. Whole builds, beside other tools, are measured by `benches/figures.sh`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a panic is how a benchmark fails")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use coracle::recipe::{Recipe, RecipeOverrides};
use coracle::rootfs::{Entry, EntryNode, EntryReason, LayerKind, Owner, Rootfs};
use coracle::{Built, Settings};
use coracle_core::content_scanner::NoScanner;
use coracle_core::digest::Digest;
use coracle_core::file_system::HostFs;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{Closure, ResolveOptions};
use coracle_oci::cache::BuildCache;
use coracle_oci::layer::{self, Compression, PackRequest};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use tempfile::TempDir;

fn main() {
    divan::main();
}

/// SHA-256 alone, which bounds everything that reads a layer.
#[divan::bench(args = [4 << 10, 1 << 20, 16 << 20])]
fn sha256(bencher: Bencher<'_, '_>, size: usize) {
    let bytes = vec![1; size];
    bencher.counter(BytesCount::new(size)).bench(|| Digest::compute(divan::black_box(&bytes)));
}

/// Headers of a tar, made and hashed; the long paths take a PAX header.
#[divan::bench(args = [40, 200])]
fn tar_heads(bencher: Bencher<'_, '_>, path_length: usize) {
    let entries: Vec<(ImagePath, Entry)> = (0..1000).map(|number| directory(number, path_length)).collect();
    let entries: Vec<(&ImagePath, &Entry)> = entries.iter().map(|(path, entry)| (path, entry)).collect();
    bencher
        .counter(ItemsCount::new(entries.len()))
        .bench(|| layer::layer_cache_key(&entries, Compression::default()));
}

/// The libraries' layer, from the files to a file, on all cores.
#[divan::bench(args = ["gzip", "gzip:12", "zstd", "none"], sample_count = 10, max_time = 15)]
fn pack(bencher: Bencher<'_, '_>, compression: &str) {
    let compression: Compression = compression.parse().unwrap();
    let rootfs = rootfs();
    let (stratum, entries) = largest_layer(&rootfs);
    bencher.counter(bytes_of(&entries)).with_inputs(|| tempfile::tempdir().unwrap()).bench_refs(|folder| {
        let out = folder.path().join("layer");
        let request = PackRequest { entries: &entries, kind: stratum, compression, progress: &() };
        layer::pack_layer(&request, &out, &mut NoScanner).unwrap()
    });
}

/// The same layer only read and hashed: what finding it in the cache costs.
#[divan::bench(sample_count = 20)]
fn diff_id(bencher: Bencher<'_, '_>) {
    let rootfs = rootfs();
    let (_, entries) = largest_layer(&rootfs);
    bencher
        .counter(bytes_of(&entries))
        .bench(|| layer::compute_diff_id(&entries, &(), &mut NoScanner).unwrap());
}

/// The closure of a program, in a tree that has not been looked at; of these, those that are installed.
#[divan::bench(args = installed(&["/bin/true", "/usr/bin/curl", "/usr/bin/node", "/usr/bin/ffmpeg"]))]
fn closure(bencher: Bencher<'_, '_>, program: &str) {
    let (program, around) = (RawPath::new(program), ResolveOptions::default());
    bencher
        .with_inputs(|| HostFs::new("/"))
        .bench_refs(|tree| Closure::resolve(tree, &program, &around).unwrap());
}

/// A plan: the closure, its checks, what no loader maps, and the closure again inside the plan.
#[divan::bench(sample_count = 20)]
fn plan() -> Rootfs {
    rootfs()
}

/// A build that finds its image unchanged.
#[divan::bench]
fn unchanged(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    build(&folder, &settings(&folder));
    bencher.with_inputs(|| settings(&folder)).bench_refs(|settings| {
        let built = build(&folder, settings);
        assert!(built.is_unchanged);
        built
    });
}

/// A build whose layers are all in the cache: they are read, hashed, and copied.
#[divan::bench(sample_count = 10)]
fn packed_before(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    let settings = || {
        let cache = BuildCache::open(&folder.path().join("cache"), "bench").unwrap().without_records();
        Settings { cache: Some(Arc::new(cache)), ..Settings::default() }
    };
    build(&folder, &settings());
    bencher.with_inputs(settings).bench_refs(|settings| build(&folder, settings));
}

/// The program whose image is made.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let curl = PathBuf::from("/usr/bin/curl");
    if curl.exists() { curl } else { std::env::current_exe().unwrap() }
});

fn installed(programs: &[&'static str]) -> Vec<&'static str> {
    programs.iter().copied().filter(|program| Path::new(program).exists()).collect()
}

fn recipe(destination: &Path) -> Recipe {
    let flags = RecipeOverrides {
        programs: vec![PROGRAM.clone().into()],
        names: vec!["bench".into()],
        destinations: vec![format!("oci:{}", destination.display())],
        ..RecipeOverrides::default()
    };
    Recipe::from_flags(&flags).unwrap()
}

fn rootfs() -> Rootfs {
    let plans = coracle::plan(&recipe(Path::new("bench.oci")), &Settings::default(), &()).unwrap();
    plans.into_iter().next().unwrap().rootfs
}

fn largest_layer(rootfs: &Rootfs) -> (LayerKind, Vec<(&ImagePath, &Entry)>) {
    let layers = rootfs.layer_kinds().into_iter().map(|stratum| (stratum, rootfs.layer_entries(stratum)));
    layers.max_by_key(|(_, entries)| size(entries)).unwrap()
}

fn size(entries: &[(&ImagePath, &Entry)]) -> u64 {
    let size = |entry: &Entry| if let EntryNode::File(content) = &entry.node { content.size() } else { 0 };
    entries.iter().map(|(_, entry)| size(entry)).sum()
}

fn bytes_of(entries: &[(&ImagePath, &Entry)]) -> BytesCount {
    BytesCount::new(usize::try_from(size(entries)).unwrap())
}

/// A directory whose path has `length` bytes.
fn directory(number: usize, length: usize) -> (ImagePath, Entry) {
    let path = format!("/{number:0>width$}", width = length - 1);
    let (node, owner, stratum) = (EntryNode::Directory, Owner::ROOT, LayerKind::Libraries);
    (
        path.parse().unwrap(),
        Entry {
            node,
            owner,
            mode: 0o755,
            modified: 0,
            reason: EntryReason::ParentOrLink,
            layer_kind: stratum,
        },
    )
}

fn settings(folder: &TempDir) -> Settings {
    let cache = BuildCache::open(&folder.path().join("cache"), "bench").unwrap();
    Settings { cache: Some(Arc::new(cache)), ..Settings::default() }
}

fn build(folder: &TempDir, settings: &Settings) -> Built {
    coracle::build(&recipe(&folder.path().join("bench.oci")), settings, &()).unwrap()
}
