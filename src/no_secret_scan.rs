//! The secret scanner without the feature `scan`: it scans no file and finds nothing.

use super::error::Error;
use super::image_plan::Plan;
use super::recipe::Recipe;
use coracle_core::content_scanner::{ContentScanner, NoScanner};
use coracle_core::note::Note;
use coracle_oci::image::ImageConfig;

/// The scanner that finds nothing.
pub(crate) struct ImageScanner(NoScanner);

impl ImageScanner {
    /// Creates the scanner.
    pub(crate) fn new(_: &Recipe) -> Result<Self, Error> {
        Ok(Self(NoScanner))
    }

    /// Scans nothing.
    pub(crate) fn scan_plan(&mut self, _: &Plan, _: &ImageConfig) {}

    /// Returns the scanner that scans no file.
    pub(crate) fn content_scanner(&mut self) -> &mut dyn ContentScanner {
        &mut self.0
    }

    /// Returns true: there are no findings.
    pub(crate) fn is_clean(&self) -> bool {
        true
    }

    /// Returns no warnings.
    pub(crate) fn evaluate(self) -> Result<Vec<Note>, Error> {
        Ok(Vec::new())
    }
}
