//! Scans files and directories as included files of an image: prints a line for each finding, and
//! then how many files and bytes were scanned in which time.
//!
//!     cargo run --release -p coracle-scan --example scan -- DIRECTORY...

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use coracle_core::content::Content;
use coracle_core::content_scanner::ContentScanner as _;
use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind, Owner};
use coracle_core::file_system::HostFs;
use coracle_core::path::ImagePath;
use coracle_scan::{Finding, ForbiddenContents, SecretScanner, Severity};

/// The size of the blocks that layers are packed in.
const BLOCK: usize = 1 << 20;

fn main() {
    let mut files = Vec::new();
    for argument in std::env::args_os().skip(1) {
        visit(Path::new(&argument), &mut files);
    }
    let entry = Entry {
        node: EntryNode::File(Content::from_bytes(Vec::new())),
        owner: Owner::ROOT,
        mode: 0o644,
        modified: 0,
        reason: EntryReason::Included(String::new()),
        layer_kind: LayerKind::Data,
    };
    let entries: Vec<(ImagePath, &Entry)> =
        files.iter().filter_map(|file| Some((image_path(file)?, &entry))).collect();
    let mut scanner = SecretScanner::new(ForbiddenContents::default());
    scanner.scan_plan(entries.iter().map(|(path, entry)| (path, *entry)), &HostFs::new("/"));
    let (mut bytes, mut time) = (0, Duration::ZERO);
    for (file, (path, entry)) in files.iter().zip(&entries) {
        let Ok(content) = std::fs::read(file) else {
            eprintln!("cannot read {}", file.display());
            continue;
        };
        bytes += content.len();
        let start = Instant::now();
        if let Some(mut scan) = scanner.start_scan(path, entry) {
            content.chunks(BLOCK).for_each(|block| scan.update(block));
            scan.finish();
        }
        time += start.elapsed();
    }
    let in_content = |finding: &&Finding| finding.offset.is_some();
    let mut rejected = BTreeSet::new();
    for finding in scanner.findings().iter().filter(in_content) {
        let is_error = finding.severity == Severity::Error;
        if is_error {
            rejected.insert(&finding.subject);
        }
        println!("{}: {finding}", if is_error { "error" } else { "warning" });
    }
    let (rejected, files, seconds) = (rejected.len(), files.len(), time.as_secs_f64());
    println!("{rejected} of {files} files rejected; {bytes} bytes in {seconds:.2} s");
}

fn image_path(path: &Path) -> Option<ImagePath> {
    ImagePath::parse(std::path::absolute(path).ok()?.as_os_str().as_bytes()).ok()
}

/// Adds every regular file at or below `path`, sorted by name.
fn visit(path: &Path, files: &mut Vec<PathBuf>) {
    let Ok(metadata) = path.symlink_metadata() else { return eprintln!("cannot read {}", path.display()) };
    if metadata.is_file() {
        files.push(path.to_owned());
    } else if metadata.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| visit(entry, files));
    }
}
