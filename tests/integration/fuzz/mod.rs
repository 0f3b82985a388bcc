//! Runs every file of `fuzz/seeds`, and mutations of it, through its fuzz target. An input with which a
//! fuzzer fails becomes a file there.

mod mutations;
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

/// The same mutations in every run. `FUZZ_ROUNDS` sets their number, `FUZZ_TARGET` selects one target.
#[test]
#[allow(clippy::disallowed_methods, reason = "these variables are options of this test alone")]
fn no_target_fails_on_mutated_seeds() {
    let rounds = std::env::var("FUZZ_ROUNDS").map_or(100, |rounds| rounds.parse().unwrap());
    let selected = std::env::var("FUZZ_TARGET").ok();
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, target) in targets::TARGETS {
        if selected.as_ref().is_some_and(|selected| selected != name) {
            continue;
        }
        let entries = fs::read_dir(corpora.join(name)).unwrap();
        let mut seeds: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        seeds.sort();
        let seeds: Vec<Vec<u8>> = seeds.iter().map(|path| fs::read(path).unwrap()).collect();
        let failing = std::env::temp_dir().join(format!("coracle-fuzz-{name}-{}", std::process::id()));
        for mutated in mutations::mutations(&seeds, rounds) {
            if std::panic::catch_unwind(|| target(&mutated)).is_err() {
                fs::write(&failing, &mutated).unwrap();
                panic!("{name} fails with {}: move it to fuzz/seeds/{name}", failing.display());
            }
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
