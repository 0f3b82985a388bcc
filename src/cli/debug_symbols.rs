//! `coracle build --keep-symbols`: keeps the programs with their symbols where debuggers look for them, by
//! build ID. Source: GDB's manual, "Separate Debug Files".

use std::fs;
use std::path::Path;

use coracle::recipe::Recipe;
use coracle_core::content::Content;
use coracle_core::fs::Context as _;
use coracle_core::note::Note;
use coracle_ld::elf::{ElfObject, build_id};

use super::console_output::{self, DIM};
use super::error::CliError;

/// Copies the programs of a recipe to `DIR/.build-id/xx/yyyy.debug`.
pub(super) fn keep_symbols(recipe: &Recipe, directory: &Path, quiet: bool) -> Result<(), CliError> {
    for program in &recipe.contents.programs {
        let path = recipe.resolve_path(&program.from);
        let Some(id) = read_build_id(&path)? else {
            let warning = format!(
                "`{}` has no build ID, by which debuggers find its symbols: link it with `-Wl,--build-id`",
                path.display()
            );
            console_output::print_notes(&[Note::Warning(warning)], quiet);
            continue;
        };
        let (start, rest) = id.split_at_checked(2).unwrap_or((&id, ""));
        let parent = directory.join(".build-id").join(start);
        fs::create_dir_all(&parent).context("create", &parent)?;
        let to = parent.join(format!("{rest}.debug"));
        fs::copy(&path, &to).context("copy", &path)?;
        if !quiet {
            console_output::print_message(&format!(
                "{DIM}symbols of {}: {}{DIM:#}\n",
                path.display(),
                to.display()
            ));
        }
    }
    Ok(())
}

/// Returns the build ID of an ELF file; `None` for other files.
fn read_build_id(path: &Path) -> Result<Option<String>, CliError> {
    let content = Content::from_host_file(path.to_owned(), coracle_core::fs::stat(path)?);
    let file = content.open()?;
    let Ok(object) = ElfObject::read(&file) else { return Ok(None) };
    Ok(build_id(&file, &object).unwrap_or(None))
}
