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
    let marked: Vec<&Path> =
        file.ancestors().skip(2).take(ABOVE).filter(|directory| is_marked(directory)).collect();
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
    let of_target = |target: &String| {
        let target = targets::triple(target);
        let name = Path::new(target.strip_suffix(".json").unwrap_or(target)).file_name();
        name.is_some_and(|name| above.ends_with(name))
    };
    match above.parent() {
        Some(root) if targets.iter().any(of_target) => root.to_owned(),
        _ => above.to_owned(),
    }
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
