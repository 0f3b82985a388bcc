//! The base image: `base` and `--base`.

use std::path::Path;

use super::super::{Overrides, schema};
use super::{Check, Origin, Word, one};
use coracle_oci::copy::{Named, ParsePlaceError, Place};

/// Values that mean no base image.
const NOTHING: [&str; 2] = ["", "scratch"];

impl Check<'_> {
    /// Parses the location of the base image. A relative path in the recipe starts at the recipe's
    /// folder.
    pub(super) fn base(&mut self, file: &schema::File, flags: &Overrides, folder: &Path) -> Option<Place> {
        let word = one(&file.image.0.base, &flags.base, "--base")?;
        if NOTHING.contains(&word.value.as_str()) {
            return None;
        }
        let mut place = self.image(&word)?;
        if let Place::Engine(named) = &place {
            let message =
                format!("`{named}` cannot be a base image: it must be in an image layout or at a registry");
            let hint = format!("copy it here first: `coracle copy {named} oci:base`, then name `oci:base`");
            self.problem(&word.origin, message, Some(hint));
            return None;
        }
        if let (Place::Local(local), Origin::File(_), false) =
            (&mut place, &word.origin, folder == Path::new("."))
        {
            local.path = folder.join(&local.path);
        }
        Some(place)
    }

    /// Parses the location of an image, or its name at a registry.
    pub(super) fn image(&mut self, word: &Word) -> Option<Place> {
        // `debian:12` and `oci:dir` look alike, but a transport is not an image name.
        if !Place::has_transport(&word.value)
            && let Ok(named) = word.value.parse::<Named>()
        {
            return Some(Place::Remote(named));
        }
        self.parsed(word, |error: &ParsePlaceError| Some(error.hint()))
    }
}
