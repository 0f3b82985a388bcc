//! Checks that images contain what cargo has built in this run, and that no program replaced
//! another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coracle::recipe::Recipe;

use super::cargo_build::BuiltProgram;
use super::{relative_to_cwd, target_directory};
use crate::cli::error::CliError;

/// Fails if cargo has written two programs to one file, for which cargo only prints a warning.
pub(super) fn check_distinct_files(programs: &[BuiltProgram]) -> Result<(), CliError> {
    let mut known: BTreeMap<&Path, &BuiltProgram> = BTreeMap::new();
    for program in programs {
        for file in &program.files {
            let Some(other) = known.insert(file, program) else { continue };
            let origin = |program: &BuiltProgram| {
                format!("\n  --> `{}` of {}", program.name, relative_to_cwd(&program.manifest).display())
            };
            return Err(CliError::usage(
                format!(
                    "cargo has written two programs to the same file, `{}`, which now contains only one of them{}{}",
                    relative_to_cwd(file).display(),
                    origin(other),
                    origin(program)
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
    let is_cargos =
        |file: &Path| file.starts_with(&target_dir) || target_directory::is_in_target_directory(file);
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
