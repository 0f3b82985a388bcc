//! The directory that cargo writes to, by what stands above a program that it has built.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::compile::{self, Program};
use super::targets;
use crate::cli::args::CargoArgs;

/// The directories above a program that may be cargo's: above that of the profile, of a target and of examples.
const ABOVE: usize = 3;

/// What `cargo metadata` says, as far as it counts here.
#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
}

/// The directory of the profile that `file` stands in.
pub(super) fn profile(file: &Path) -> &Path {
    let parent = file.parent().unwrap_or(Path::new(""));
    if parent.ends_with("examples") { parent.parent().unwrap_or(parent) } else { parent }
}

/// The directory that cargo writes to, in which `program` stands.
pub(super) fn of(program: &Program, args: &CargoArgs) -> PathBuf {
    if let Some(directory) = &args.target_dir {
        return std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
    }
    let file = program.files.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
    let is_own = |directory: &&Path| is_marked(directory) && !is_of(directory, &args.targets);
    let marked: Vec<&Path> = file.ancestors().skip(2).take(ABOVE).filter(is_own).collect();
    let sure = marked.iter().find(|directory| is_cargos(directory));
    match (sure, marked.as_slice()) {
        (Some(directory), _) | (None, [directory]) => directory.to_path_buf(),
        (None, []) => by_shape(file, &args.targets),
        // With a directory for what it builds besides, cargo marks that of a target like its own.
        (None, _) => said_by_cargo(program, file).unwrap_or_else(|| by_shape(file, &args.targets)),
    }
}

/// Above that of the profile, and above that of the target, if one is named.
fn by_shape(file: &Path, targets: &[String]) -> PathBuf {
    let above = profile(file).parent().unwrap_or(Path::new(""));
    match above.parent() {
        Some(root) if is_of(above, targets) => root.to_owned(),
        _ => above.to_owned(),
    }
}

/// Whether `directory` is that of one of `targets`.
fn is_of(directory: &Path, targets: &[String]) -> bool {
    targets.iter().any(|target| {
        let target = targets::triple(target);
        let name = Path::new(target.strip_suffix(".json").unwrap_or(target)).file_name();
        name.is_some_and(|name| directory.ends_with(name))
    })
}

fn said_by_cargo(program: &Program, file: &Path) -> Option<PathBuf> {
    let mut command = Command::new(compile::cargo());
    command
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(&program.manifest);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let Metadata { target_directory } = serde_json::from_slice(&output.stdout).ok()?;
    file.starts_with(&target_directory).then_some(target_directory)
}

/// Whether `file` stands where cargo writes, as far as that is marked.
pub(super) fn is_below(file: &Path) -> bool {
    // A package may itself stand below a target directory.
    let mut above = file.ancestors().skip(1).take_while(|above| !above.join("Cargo.toml").exists());
    above.any(is_marked)
}

/// Whether cargo has made `directory` to write to, or a directory for a target in it.
pub(super) fn is_marked(directory: &Path) -> bool {
    let tag = std::fs::read_to_string(directory.join("CACHEDIR.TAG")).unwrap_or_default();
    tag.contains("created by cargo") || is_cargos(directory)
}

fn is_cargos(directory: &Path) -> bool {
    directory.join(".rustc_info.json").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_directory_by_its_marks_or_the_shape_of_a_path() {
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
            // Of somebody else, and not a word of cargo's.
            ("target/release/app", &[("", ("CACHEDIR.TAG", "own"))], "", "target"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for (place, (name, content)) in marks {
                std::fs::create_dir_all(folder.path().join(place)).unwrap();
                std::fs::write(folder.path().join(place).join(name), content).unwrap();
            }
            let files = vec![folder.path().join(file)];
            let program = Program { name: "app".into(), manifest: folder.path().join("Cargo.toml"), files };
            let mut args = CargoArgs::default();
            args.targets.extend(targets.split_whitespace().map(str::to_owned));
            assert_eq!(of(&program, &args), folder.path().join(expected), "{file} {marks:?}");
        }
    }
}
