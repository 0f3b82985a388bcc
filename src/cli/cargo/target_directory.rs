//! Finds cargo's target directory from the path of a program that it has built.

use std::path::{Path, PathBuf};

use super::cargo_build::BuiltProgram;
use super::targets;
use crate::cli::args::CargoArgs;
use crate::cli::cargo_workspace::read_cargo_metadata;

/// How many ancestors may be the target directory: it contains the profile's directory, possibly
/// below a target's, and programs may be in a subdirectory for examples.
const MAX_DEPTH: usize = 3;

/// Returns the profile's directory that contains `file`.
pub(super) fn profile_directory(file: &Path) -> &Path {
    let parent = file.parent().unwrap_or(Path::new(""));
    if parent.ends_with("examples") { parent.parent().unwrap_or(parent) } else { parent }
}

/// Returns the target directory that contains `program`.
pub(super) fn target_directory(program: &BuiltProgram, args: &CargoArgs) -> PathBuf {
    if let Some(directory) = &args.target_dir {
        return std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
    }
    let file = program.files.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
    let is_candidate =
        |directory: &&Path| is_cargo_directory(directory) && !is_named_after_target(directory, &args.targets);
    let marked: Vec<&Path> = file.ancestors().skip(2).take(MAX_DEPTH).filter(is_candidate).collect();
    let certain = marked.iter().find(|directory| has_rustc_info(directory));
    match (certain, marked.as_slice()) {
        (Some(directory), _) | (None, [directory]) => directory.to_path_buf(),
        (None, []) => guess_from_path(file, &args.targets),
        // If `build.build-dir` is set, cargo marks a target's directory like the target directory.
        (None, _) => ask_cargo(program, file).unwrap_or_else(|| guess_from_path(file, &args.targets)),
    }
}

/// Returns the parent of the profile's directory, or its grandparent if the parent is a target's.
fn guess_from_path(file: &Path, targets: &[String]) -> PathBuf {
    let above = profile_directory(file).parent().unwrap_or(Path::new(""));
    match above.parent() {
        Some(root) if is_named_after_target(above, targets) => root.to_owned(),
        _ => above.to_owned(),
    }
}

/// Whether `directory` has the name of one of `targets`.
fn is_named_after_target(directory: &Path, targets: &[String]) -> bool {
    targets.iter().any(|target| {
        let target = targets::without_glibc_version(target);
        let name = Path::new(target.strip_suffix(".json").unwrap_or(target)).file_name();
        name.is_some_and(|name| directory.ends_with(name))
    })
}

/// Asks cargo for the target directory; `None` if it does not contain `file`.
fn ask_cargo(program: &BuiltProgram, file: &Path) -> Option<PathBuf> {
    let directory = read_cargo_metadata(&program.manifest)?.target_directory;
    file.starts_with(&directory).then_some(directory)
}

/// Whether `file` is below a directory that cargo has marked as its own.
pub(super) fn is_in_target_directory(file: &Path) -> bool {
    // A package may itself be below a target directory.
    let mut above = file.ancestors().skip(1).take_while(|above| !above.join("Cargo.toml").exists());
    above.any(is_cargo_directory)
}

/// Whether cargo has marked `directory` as a target directory or a target's directory in it.
pub(super) fn is_cargo_directory(directory: &Path) -> bool {
    let tag = std::fs::read_to_string(directory.join("CACHEDIR.TAG")).unwrap_or_default();
    tag.contains("created by cargo") || has_rustc_info(directory)
}

fn has_rustc_info(directory: &Path) -> bool {
    directory.join(".rustc_info.json").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_target_directory_by_marker_files_or_path() {
        const TAG: (&str, &str) = ("CACHEDIR.TAG", "# This file is a cache directory tag created by cargo.");
        const INFO: (&str, &str) = (".rustc_info.json", "{}");
        for (file, marks, targets, expected) in [
            ("target/release/app", [].as_slice(), "", "target"),
            ("target/a/release/app", &[], "a", "target"),
            ("target/a/release/examples/app", &[], "a.2.17", "target"),
            ("target/a/release/app", &[("target", INFO), ("target", TAG), ("target/a", TAG)], "", "target"),
            ("target/a/release/app", &[("target/a", TAG)], "a", "target"),
            ("target/examples/app", &[("target", TAG)], "", "target"),
            ("target/a/examples/examples/app", &[("target", INFO), ("target/a", TAG)], "", "target"),
            // A tag that another program wrote.
            ("target/release/app", &[("", ("CACHEDIR.TAG", "own"))], "", "target"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for (place, (name, content)) in marks {
                std::fs::create_dir_all(folder.path().join(place)).unwrap();
                std::fs::write(folder.path().join(place).join(name), content).unwrap();
            }
            let files = vec![folder.path().join(file)];
            let program =
                BuiltProgram { name: "app".into(), manifest: folder.path().join("Cargo.toml"), files };
            let mut args = CargoArgs::default();
            args.targets.extend(targets.split_whitespace().map(str::to_owned));
            assert_eq!(target_directory(&program, &args), folder.path().join(expected), "{file} {marks:?}");
        }
    }
}
