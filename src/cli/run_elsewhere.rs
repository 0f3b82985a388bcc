//! `coracle run`, `stop` and `debug` on machines without Linux, where they are not possible.

use coracle::recipe::{Recipe, RecipeOverrides};

use super::args::{DebugArgs, RunArgs, StopArgs};
use super::error::{CliError, CliExit};

/// Runs cargo and returns the recipe of its program's image.
pub(super) type CargoRecipe<'a> = dyn Fn(&RecipeOverrides) -> Result<Recipe, CliError> + 'a;

pub(super) fn run_run(_: &RunArgs, _: Option<&CargoRecipe<'_>>) -> Result<CliExit, CliError> {
    Err(unsupported())
}

pub(super) fn run_stop(_: &StopArgs) -> Result<CliExit, CliError> {
    Err(unsupported())
}

pub(super) fn run_debug(_: &DebugArgs) -> Result<CliExit, CliError> {
    Err(unsupported())
}

fn unsupported() -> CliError {
    CliError::failed_with_hint(
        "images can be run only on Linux",
        "load the image into an engine with `coracle build --load`, and run it there",
    )
}
