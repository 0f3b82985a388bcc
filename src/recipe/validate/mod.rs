//! Merges the raw values of file and flags, parses each, and builds the recipe: one file for each of
//! its groups. Then checks values against each other.

mod build_checks;
#[cfg(feature = "kube")]
mod configuration;
mod contents;
mod image;
mod implicit;
#[cfg(feature = "kube")]
mod kubernetes;
#[cfg(feature = "kube")]
mod mount_files;
mod output;
mod root_overrides;
mod source_and_target;
mod validator;

use std::path::{Path, PathBuf};

use super::error::RecipeError;
use super::flag_overrides::RecipeOverrides;
use super::recipe_document::RecipeDocument;
use super::recipe_settings::{Recipe, RecipeSource, RootOverride};
use super::schema::RecipeFile;
#[cfg(feature = "kube")]
use super::source_positions::source_positions;
#[cfg(feature = "kube")]
use coracle_core::path::escape_bytes;
#[cfg(feature = "kube")]
use coracle_kube::contract::CONTRACT_LABEL;
#[cfg(feature = "kube")]
use validator::ValueOrigin;
use validator::{Validator, flag_or_file};

/// Builds the recipe of `document` and `flags`. Fails with all problems of both.
pub(super) fn build_recipe(
    document: Option<&RecipeDocument<'_>>,
    flags: &RecipeOverrides,
) -> Result<Recipe, RecipeError> {
    let empty = RecipeFile::default();
    let file = document.map_or(&empty, |document| &document.file);
    let recipe_dir = document.map_or_else(|| PathBuf::from("."), RecipeDocument::recipe_dir);
    let mut validator = Validator::new(document);
    validator.check_version(file);
    let recipe = Recipe {
        image: validator.parse_image_settings(file, flags, &recipe_dir),
        contents: validator.parse_contents(file, flags, &recipe_dir)?,
        #[cfg(feature = "kube")]
        config: validator.parse_configuration(file, &flags.config, &recipe_dir)?,
        #[cfg(feature = "kube")]
        kubernetes: validator.parse_kubernetes_of_environment(file, flags.config.environment.as_deref()),
        output: validator.parse_output(file, flags, &recipe_dir)?,
        checks: validator.parse_build_checks(file, flags),
        source: RecipeSource {
            #[cfg(feature = "kube")]
            positions: document.map(|document| source_positions(document, &flags.config)).unwrap_or_default(),
            recipe_dir,
        },
    };
    validator.check_values_against_each_other(file, flags, &recipe);
    validator.into_result()?;
    Ok(recipe)
}

/// Parses the roots and sysroots of flags alone.
pub(super) fn root_overrides_from_flags(flags: &RecipeOverrides) -> Result<Vec<RootOverride>, RecipeError> {
    let mut validator = Validator::new(None);
    let roots = validator.parse_root_overrides(&RecipeFile::default(), flags, Path::new("."))?;
    validator.into_result()?;
    Ok(roots)
}

#[cfg(feature = "kube")]
impl Validator<'_> {
    /// Reports values of `recipe` that contradict each other.
    fn check_values_against_each_other(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
        recipe: &Recipe,
    ) {
        self.check_variables(file, recipe);
        self.check_reserved_label(file, recipe);
        self.check_contract_not_empty(file, flags, recipe);
    }

    /// Reports variables of `[[variable]]` that have a value in `env`, too.
    fn check_variables(&mut self, file: &RecipeFile, recipe: &Recipe) {
        for variable in &file.variable {
            let name = variable.0.name.get_ref();
            if recipe.image.env.contains_key(name) {
                let message =
                    format!("the variable `{}` has a value in `env` already", escape_bytes(name.as_bytes()));
                let origin = ValueOrigin::File(variable.0.name.span());
                self.report(&origin, message, Some("remove one of them".into()));
            }
        }
    }

    /// Reports a label with the name of the contract's.
    fn check_reserved_label(&mut self, file: &RecipeFile, recipe: &Recipe) {
        if recipe.image.labels.contains_key(CONTRACT_LABEL) {
            let message = format!("`{CONTRACT_LABEL}` is a reserved label, which Coracle writes");
            let in_file = file.image.0.labels.get(CONTRACT_LABEL);
            let origin =
                in_file.map_or(ValueOrigin::Flag("--label"), |label| ValueOrigin::File(label.span()));
            self.report(&origin, message, Some("remove the label".into()));
        }
    }

    /// Reports a problem if a contract is to be published, but the image has no configuration.
    fn check_contract_not_empty(&mut self, file: &RecipeFile, flags: &RecipeOverrides, recipe: &Recipe) {
        let raw = flag_or_file(&file.image.0.publish_contract, &flags.publish_contract, "--publish-contract");
        // Problems of the configuration are reported already.
        let Some(raw) = raw.filter(|_| recipe.config.is_empty() && self.problems.is_empty()) else {
            return;
        };
        self.report(
            &raw.origin,
            "there is no contract to publish: the image has no configuration".into(),
            Some(
                "declare it with `--config config/:/etc/app` or `[[config]]`, or do not publish a contract"
                    .into(),
            ),
        );
    }
}

/// Without the feature `kube`, images have no contract.
#[cfg(not(feature = "kube"))]
impl Validator<'_> {
    /// Reports a contract that is to be published.
    fn check_values_against_each_other(&mut self, file: &RecipeFile, flags: &RecipeOverrides, _: &Recipe) {
        let raw = flag_or_file(&file.image.0.publish_contract, &flags.publish_contract, "--publish-contract");
        if let Some(raw) = raw {
            let message = "there is no contract to publish: Coracle was built without the feature `kube`";
            self.report(&raw.origin, message.into(), Some("build Coracle with the feature `kube`".into()));
        }
    }
}
