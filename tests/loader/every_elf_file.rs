//! Compares the closures of all ELF files of this machine with the real loaders: objects, order,
//! paths and missing names must be equal.
//!
//! `CORACLE_CORPUS=DIR:DIR` adds directories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::listing::Listing;
use coracle_core::file_system::HostFs;
use coracle_core::path::RawPath;
use coracle_ld::closure::{Error, ExecutedKind, LinkMap, MapReason, ResolveOptions, Resolver};

/// Directories in which distributions install ELF files. Links are not followed, so each file has
/// its own path.
const DIRECTORIES: &[&str] = &["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/usr/local", "/opt"];

/// The result of comparing one file.
enum Comparison {
    Equal,
    Different {
        ours: Listing,
        loaders: Listing,
    },
    /// The loader and we reject the file.
    Refused,
    /// There is no loader for it here, or it is not a program or library: a relocatable file, a core
    /// dump, firmware.
    Foreign,
}

#[test]
fn every_elf_file_maps_as_with_its_loader() {
    let files = elf_files();
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let comparisons: Vec<(&Path, Comparison, Duration)> = thread::scope(|scope| {
        let work = || {
            let (tree, options) = (HostFs::new("/"), ResolveOptions::default());
            let resolver = Resolver::new(&tree, &options);
            let files = std::iter::from_fn(|| files.get(next.fetch_add(1, Ordering::Relaxed)));
            files.map(|file| compare(&resolver, file)).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    report(&comparisons);
    let different: Vec<String> =
        comparisons.iter().filter_map(|(file, comparison, _)| difference(file, comparison)).collect();
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    let equal =
        comparisons.iter().filter(|(_, comparison, _)| matches!(comparison, Comparison::Equal)).count();
    assert!(equal > 50, "only {equal} files to compare with: is this a Linux with glibc?");
}

/// Returns all ELF files, each by one of its paths.
fn elf_files() -> Vec<PathBuf> {
    let more = corpus_directories();
    let mut directories: Vec<PathBuf> = DIRECTORIES.iter().map(PathBuf::from).chain(more).collect();
    let (mut files, mut seen) = (Vec::new(), BTreeSet::new());
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else { continue };
            if metadata.is_dir() {
                directories.push(path);
            } else if metadata.is_file() && seen.insert((metadata.dev(), metadata.ino())) && is_elf(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[expect(clippy::disallowed_methods, reason = "tests are asked for by the environment")]
fn corpus_directories() -> Vec<PathBuf> {
    let directories = std::env::var_os("CORACLE_CORPUS").unwrap_or_default();
    std::env::split_paths(&directories).filter(|path| !path.as_os_str().is_empty()).collect()
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

/// Compares one file. Returns the result and the time of our resolution.
fn compare<'a>(resolver: &Resolver<'_>, file: &'a Path) -> (&'a Path, Comparison, Duration) {
    let start = Instant::now();
    let traced = resolver.resolve_partial(&RawPath::new(file.to_str().unwrap()));
    let took = start.elapsed();
    let comparison = match &traced {
        Ok(closure) => match &closure.executed[0].kind {
            ExecutedKind::Elf(elf) => compare_with_loader(&elf.link_map, file),
            ExecutedKind::Script => unreachable!("it starts as ELF files do"),
        },
        Err(Error::NotExecutable { .. } | Error::MissingInterpreter { .. }) => Comparison::Foreign,
        Err(error) => match native_refusal(file) {
            Some(_) => Comparison::Refused,
            None => Comparison::Different {
                ours: Listing::Refused(error.to_string()),
                loaders: list_with_native_loader(file),
            },
        },
    };
    (file, comparison, took)
}

fn compare_with_loader(map: &LinkMap, file: &Path) -> Comparison {
    let Some(loader) = &map.loader else { return compare_without_needed(file) };
    let interpreter = map.objects.iter().find(|object| object.reason == MapReason::Interpreter);
    let interpreter = interpreter.unwrap().raw_path.to_string();
    let loaders = match loader.is_glibc() {
        true => list_with_glibc(&interpreter, file),
        false => list_with_musl(&interpreter, file),
    };
    let Some(loaders) = loaders else { return Comparison::Foreign };
    match (Listing::ours(map), loaders) {
        (Listing::Refused(_), Listing::Refused(_)) => Comparison::Refused,
        (ours, loaders) if ours == loaders => Comparison::Equal,
        (ours, loaders) => Comparison::Different { ours, loaders },
    }
}

/// Compares a file without dependencies: the loader must list no libraries.
fn compare_without_needed(file: &Path) -> Comparison {
    let compare_without_needed = Listing::Maps { paths: Vec::new(), missing: Vec::new() };
    match list_with_native_loader(file) {
        Listing::Refused(_) => Comparison::Refused,
        loaders if loaders == compare_without_needed => Comparison::Equal,
        loaders => Comparison::Different { ours: compare_without_needed, loaders },
    }
}

/// Returns the listing of glibc's loader; `None` if it can't run here.
fn list_with_glibc(interpreter: &str, file: &Path) -> Option<Listing> {
    let mut trace = Command::new(interpreter);
    let output = trace.arg(file).env_clear().env("LD_TRACE_LOADED_OBJECTS", "1").output().ok()?;
    Some(Listing::glibc(&output))
}

fn list_with_musl(interpreter: &str, file: &Path) -> Option<Listing> {
    let output = Command::new(interpreter).arg("--list").arg(file).env_clear().output().ok()?;
    Some(Listing::musl(&output))
}

/// Returns the listing of this machine's loader.
fn list_with_native_loader(file: &Path) -> Listing {
    list_with_glibc("/lib64/ld-linux-x86-64.so.2", file)
        .unwrap_or_else(|| Listing::Refused("no loader".into()))
}

fn native_refusal(file: &Path) -> Option<String> {
    match list_with_native_loader(file) {
        Listing::Refused(why) => Some(why),
        Listing::Maps { .. } => None,
    }
}

fn difference(file: &Path, comparison: &Comparison) -> Option<String> {
    let Comparison::Different { ours, loaders } = comparison else { return None };
    Some(format!("{}\n  ours   {ours:?}\n  loader {loaders:?}", file.display()))
}

/// Prints the table of results to stderr, which the test harness does not capture.
fn report(comparisons: &[(&Path, Comparison, Duration)]) {
    let mut rows: BTreeMap<String, [usize; 6]> = BTreeMap::new();
    for (file, comparison, took) in comparisons {
        let column = match comparison {
            Comparison::Equal => 1,
            Comparison::Different { .. } => 2,
            Comparison::Refused => 3,
            Comparison::Foreign => 4,
        };
        let above = DIRECTORIES.iter().find(|directory| file.starts_with(directory));
        for row in [above.map_or("CORACLE_CORPUS", |above| above), "total"] {
            let row = rows.entry(row.to_owned()).or_default();
            row[0] += 1;
            row[column] += 1;
            row[5] += usize::try_from(took.as_micros()).unwrap();
        }
    }
    let mut table = format!(
        "{:16} {:>7} {:>9} {:>7} {:>10} {:>8} {:>8} {:>13}\n",
        "", "files", "compared", "equal", "different", "refused", "foreign", "microseconds"
    );
    for (name, [files, equal, different, refused, foreign, took]) in rows {
        let (compared, each) = (equal + different, took / files);
        table += &format!(
            "{name:16} {files:7} {compared:9} {equal:7} {different:10} {refused:8} {foreign:8} {each:13}\n"
        );
    }
    std::io::stderr().write_all(table.as_bytes()).unwrap();
}
