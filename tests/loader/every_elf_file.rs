//! The closure of every ELF file of this machine, compared with its real loader: the same objects
//! in the same order with the same paths, and the same missing names.
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

/// Where distributions install ELF files. Links among them are not followed, so each file is met by its own path.
const DIRECTORIES: &[&str] = &["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/usr/local", "/opt"];

/// How one file fared.
enum Fate {
    Equal,
    Different {
        ours: Listing,
        loaders: Listing,
    },
    /// The loader takes no such file, and neither do we.
    Refused,
    /// There is no loader for it here, or it is no file that loaders take: relocatable, a core dump, firmware.
    Foreign,
}

#[test]
fn every_elf_file_maps_as_with_its_loader() {
    let files = elf_files();
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let fates: Vec<(&Path, Fate, Duration)> = thread::scope(|scope| {
        let work = || {
            let (tree, around) = (HostFs::new("/"), ResolveOptions::default());
            let tracer = Resolver::new(&tree, &around);
            let files = std::iter::from_fn(|| files.get(next.fetch_add(1, Ordering::Relaxed)));
            files.map(|file| compare(&tracer, file)).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    report(&fates);
    let different: Vec<String> = fates.iter().filter_map(|(file, fate, _)| difference(file, fate)).collect();
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    let equal = fates.iter().filter(|(_, fate, _)| matches!(fate, Fate::Equal)).count();
    assert!(equal > 50, "only {equal} files to compare with: is this a Linux with glibc?");
}

/// Every ELF file, by one of its names.
fn elf_files() -> Vec<PathBuf> {
    let more = corpus();
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
fn corpus() -> Vec<PathBuf> {
    let directories = std::env::var_os("CORACLE_CORPUS").unwrap_or_default();
    std::env::split_paths(&directories).filter(|path| !path.as_os_str().is_empty()).collect()
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

/// One file under both eyes, and how long ours took.
fn compare<'a>(tracer: &Resolver<'_>, file: &'a Path) -> (&'a Path, Fate, Duration) {
    let start = Instant::now();
    let traced = tracer.resolve_partial(&RawPath::new(file.to_str().unwrap()));
    let took = start.elapsed();
    let fate = match &traced {
        Ok(closure) => match &closure.executed[0].kind {
            ExecutedKind::Elf(elf) => judge(&elf.link_map, file),
            ExecutedKind::Script => unreachable!("it starts as ELF files do"),
        },
        Err(Error::NotExecutable { .. } | Error::MissingInterpreter { .. }) => Fate::Foreign,
        Err(error) => match refusal(file) {
            Some(_) => Fate::Refused,
            None => Fate::Different { ours: Listing::Refused(error.to_string()), loaders: native(file) },
        },
    };
    (file, fate, took)
}

fn judge(map: &LinkMap, file: &Path) -> Fate {
    let Some(loader) = &map.loader else { return alone(file) };
    let interpreter = map.objects.iter().find(|object| object.reason == MapReason::Interpreter);
    let interpreter = interpreter.unwrap().raw_path.to_string();
    let loaders = match loader.is_glibc() {
        true => trace(&interpreter, file),
        false => list(&interpreter, file),
    };
    let Some(loaders) = loaders else { return Fate::Foreign };
    match (Listing::ours(map), loaders) {
        (Listing::Refused(_), Listing::Refused(_)) => Fate::Refused,
        (ours, loaders) if ours == loaders => Fate::Equal,
        (ours, loaders) => Fate::Different { ours, loaders },
    }
}

/// For a file that needs nothing, so that we look for no loader: the loader must find nothing to map either.
fn alone(file: &Path) -> Fate {
    let alone = Listing::Maps { paths: Vec::new(), missing: Vec::new() };
    match native(file) {
        Listing::Refused(_) => Fate::Refused,
        loaders if loaders == alone => Fate::Equal,
        loaders => Fate::Different { ours: alone, loaders },
    }
}

/// What glibc's loader says, given the file's own path. Nothing where the loader itself can't run here.
fn trace(interpreter: &str, file: &Path) -> Option<Listing> {
    let mut trace = Command::new(interpreter);
    let output = trace.arg(file).env_clear().env("LD_TRACE_LOADED_OBJECTS", "1").output().ok()?;
    Some(Listing::glibc(&output))
}

fn list(interpreter: &str, file: &Path) -> Option<Listing> {
    let output = Command::new(interpreter).arg("--list").arg(file).env_clear().output().ok()?;
    Some(Listing::musl(&output))
}

/// What the loader of this machine says of a file that we can't read.
fn native(file: &Path) -> Listing {
    trace("/lib64/ld-linux-x86-64.so.2", file).unwrap_or_else(|| Listing::Refused("no loader".into()))
}

fn refusal(file: &Path) -> Option<String> {
    match native(file) {
        Listing::Refused(why) => Some(why),
        Listing::Maps { .. } => None,
    }
}

fn difference(file: &Path, fate: &Fate) -> Option<String> {
    let Fate::Different { ours, loaders } = fate else { return None };
    Some(format!("{}\n  ours   {ours:?}\n  loader {loaders:?}", file.display()))
}

/// The table, past the test harness, which would keep it to itself.
fn report(fates: &[(&Path, Fate, Duration)]) {
    let mut rows: BTreeMap<String, [usize; 6]> = BTreeMap::new();
    for (file, fate, took) in fates {
        let column = match fate {
            Fate::Equal => 1,
            Fate::Different { .. } => 2,
            Fate::Refused => 3,
            Fate::Foreign => 4,
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
