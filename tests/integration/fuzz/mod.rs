//! Runs every file of `fuzz/seeds` through its fuzz target. An input with which a fuzzer fails
//! becomes a file there.

mod targets;

use std::fs;
use std::path::Path;

#[test]
fn every_seed_runs() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, target) in targets::TARGETS {
        let corpus = fs::read_dir(corpora.join(name)).unwrap();
        let files: Vec<_> = corpus.map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            // If a target panics, this is the last line of its output.
            #[allow(clippy::print_stdout, reason = "the harness shows it if the test fails")]
            {
                println!("{}", file.display());
            }
            target(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_target_has_a_fuzzer_and_seeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |directory: &str| -> Vec<String> {
        let entries = fs::read_dir(root.join(directory)).unwrap();
        let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<String> = entries.map(|entry| stem(&entry.unwrap().path())).collect();
        names.sort();
        names
    };
    let mut targets: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    targets.sort_unstable();
    assert_eq!(names("fuzz/seeds"), targets);
    assert_eq!(names("fuzz/fuzz_targets"), targets);
}
