//! The command to record.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use coracle_core::fs::Context as _;
use coracle_trace::{Command, RecordedRun, TraceError};

use super::recipe_file::RecipeFile;
use crate::cli::args::RecordArgs;
use crate::cli::environment::env_var;
use crate::cli::error::{CliError, CliExit};

/// A command, and the directory that it starts in.
pub(super) struct RecordedCommand {
    /// The program as a path for a recipe: relative to the working directory, or absolute.
    pub(super) program: PathBuf,
    name: OsString,
    pub(super) args: Vec<OsString>,
    pub(super) start_directory: PathBuf,
}

impl RecordedCommand {
    /// Returns the command in the arguments, or else the entrypoint of the recipe.
    pub(super) fn new(args: &RecordArgs, recipe_file: &RecipeFile) -> Result<Self, CliError> {
        let start_directory = std::env::current_dir().context("read", Path::new("."))?;
        let (program, name, rest) = match args.command.split_first() {
            Some((name, rest)) => (find_program(name), name.clone(), rest.to_vec()),
            None => entrypoint(recipe_file)?,
        };
        coracle_trace::check_program(&program).map_err(|error| trace_error(&error))?;
        Ok(Self { program, name, args: rest, start_directory })
    }

    /// Runs it under the tracer.
    pub(super) fn run(&self) -> Result<RecordedRun, CliError> {
        let command = Command {
            program: self.start_directory.join(&self.program),
            name: Some(self.name.clone()),
            args: self.args.clone(),
            stdout_to_stderr: true,
        };
        coracle_trace::record(&command, &super::report_left_running).map_err(|error| trace_error(&error))
    }
}

fn trace_error(error: &TraceError) -> CliError {
    let exit = match error {
        TraceError::NotFound(_) | TraceError::SetId { .. } | TraceError::ForeignArchitecture { .. } => {
            CliExit::Usage
        }
        _ => CliExit::Failed,
    };
    CliError::from_error(exit, error)
}

/// Returns the recipe's first program, its name and its arguments.
fn entrypoint(recipe_file: &RecipeFile) -> Result<(PathBuf, OsString, Vec<OsString>), CliError> {
    let Some(recipe) = recipe_file.recipe()? else {
        return Err(CliError::usage(
            "nothing to record: no PROGRAM is given and there is no recipe",
            "name a command, as in `coracle record -- ./app`, or a recipe with `--file`",
        ));
    };
    let Some(program) = recipe.contents.programs.first() else {
        return Err(CliError::internal("a recipe has no program"));
    };
    let program = recipe.resolve_path(&program.from);
    let args = recipe.image.args.iter().map(OsString::from).collect();
    Ok((program.clone(), program.into_os_string(), args))
}

/// Finds a program as a shell does: a name without `/` in `PATH`.
fn find_program(name: &OsString) -> PathBuf {
    let path = Path::new(name);
    if path.components().count() != 1 || name.as_encoded_bytes().contains(&b'/') {
        return path.to_owned();
    }
    let directories = env_var("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let candidates = std::env::split_paths(&directories).map(|directory| directory.join(path));
    let found = candidates.into_iter().find(|candidate| is_executable(candidate));
    found.unwrap_or_else(|| path.to_owned())
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && coracle_core::fs::stat(path).is_ok_and(|stat| stat.is_executable())
}
