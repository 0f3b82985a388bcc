//! Reads recipes from files and flags.

use std::path::Path;

use super::cargo_toml::CargoPackage;
use super::error::RecipeError;
use super::flag_overrides::RecipeOverrides;
use super::recipe_document::RecipeDocument;
use super::recipe_paths::is_cargo_toml;
use super::recipe_settings::{Recipe, RootOverride};
use super::toml_source::read_recipe_bytes;
use super::validate;
#[cfg(feature = "kube")]
use coracle_kube::config::Configuration;

impl Recipe {
    /// Returns the recipe that flags alone describe; its paths start at the working directory.
    ///
    /// # Errors
    /// Fails if no program is named or values are invalid; all invalid values are reported
    /// together.
    pub fn from_flags(flags: &RecipeOverrides) -> Result<Self, RecipeError> {
        require_program(validate::build_recipe(None, flags)?, None)
    }
}

/// Parses the roots and sysroots of `flags`, for callers without a recipe.
///
/// # Errors
/// Fails if a platform is invalid, or if roots and sysroots are combined.
pub fn root_overrides_from_flags(flags: &RecipeOverrides) -> Result<Vec<RootOverride>, RecipeError> {
    validate::root_overrides_from_flags(flags)
}

/// Reads the recipe at `path` and applies `flags`. In a Cargo.toml, the recipe is the package's
/// metadata, read by [`CargoPackage`].
///
/// # Errors
/// Fails if the file cannot be read, is not TOML or has invalid values (reported together), or
/// names no program.
pub fn read_recipe(path: &Path, flags: &RecipeOverrides) -> Result<Recipe, RecipeError> {
    require_program(read_with_optional_programs(Some(path), flags)?, Some(path))
}

/// Parses `bytes` as the recipe at `path` and applies `flags`.
///
/// # Errors
/// Fails like [`read_recipe`], except for reading.
pub fn parse_recipe(path: &Path, bytes: &[u8], flags: &RecipeOverrides) -> Result<Recipe, RecipeError> {
    let document = RecipeDocument::new(path, bytes)?;
    require_program(validate::build_recipe(Some(&document), flags)?, Some(path))
}

/// Reads only the configuration of the recipe at `path`, or of `flags` alone. Programs are not
/// required.
///
/// # Errors
/// Fails like [`read_recipe`].
#[cfg(feature = "kube")]
pub fn read_configuration(
    path: Option<&Path>,
    flags: &RecipeOverrides,
) -> Result<Configuration, RecipeError> {
    Ok(read_with_optional_programs(path, flags)?.config)
}

/// Reads the recipe at `path`, or of `flags` alone, like [`read_recipe`], but accepts one without
/// programs.
///
/// # Errors
/// Fails like [`read_recipe`], except for missing programs.
pub fn read_with_optional_programs(
    path: Option<&Path>,
    flags: &RecipeOverrides,
) -> Result<Recipe, RecipeError> {
    let Some(path) = path else { return validate::build_recipe(None, flags) };
    if is_cargo_toml(path) {
        return CargoPackage::read(path)?.recipe(flags);
    }
    let bytes = read_recipe_bytes(path)?;
    let document = RecipeDocument::new(path, &bytes)?;
    validate::build_recipe(Some(&document), flags)
}

/// Returns the names of the tables `[environments.NAME]` of the recipe at `path`.
///
/// # Errors
/// Fails if the file cannot be read or is not TOML.
#[cfg(feature = "kube")]
pub fn read_environment_names(path: &Path) -> Result<Vec<String>, RecipeError> {
    if is_cargo_toml(path) {
        return CargoPackage::read(path)?.environment_names();
    }
    let bytes = read_recipe_bytes(path)?;
    let document = RecipeDocument::new(path, &bytes)?;
    Ok(document.file.environments.keys().cloned().collect())
}

fn require_program(recipe: Recipe, path: Option<&Path>) -> Result<Recipe, RecipeError> {
    if recipe.contents.programs.is_empty() {
        return Err(RecipeError::NoProgram { recipe: path.map(Path::to_owned) });
    }
    Ok(recipe)
}
