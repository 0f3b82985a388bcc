//! The recipes that `coracle build` is given, and checks of flags that suit only some of them.

use std::path::Path;

use coracle::recipe::{self, Recipe, RecipeOverrides};

use super::args::BuildArgs;
use super::error::CliError;

/// Returns the recipes that the arguments name. Fails if any of them is invalid, before any is
/// built.
pub(super) fn read_recipes(args: &BuildArgs) -> Result<Vec<Recipe>, Vec<CliError>> {
    let flags = args.overrides();
    if args.files.is_empty() {
        let recipe = if flags.programs.is_empty() {
            recipe::read_recipe(Path::new(recipe::DEFAULT_FILE_NAME), &flags)
                .map_err(explain_missing_recipe)?
        } else {
            Recipe::from_flags(&flags).map_err(CliError::from)?
        };
        return Ok(vec![recipe]);
    }
    let is_for_one_image =
        !flags.programs.is_empty() || !flags.names.is_empty() || has_single_image_destination(&flags);
    if args.files.len() > 1 && is_for_one_image {
        return Err(CliError::usage(
            "PROGRAM, `--tag`, an archive and a name in a registry can't be used with several recipes: each is one image",
            "set programs and names in the recipes, or build one recipe at a time",
        )
        .into());
    }
    let (mut recipes, mut failures) = (Vec::new(), Vec::new());
    for path in &args.files {
        match recipe::read_recipe(path, &flags) {
            Ok(recipe) => recipes.push(recipe),
            Err(error) => failures.push(CliError::from(error)),
        }
    }
    if failures.is_empty() { Ok(recipes) } else { Err(failures) }
}

/// Explains that a program or a recipe is needed, if the default recipe is missing.
fn explain_missing_recipe(error: recipe::RecipeError) -> CliError {
    match error {
        recipe::RecipeError::Read(error) if error.kind() == std::io::ErrorKind::NotFound => CliError::usage(
            format!(
                "nothing to build: no PROGRAM is given and `{}` does not exist in this directory",
                recipe::DEFAULT_FILE_NAME
            ),
            format!(
                "name a program, as in `coracle build ./app`, or write a `{}`",
                recipe::DEFAULT_FILE_NAME
            ),
        ),
        error => error.into(),
    }
}

/// Whether a flag names a destination that holds only one image: an archive, or a name in a registry
/// or an engine.
pub(super) fn has_single_image_destination(flags: &RecipeOverrides) -> bool {
    flags.destinations.iter().any(|destination| {
        destination.contains("-archive:")
            || destination.starts_with("docker://")
            || coracle_oci::engine::has_engine_transport(destination)
    })
}

/// Fails if one previous image is given for several images.
pub(super) fn check_previous(recipes: &[Recipe]) -> Result<(), CliError> {
    if recipes.len() < 2 || recipes.iter().all(|recipe| recipe.policy.budget.previous.is_none()) {
        return Ok(());
    }
    Err(CliError::usage(
        "`--previous` can't be used when several images are built: each has its own previous image",
        "leave it out to compare each image with the one that it replaces, or build one image at a time",
    ))
}

/// Fails if an image for an engine has no name, by which engines store images.
pub(super) fn check_names_for_engine(recipes: &[Recipe]) -> Result<(), CliError> {
    if recipes.iter().any(|recipe| recipe.image.names.is_empty()) {
        return Err(CliError::usage(
            "`--load` needs an image with a name, by which the engine can run it",
            "name it with `--tag NAME:TAG`, or with `name` in the recipe's `[image]`",
        ));
    }
    Ok(())
}
