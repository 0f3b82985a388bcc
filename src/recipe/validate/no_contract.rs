//! Checks of values against each other without the feature `kube`: images have no contract.

use super::validator::{Validator, flag_or_file};
use crate::recipe::groups::Recipe;
use crate::recipe::overrides::RecipeOverrides;
use crate::recipe::schema::RecipeFile;

impl Validator<'_> {
    /// Reports a contract that is to be published.
    pub(super) fn cross_check(&mut self, file: &RecipeFile, flags: &RecipeOverrides, _: &Recipe) {
        let word =
            flag_or_file(&file.image.0.publish_contract, &flags.publish_contract, "--publish-contract");
        if let Some(word) = word {
            let message = "there is no contract to publish: Coracle was built without the feature `kube`";
            self.report(&word.origin, message.into(), Some("build Coracle with the feature `kube`".into()));
        }
    }
}
