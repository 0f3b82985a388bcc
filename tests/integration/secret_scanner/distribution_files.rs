//! Files of distributions are accepted: programs, libraries, and files that are included as
//! assets.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use coracle::rootfs::{Entry, EntryNode, EntryReason, LayerKind, Owner};
use coracle_core::content::Content;
use coracle_core::content_scanner::ContentScanner as _;
use coracle_core::file_system::HostFs;
use coracle_core::path::ImagePath;
use coracle_scan::{Finding, ForbiddenContents, SecretScanner};
use coracle_testing::requirement::variable;
use coracle_testing::skipped;

use crate::secret_scanner::project::Project;

const WANTED: usize = 1000;
/// Larger files take long, and have nothing that smaller ones have not.
const LARGEST: u64 = 300_000;

/// Every regular file below `folders` by its path, links not followed.
fn files(folders: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => pending.push(entry.path()),
                Ok(metadata) if metadata.is_file() && (1..LARGEST).contains(&metadata.size()) => {
                    found.push(entry.path());
                }
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Returns the findings in `file` if it is packed for `reason`.
fn findings(file: &Path, reason: EntryReason) -> Vec<Finding> {
    let bytes = std::fs::read(file).unwrap();
    let mut scanner = SecretScanner::new(ForbiddenContents::default());
    let entry = Entry { reason, ..included_file() };
    let mut scan = scanner.start_scan(&image_path(file), &entry).expect("files of the user are scanned");
    bytes.chunks(1 << 16).for_each(|chunk| scan.update(chunk));
    scan.finish();
    scanner.findings().to_vec()
}

/// As many of `files` as are wanted, from all of them.
fn spread(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let step = (files.len() / WANTED).max(1);
    files.into_iter().step_by(step).take(WANTED).collect()
}

fn is_elf(path: &PathBuf) -> bool {
    let mut start = [0; 4];
    let file = std::fs::File::open(path);
    file.is_ok_and(|mut file| std::io::Read::read_exact(&mut file, &mut start).is_ok())
        && start == *b"\x7fELF"
}

#[track_caller]
fn none_is_refused(files: &[PathBuf], reason: &EntryReason) {
    if files.len() < WANTED {
        return skipped(&format!("there are only {} of {WANTED} files", files.len()));
    }
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| findings(file, reason.clone()))
        .map(|finding| format!("{:?} {finding}", finding.severity))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(files.len(), WANTED);
}

#[test]
fn finds_nothing_in_a_thousand_programs_and_libraries() {
    let elf: Vec<PathBuf> =
        files(&["/usr/bin", "/usr/sbin", "/usr/lib"]).into_iter().filter(is_elf).collect();
    none_is_refused(&spread(elf), &EntryReason::Program);
}

/// Coracle has the forms of tokens and the headers of keys in its data.
#[test]
fn builds_an_image_of_coracle_itself() {
    let (code, said) = Project::new().build(&[env!("CARGO_BIN_EXE_coracle")]);
    assert_eq!((code, said.contains("possible configuration or secrets")), (Some(0), false), "{said}");
}

/// The sources of published crates have keys for tests, but no tokens and no passwords.
#[test]
fn finds_only_keys_in_a_thousand_files_of_crates() {
    let home = variable("CARGO_HOME")
        .map_or_else(|| PathBuf::from(variable("HOME").unwrap()).join(".cargo"), PathBuf::from);
    let sources = files(&[home.join("registry/src").to_str().unwrap()]);
    if sources.len() < WANTED {
        return skipped(&format!("there are only {} of {WANTED} files", sources.len()));
    }
    let entry = included_file();
    let paths: Vec<ImagePath> = sources.iter().map(|file| image_path(file)).collect();
    let mut scanner = SecretScanner::new(ForbiddenContents::default());
    scanner.scan_plan(paths.iter().map(|path| (path, &entry)), &HostFs::new("/"));
    for file in spread(sources) {
        let mut scan = scanner.start_scan(&image_path(&file), &entry).unwrap();
        scan.update(&std::fs::read(&file).unwrap());
        scan.finish();
    }
    let unexpected: Vec<String> = scanner
        .findings()
        .iter()
        .filter(|finding| finding.offset.is_some() && finding.rule != "private-key")
        .map(ToString::to_string)
        .collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

fn image_path(file: &Path) -> ImagePath {
    ImagePath::parse(file.as_os_str().as_bytes()).unwrap()
}

fn included_file() -> Entry {
    Entry {
        node: EntryNode::File(Content::from_bytes(Vec::new())),
        owner: Owner::ROOT,
        mode: 0o644,
        modified: 0,
        reason: EntryReason::Included("/srv".into()),
        layer_kind: LayerKind::Data,
    }
}

/// Kinds of files that come with programs.
const ASSETS: [&str; 34] = [
    "html", "css", "js", "svg", "png", "gif", "jpg", "ico", "json", "txt", "md", "xml", "py", "pm", "pl",
    "rb", "lua", "php", "tcl", "vim", "ttf", "otf", "pfb", "afm", "mo", "po", "gz", "map", "tex", "theme",
    "desktop", "awk", "sh", "csv",
];

#[test]
fn finds_nothing_in_a_thousand_assets() {
    let all = files(&["/usr/share", "/usr/lib"]);
    let mut kinds: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for file in all {
        let extension = file.extension().and_then(OsStr::to_str).unwrap_or_default();
        let kind = ASSETS.iter().find(|kind| **kind == extension);
        let is_zone = file.starts_with("/usr/share/zoneinfo") || file.starts_with("/usr/share/locale");
        if let Some(kind) = kind.copied().or(is_zone.then_some("zone")) {
            kinds.entry(kind).or_default().push(file);
        }
    }
    // A kind that has few files does not leave its place empty.
    let mut chosen: Vec<PathBuf> = Vec::new();
    let mut rounds: Vec<_> = kinds.into_values().map(Vec::into_iter).collect();
    while chosen.len() < WANTED && rounds.iter().any(|files| files.len() > 0) {
        chosen.extend(rounds.iter_mut().filter_map(Iterator::next));
    }
    chosen.truncate(WANTED);
    let included = EntryReason::Included("/usr".into());
    none_is_refused(&chosen, &included);
}
