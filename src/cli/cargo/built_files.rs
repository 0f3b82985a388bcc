//! The files that cargo has built: where its target directory is, whether a program is complete, and
//! whether images contain what this run has built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use coracle::recipe::Recipe;

use super::{BuiltProgram, cargo_targets, relative_to_cwd};
use crate::cli::args::CargoArgs;
use crate::cli::error::CliError;
use crate::cli::read_project::read_cargo_metadata;

/// The maximum number of ancestors that may be the target directory: it contains the profile's
/// directory, possibly below a target's, and programs may be in a subdirectory for examples.
const MAX_DEPTH: usize = 3;

/// Returns the profile's directory that contains `file`.
fn profile_directory(file: &Path) -> &Path {
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
        (None, _) => target_directory_from_metadata(program, file)
            .unwrap_or_else(|| guess_from_path(file, &args.targets)),
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

/// Returns whether `directory` has the name of one of `targets`.
fn is_named_after_target(directory: &Path, targets: &[String]) -> bool {
    targets.iter().any(|target| {
        let target = cargo_targets::without_glibc_version(target);
        let name = Path::new(target.strip_suffix(".json").unwrap_or(target)).file_name();
        name.is_some_and(|name| directory.ends_with(name))
    })
}

/// Asks cargo for the target directory; `None` if it does not contain `file`.
fn target_directory_from_metadata(program: &BuiltProgram, file: &Path) -> Option<PathBuf> {
    let directory = read_cargo_metadata(&program.manifest)?.target_directory;
    file.starts_with(&directory).then_some(directory)
}

/// Returns whether `file` is below a directory that cargo has marked as its own.
fn is_in_target_directory(file: &Path) -> bool {
    // A package may itself be below a target directory.
    let mut above = file.ancestors().skip(1).take_while(|above| !above.join("Cargo.toml").exists());
    above.any(is_cargo_directory)
}

/// Returns whether cargo has marked `directory` as a target directory or a target's directory in it.
fn is_cargo_directory(directory: &Path) -> bool {
    let tag = std::fs::read_to_string(directory.join("CACHEDIR.TAG")).unwrap_or_default();
    tag.contains("created by cargo") || has_rustc_info(directory)
}

fn has_rustc_info(directory: &Path) -> bool {
    directory.join(".rustc_info.json").exists()
}

/// Returns whether the program has been built for all `targets`. If none is named, cargo's configuration
/// may name several, which is seen from cargo's directories; returns `false` then.
pub(super) fn is_built_for_all(program: &BuiltProgram, targets: &[String]) -> bool {
    let triples: BTreeSet<&str> =
        targets.iter().map(|target| cargo_targets::without_glibc_version(target)).collect();
    match program.files.as_slice() {
        [file] if triples.is_empty() => {
            // Above the profile is the target directory, or a target's directory in it.
            let above = profile_directory(file).parent().and_then(Path::parent);
            !above.is_some_and(is_cargo_directory)
        }
        files => files.len() == triples.len(),
    }
}

/// Fails if cargo has written two programs to one file, for which cargo only prints a warning.
pub(super) fn check_distinct_files(programs: &[BuiltProgram]) -> Result<(), CliError> {
    let mut known: BTreeMap<&Path, &BuiltProgram> = BTreeMap::new();
    for program in programs {
        for file in &program.files {
            let Some(other) = known.insert(file, program) else { continue };
            return Err(CliError::usage(
                format!(
                    "cargo has written two programs to the same file, `{}`, which now contains only one of them{}{}",
                    relative_to_cwd(file).display(),
                    other.origin_line(),
                    program.origin_line()
                ),
                "rename one of them in its `[[bin]]`, or build them one at a time with `-p PACKAGE`, each with its own \
                 `--target-dir`",
            ));
        }
    }
    Ok(())
}

/// Fails if the recipe's `programs` name a file in `target_dir`, cargo's directory, that cargo has not
/// built in this run: it would be left over from an earlier build.
pub(super) fn check_freshly_built(
    recipe: &Recipe,
    programs: &[BuiltProgram],
    target_dir: &Path,
) -> Result<(), CliError> {
    let built: Vec<PathBuf> =
        programs.iter().flat_map(|program| &program.files).map(|file| resolve_existing(file)).collect();
    let target_dir = resolve_existing(target_dir);
    let is_cargos = |file: &Path| file.starts_with(&target_dir) || is_in_target_directory(file);
    let mut listed =
        recipe.contents.programs.iter().map(|program| resolve_existing(&recipe.resolve_path(&program.from)));
    let Some(old) = listed.find(|file| !built.contains(file) && is_cargos(file)) else { return Ok(()) };
    let (same_name, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        built.iter().partition(|file| file.file_name() == old.file_name());
    let candidates = if same_name.is_empty() { others } else { same_name };
    let candidates: Vec<String> =
        candidates.into_iter().map(|file| format!("`{}`", relative_to_cwd(file).display())).collect();
    Err(CliError::usage(
        format!(
            "`{}` was not built by this run of cargo, which built {}",
            relative_to_cwd(&old).display(),
            candidates.join(", ")
        ),
        "`programs` in `[package.metadata.coracle.image]` must name files that this command builds: change it, or the \
         flags that select programs, profile, target and directory",
    ))
}

/// Resolves the symbolic links in the part of `path` that exists.
fn resolve_existing(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let resolve =
        |ancestor: &Path| Some(ancestor.canonicalize().ok()?.join(path.strip_prefix(ancestor).ok()?));
    // Collected from components because joining an empty rest leaves a trailing slash.
    path.ancestors().find_map(resolve).unwrap_or(path).components().collect()
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

    #[test]
    fn detects_program_built_for_all_targets() {
        let folder = tempfile::tempdir().unwrap();
        let path = |path: &str| folder.path().join(path);
        let program = |files: &[&str]| BuiltProgram {
            name: "app".into(),
            manifest: path("Cargo.toml"),
            files: files.iter().map(|file| path(file)).collect(),
        };
        let here = program(&["target/release/app"]);
        let one = program(&["target/a/release/examples/app"]);
        let both = program(&["target/a/release/app", "target/b/release/app"]);
        std::fs::create_dir_all(path("target/a")).unwrap();
        // Cargo marks every directory that it creates.
        std::fs::write(path("target/CACHEDIR.TAG"), "# This file is a tag created by cargo.").unwrap();
        std::fs::write(path("target/a/CACHEDIR.TAG"), "# This file is a tag created by cargo.").unwrap();
        let owned = |targets: &[&str]| targets.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (program, targets, expected) in [
            (&here, owned(&[]), true),
            (&one, owned(&[]), false),
            (&both, owned(&[]), false),
            (&one, owned(&["a"]), true),
            (&one, owned(&["a", "b"]), false),
            (&both, owned(&["a", "b"]), true),
            (&one, owned(&["a.2.17", "a"]), true),
        ] {
            assert_eq!(is_built_for_all(program, &targets), expected, "{:?} {targets:?}", program.files);
        }
    }
}
