//! Checks of values against each other.

use super::validator::{Validator, ValueOrigin, flag_or_file};
use crate::recipe::groups::Recipe;
use crate::recipe::overrides::RecipeOverrides;
use crate::recipe::schema::RecipeFile;
use coracle_core::path::escape_bytes;
use coracle_kube::contract::CONTRACT_LABEL;

impl Validator<'_> {
    /// Reports values of `recipe` that contradict each other.
    pub(super) fn cross_check(&mut self, file: &RecipeFile, flags: &RecipeOverrides, recipe: &Recipe) {
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
        let word =
            flag_or_file(&file.image.0.publish_contract, &flags.publish_contract, "--publish-contract");
        // Problems of the configuration are reported already.
        let Some(word) = word.filter(|_| recipe.config.is_empty() && self.problems.is_empty()) else {
            return;
        };
        self.report(
            &word.origin,
            "there is no contract to publish: the image has no configuration".into(),
            Some(
                "declare it with `--config /etc/app=config/` or `[[config]]`, or do not publish a contract"
                    .into(),
            ),
        );
    }
}
