//! Scans files and directories as included files of an image: prints a line for each finding, and
//! then how many files and bytes were scanned in which time.
//!
//!     cargo run --release -p coracle-scan --example scan -- DIRECTORY...

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use coracle_core::content::Content;
use coracle_core::content_scanner::ContentScanner as _;
use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind, Owner};
use coracle_core::path::ImagePath;
use coracle_scan::{ScanPolicy, SecretScanner, Severity};

/// The size of the blocks that layers are packed in.
const BLOCK: usize = 1 << 20;

fn main() {
    let mut totals = Totals::default();
    for argument in std::env::args_os().skip(1) {
        visit(Path::new(&argument), &mut |path| totals.add(path));
    }
    let Totals { files, bytes, rejected, time } = totals;
    let seconds = time.as_secs_f64();
    println!("{rejected} of {files} files rejected; {bytes} bytes in {seconds:.2} s");
}

#[derive(Default)]
struct Totals {
    files: u64,
    bytes: u64,
    rejected: u64,
    time: Duration,
}

impl Totals {
    fn add(&mut self, path: &Path) {
        let Some((image_path, bytes)) = read(path) else { return eprintln!("cannot read {}", path.display()) };
        let entry = Entry {
            node: EntryNode::File(Content::from_bytes(Vec::new())),
            owner: Owner::ROOT,
            mode: 0o644,
            reason: EntryReason::Included(String::new()),
            layer_kind: LayerKind::Data,
        };
        let mut scanner = SecretScanner::new(ScanPolicy::default());
        let start = Instant::now();
        if let Some(mut scan) = scanner.start_scan(&image_path, &entry) {
            bytes.chunks(BLOCK).for_each(|block| scan.update(block));
            scan.finish();
        }
        self.time += start.elapsed();
        self.files += 1;
        self.bytes += bytes.len() as u64;
        let findings = scanner.findings();
        self.rejected += u64::from(findings.iter().any(|finding| finding.severity == Severity::Error));
        for finding in findings {
            let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
            println!("{severity}: {finding}");
        }
    }
}

fn read(path: &Path) -> Option<(ImagePath, Vec<u8>)> {
    let absolute = std::path::absolute(path).ok()?;
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.read_to_end(&mut bytes).ok()?;
    Some((ImagePath::parse(absolute.as_os_str().as_bytes()).ok()?, bytes))
}

/// Calls `file` with every regular file at or below `path`, sorted by name.
fn visit(path: &Path, file: &mut dyn FnMut(&Path)) {
    let Ok(metadata) = path.symlink_metadata() else { return eprintln!("cannot read {}", path.display()) };
    if metadata.is_file() {
        file(path);
    } else if metadata.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| visit(entry, file));
    }
}
