//! Programs that start with `#!`, and the program that a package.json names.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::error::CliError;
use crate::cli::read_project::{FileKind, read_file_kind};

/// The directories of a project that contain scripts which are its programs.
const SCRIPT_DIRECTORIES: [&str; 2] = ["", "bin"];

/// Names, without an ending, of scripts that build, test or install a program.
const TOOL_NAMES: [&str; 22] = [
    "autogen",
    "bazelw",
    "bootstrap",
    "build",
    "check",
    "ci",
    "clean",
    "compile",
    "configure",
    "deploy",
    "format",
    "gradlew",
    "install",
    "lint",
    "make",
    "mvnw",
    "package",
    "release",
    "run-tests",
    "setup",
    "test",
    "tests",
];

/// Returns the scripts that are programs of the project in `folder`, relative to it: the one that package.json names,
/// else the others.
///
/// # Errors
/// Fails if package.json names a file that can't be started by itself.
pub(super) fn find_scripts(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let named = node_program(folder);
    if let Some(program) = named.as_ref().filter(|program| is_script(&folder.join(program))) {
        return Ok(vec![program.clone()]);
    }
    let found = program_scripts(folder);
    match named {
        Some(program) if found.is_empty() => Err(CliError::usage(
            format!("`{}`, which package.json names, does not start with `#!`", program.display()),
            format!(
                "write `#!/usr/bin/env node` as its first line and run `chmod +x {0}`, or build `node` with the directory: \
                 `coracle build /usr/bin/node --include .:/app -- /app/{0}`",
                program.display()
            ),
        )),
        _ => Ok(found),
    }
}

/// Returns the program that package.json names: of `node FILE` in `scripts.start`, the only one in `bin`, or `main`.
fn node_program(folder: &Path) -> Option<PathBuf> {
    let package: Value = serde_json::from_slice(&std::fs::read(folder.join("package.json")).ok()?).ok()?;
    let started =
        package.pointer("/scripts/start").and_then(Value::as_str).and_then(|line| line.strip_prefix("node "));
    let bin = package.get("bin");
    let only_bin =
        bin.and_then(Value::as_object).filter(|bin| bin.len() == 1).and_then(|bin| bin.values().next());
    let bin = bin.and_then(Value::as_str).or_else(|| only_bin?.as_str());
    let named = [started, bin, package.get("main").and_then(Value::as_str)].into_iter().flatten();
    named
        .map(|file| super::without_dot_prefix(Path::new(file.trim())).to_owned())
        .find(|file| file.is_relative() && folder.join(file).is_file())
}

/// Returns the executable scripts, or else those that are not executable: an image makes them so.
fn program_scripts(folder: &Path) -> Vec<PathBuf> {
    let directories = SCRIPT_DIRECTORIES
        .iter()
        .filter_map(|directory| Some((directory, std::fs::read_dir(folder.join(directory)).ok()?)));
    let paths = directories.flat_map(|(directory, entries)| {
        entries.filter_map(|entry| Some(Path::new(directory).join(entry.ok()?.file_name())))
    });
    let mut scripts: Vec<PathBuf> = paths.filter(|path| is_program_script(folder, path)).collect();
    scripts.sort();
    let is_executable =
        |path: &PathBuf| coracle_core::fs::stat(&folder.join(path)).is_ok_and(|stat| stat.is_executable());
    let (executable, other): (Vec<_>, Vec<_>) = scripts.into_iter().partition(is_executable);
    if executable.is_empty() { other } else { executable }
}

fn is_program_script(folder: &Path, path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let full = folder.join(path);
    !TOOL_NAMES.contains(&&*name) && full.is_file() && is_script(&full)
}

fn is_script(path: &Path) -> bool {
    matches!(read_file_kind(path), Ok(FileKind::Script))
}
