//! Where the image goes, and its contract: `--output`, `publish-contract` and its flag.

use std::path::{Path, PathBuf};

use super::super::{Overrides, schema};
use super::{Check, Origin, of_flag, one};
use crate::config::Configuration;
use crate::fs;
use crate::store::{Destination, Kind, ParseDestinationError};

impl Check<'_> {
    /// Layouts may share a directory, with a tag each; nothing else can be in a place that is taken.
    pub(super) fn destinations(&mut self, flags: &Overrides) -> fs::Result<Vec<Destination>> {
        let mut found: Vec<(PathBuf, Destination)> = Vec::new();
        for word in of_flag(&flags.destinations, "--output") {
            let hint = |e: &ParseDestinationError| Some(e.hint());
            let Some(destination) = self.parsed::<Destination>(&word, hint) else { continue };
            let place = fs::absolute(&destination.path)?;
            let both_layouts =
                |other: &Destination| (other.kind, destination.kind) == (Kind::Layout, Kind::Layout);
            match found.iter().find(|(taken, other)| *taken == place && !both_layouts(other)) {
                Some((_, other)) => {
                    let message = format!("`{destination}` is the same place as `{other}`");
                    self.problem(&word.origin, message, Some("give each destination its own path".into()));
                }
                None => found.push((place, destination)),
            }
        }
        Ok(found.into_iter().map(|(_, destination)| destination).collect())
    }

    /// A layout, from the recipe's folder on where the recipe names it. It has no tag: an artifact is found by the digest
    /// of its image, and a tag beside the image's own would be taken for an image.
    pub(super) fn publish_contract(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
        folder: &Path,
    ) -> Option<Destination> {
        let word = one(&file.image.0.publish_contract, &flags.publish_contract, "--publish-contract")?;
        let mut destination =
            self.parsed::<Destination>(&word, |error: &ParseDestinationError| Some(error.hint()))?;
        if destination.kind != Kind::Layout {
            let message = format!("`{destination}` can't hold an artifact");
            self.problem(&word.origin, message, Some("write a layout: `oci:DIR`".into()));
        } else if destination.tag.is_some() {
            let plain = Destination { tag: None, ..destination.clone() };
            let message =
                format!("`{destination}`: a contract has no tag, it is found by the digest of its image");
            self.problem(&word.origin, message, Some(format!("write `{plain}`")));
        }
        if let (Origin::File(_), false) = (&word.origin, folder == Path::new(".")) {
            destination.path = folder.join(destination.path);
        }
        Some(destination)
    }
    /// What is asked to publish a contract publishes one.
    pub(super) fn anything_to_publish(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
        config: &Configuration,
    ) {
        let word = one(&file.image.0.publish_contract, &flags.publish_contract, "--publish-contract");
        // Configuration that is wrong was told.
        let Some(word) = word.filter(|_| config.is_empty() && self.problems.is_empty()) else { return };
        self.problem(
            &word.origin,
            "there is no contract to publish: the image has no configuration".into(),
            Some(
                "name it, as in `--config /etc/app=config/` or with `[[config]]`, or publish no contract"
                    .into(),
            ),
        );
    }
}
