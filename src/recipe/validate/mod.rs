//! Merges the raw values of file and flags, parses each, and builds the recipe: one file for each of
//! its groups.

#[cfg(feature = "kube")]
mod configuration;
mod contents;
#[cfg_attr(not(feature = "kube"), path = "no_contract.rs")]
mod cross_checks;
mod image;
mod implicit;
#[cfg(feature = "kube")]
mod kubernetes;
mod output;
mod policy;
mod root_overrides;
mod validator;

use std::path::{Path, PathBuf};

use super::document::RecipeDocument;
use super::error::RecipeError;
use super::groups::{Recipe, RecipeSource, RootOverride};
use super::overrides::RecipeOverrides;
use super::schema::RecipeFile;
#[cfg(feature = "kube")]
use super::source_positions::source_positions;
use validator::Validator;

/// Builds the recipe of `document` and `flags`. Fails with all problems of both.
pub(super) fn build_recipe(
    document: Option<&RecipeDocument<'_>>,
    flags: &RecipeOverrides,
) -> Result<Recipe, RecipeError> {
    let empty = RecipeFile::default();
    let file = document.map_or(&empty, |document| &document.file);
    let recipe_dir = document.map_or_else(|| PathBuf::from("."), RecipeDocument::recipe_dir);
    let mut validator = Validator::new(document);
    validator.version(file);
    let recipe = Recipe {
        image: validator.image(file, flags, &recipe_dir),
        contents: validator.contents(file, flags, &recipe_dir)?,
        #[cfg(feature = "kube")]
        config: validator.configuration(file, &flags.config, &recipe_dir)?,
        #[cfg(feature = "kube")]
        kubernetes: validator.kubernetes(&file.kubernetes.0),
        output: validator.output(file, flags, &recipe_dir)?,
        policy: validator.policy(file, flags),
        source: RecipeSource {
            #[cfg(feature = "kube")]
            positions: document.map(|document| source_positions(document, &flags.config)).unwrap_or_default(),
            recipe_dir,
        },
    };
    validator.cross_check(file, flags, &recipe);
    validator.into_result()?;
    Ok(recipe)
}

/// Parses the roots and sysroots of flags alone.
pub(super) fn root_overrides_from_flags(flags: &RecipeOverrides) -> Result<Vec<RootOverride>, RecipeError> {
    let mut validator = Validator::new(None);
    let roots = validator.root_overrides(&RecipeFile::default(), flags, Path::new("."))?;
    validator.into_result()?;
    Ok(roots)
}
