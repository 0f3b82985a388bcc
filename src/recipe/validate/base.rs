//! The base image: `base` and `--base`.

use std::path::Path;

use super::super::{RecipeOverrides, schema};
use super::{RawValue, Validator, ValueOrigin, flag_or_file};
use coracle_oci::copy::{ImageLocation, ParseLocationError, RegistryImageName};

/// Values that mean no base image.
const NO_BASE: [&str; 2] = ["", "scratch"];

impl Validator<'_> {
    /// Parses the location of the base image. A relative path in the recipe starts at the recipe's
    /// folder.
    pub(super) fn base(
        &mut self,
        file: &schema::RecipeFile,
        flags: &RecipeOverrides,
        folder: &Path,
    ) -> Option<ImageLocation> {
        let word = flag_or_file(&file.image.0.base, &flags.base, "--base")?;
        if NO_BASE.contains(&word.value.as_str()) {
            return None;
        }
        let mut place = self.image_location(&word)?;
        if let ImageLocation::Engine(named) = &place {
            let message =
                format!("`{named}` cannot be a base image: it must be in an image layout or at a registry");
            let hint = format!("copy it here first: `coracle copy {named} oci:base`, then name `oci:base`");
            self.report(&word.origin, message, Some(hint));
            return None;
        }
        if let (ImageLocation::OnDisk(local), ValueOrigin::File(_), false) =
            (&mut place, &word.origin, folder == Path::new("."))
        {
            local.path = folder.join(&local.path);
        }
        Some(place)
    }

    /// Parses the location of an image, or its name at a registry.
    pub(super) fn image_location(&mut self, word: &RawValue) -> Option<ImageLocation> {
        // `debian:12` and `oci:dir` look alike, but a transport is not an image name.
        if !ImageLocation::has_transport(&word.value)
            && let Ok(named) = word.value.parse::<RegistryImageName>()
        {
            return Some(ImageLocation::Registry(named));
        }
        self.parse_value(word, |error: &ParseLocationError| Some(error.hint()))
    }
}
