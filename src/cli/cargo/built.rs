//! Whether images are made of what cargo has built in this run, each of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coracle::recipe::Recipe;

use super::compile::Program;
use super::{directory, from_here};
use crate::cli::failure::Failure;

/// Cargo warns when it writes one program over another, and goes on.
pub(super) fn check_files(programs: &[Program]) -> Result<(), Failure> {
    let mut known: BTreeMap<&Path, &Program> = BTreeMap::new();
    for program in programs {
        for file in &program.files {
            let Some(other) = known.insert(file, program) else { continue };
            let place = |program: &Program| {
                format!("\n  --> `{}` of {}", program.name, from_here(&program.manifest).display())
            };
            return Err(Failure::usage(
                format!(
                    "cargo has built two programs to one file, `{}`, which holds only one of them{}{}",
                    from_here(file).display(),
                    place(other),
                    place(program)
                ),
                "give one of them another name in its `[[bin]]`, or build them one at a time with `-p PACKAGE`, each with a \
                 `--target-dir` of its own",
            ));
        }
    }
    Ok(())
}

/// A file that `programs` names where cargo writes, and that cargo has not built now, is of an earlier build.
pub(super) fn check_named(recipe: &Recipe, programs: &[Program], cargos: &Path) -> Result<(), Failure> {
    let built: Vec<PathBuf> =
        programs.iter().flat_map(|program| &program.files).map(|file| real(file)).collect();
    let cargos = real(cargos);
    let is_cargos = |file: &Path| file.starts_with(&cargos) || directory::is_below(file);
    let mut named = recipe.programs.iter().map(|program| real(&recipe.locate(&program.from)));
    let Some(old) = named.find(|file| !built.contains(file) && is_cargos(file)) else { return Ok(()) };
    let (same, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        built.iter().partition(|file| file.file_name() == old.file_name());
    let instead = if same.is_empty() { others } else { same };
    let instead: Vec<String> =
        instead.into_iter().map(|file| format!("`{}`", from_here(file).display())).collect();
    Err(Failure::usage(
        format!(
            "`{}` is not what cargo has built now: that is {}",
            from_here(&old).display(),
            instead.join(", ")
        ),
        "`programs` below `[package.metadata.coracle.image]` has to name what this command builds: change it, or the flags \
         that choose programs, profile, target and directory",
    ))
}

/// `path` without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = |above: &Path| Some(above.canonicalize().ok()?.join(path.strip_prefix(above).ok()?));
    // An empty rest would end the path in a slash.
    path.ancestors().find_map(there).unwrap_or(path).components().collect()
}
