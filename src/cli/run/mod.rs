//! `coracle run`: builds an image if needed, and runs it as a restricted pod would be run.

mod backend;
mod background;
mod configuration;
mod container;
mod container_events;
mod debug;
mod engine;
mod events;
mod image;
mod platform;
mod print;
mod probes;
mod reload_check;
mod secret_files;
mod session;
mod stopping;
mod watch;

pub(super) use background::run_stop;
pub(super) use debug::run_debug;

use std::path::{Path, PathBuf};

use coracle::recipe::{Recipe, RecipeOverrides};
use coracle_run::{RunError, Runtime, RuntimeKind, find_runtime};

use super::args::RunArgs;
use super::environment::{env_path, nonempty_env_var};
use super::error::{CliError, CliExit};
use super::{interrupt, recipe_tables};
use image::ImageSubject;

/// Runs cargo and returns the recipe of its program's image.
pub(super) type CargoRecipe<'a> = dyn Fn(&RecipeOverrides) -> Result<Recipe, CliError> + 'a;

/// Runs `coracle run`. The recipe is returned by `cargo_recipe`, if given. The process ends with the
/// program's exit code.
pub(super) fn run_run(args: &RunArgs, cargo_recipe: Option<&CargoRecipe<'_>>) -> Result<CliExit, CliError> {
    if args.is_background() {
        return background::start_in_background(args);
    }
    interrupt::handle_signals();
    recipe_tables::set_tables_of_recipe_in_messages(args.file.as_deref());
    let subject = ImageSubject::new(args, cargo_recipe)?;
    let prepared = subject.prepare(args)?;
    if let Some(format) = args.print {
        return print::print_equivalent(&prepared, args, format);
    }
    let runtime = runtime_for(args)?;
    session::run_session(subject, prepared, runtime, args)
}

/// Returns the runtime that the flags choose, or the first that is installed.
fn runtime_for(args: &RunArgs) -> Result<Runtime, CliError> {
    let wanted = args.runtime.as_deref().map(str::parse::<RuntimeKind>).transpose();
    let wanted = wanted
        .map_err(|error| CliError::with_message(CliExit::Usage, format!("`--runtime`: {error}"), &error))?;
    let path = nonempty_env_var("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Where distributions install runtimes, which users do not have in PATH.
    directories.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    Ok(find_runtime(wanted, &directories, Path::is_file)?)
}

/// Returns the directory of all runs of this user.
fn runs_directory() -> PathBuf {
    let of_user = env_path("XDG_RUNTIME_DIR").filter(|path| path.is_absolute() && path.is_dir());
    match of_user {
        Some(directory) => directory.join("coracle"),
        None if user_id() == 0 => PathBuf::from("/run/coracle"),
        None => std::env::temp_dir().join(format!("coracle-{}", user_id())),
    }
}

/// Returns the user's ID.
fn user_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        let exit = match error {
            RunError::Architecture { .. } | RunError::ForwardedProtocol(_) | RunError::MissingRuntime(_) => {
                CliExit::Usage
            }
            _ => CliExit::Failed,
        };
        Self::from_error(exit, &error)
    }
}
