//! The properties of a build that are known before any file of the image is read. They are computed once.

use super::contract;
use super::destinations::Destinations;
use super::error::Error;
use super::observer::{Observer, PublishDecision};
use super::recipe::Recipe;
use super::settings::Settings;
use coracle_core::digest::Digest;
use coracle_oci::copy::PushTargets;
use coracle_oci::layout::ImageNames;

/// A requested build: the arguments of [`super::build`], and what follows from them.
pub(crate) struct BuildRequest<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) settings: &'a Settings,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) destinations: Destinations,
    /// The names at registries. No request has been sent for them yet.
    pub(crate) push_targets: PushTargets,
    /// The fingerprint of the source files of the configuration. `None` if a file is piped in: it
    /// has no fingerprint and cannot change.
    config_fingerprint: Option<Digest>,
}

impl<'a> BuildRequest<'a> {
    /// Fails if a destination on disk cannot be written, or a registry client is missing.
    pub(crate) fn new(
        recipe: &'a Recipe,
        settings: &'a Settings,
        observer: &'a dyn Observer,
    ) -> Result<Self, Error> {
        let destinations = Destinations::from_recipe(recipe);
        destinations.check_writable()?;
        let push_targets = destinations.push_targets(recipe, settings)?;
        destinations.contract_at_registry(settings)?;
        #[cfg(feature = "sign")]
        crate::attestations::check_destinations(&settings.attestations, &destinations)?;
        let config_fingerprint = contract::config_fingerprint(recipe);
        Ok(Self { recipe, settings, observer, destinations, push_targets, config_fingerprint })
    }

    /// Returns the names of the image in layouts and archives.
    pub(crate) fn image_names(&self) -> ImageNames<'a> {
        let image = &self.recipe.image;
        ImageNames { names: &image.names, are_default: image.has_default_name || image.names.is_empty() }
    }

    /// Returns the fingerprint of the configuration, if it has one.
    pub(crate) fn config_fingerprint(&self) -> Option<Digest> {
        self.config_fingerprint
    }

    /// Returns whether the files of the configuration are the same as when the request was made.
    pub(crate) fn is_config_unchanged(&self) -> bool {
        contract::config_fingerprint(self.recipe) == self.config_fingerprint
    }

    /// Waits for the observer's decision to publish.
    ///
    /// # Errors
    /// Fails if the build is cancelled, or if inputs have changed and the observer requires that
    /// they have not.
    pub(crate) fn wait_for_publish(&self, are_files_unchanged: impl FnOnce() -> bool) -> Result<(), Error> {
        match self.observer.before_publish() {
            PublishDecision::PublishIfUnchanged if !(self.is_config_unchanged() && are_files_unchanged()) => {
                Err(Error::InputsChanged)
            }
            PublishDecision::Publish | PublishDecision::PublishIfUnchanged => Ok(()),
            PublishDecision::Cancel => Err(Error::cancelled()),
        }
    }
}
