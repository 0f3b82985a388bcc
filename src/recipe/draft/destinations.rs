//! Destinations of the image and of its contract: `--output`, `--push`, `publish-contract` and its
//! flag.

use std::path::Path;

use super::super::{Overrides, schema};
use super::{Check, Origin, of_flag, one};
use coracle_kube::config::Configuration;
use coracle_core::fs;
use coracle_oci::layout::{Destination, Kind};
use coracle_oci::copy::{ParseTargetError, Place};

impl Check<'_> {
    /// Parses `--output`. Several tags may go to one image layout; other destinations must differ.
    pub(super) fn destinations(&mut self, flags: &Overrides) -> fs::Result<Vec<Place>> {
        let mut found: Vec<Place> = Vec::new();
        for word in of_flag(&flags.destinations, "--output") {
            let hint = |error: &ParseTargetError| Some(error.hint());
            let Some(place) = self.legal(Place::target(&word.value), &word.origin, hint) else { continue };
            let mut taken = None;
            for other in &found {
                if taken.is_none() && collide(other, &place)? {
                    taken = Some(other);
                }
            }
            match taken {
                Some(other) => {
                    let message = format!("`{place}` is the same destination as `{other}`");
                    self.problem(
                        &word.origin,
                        message,
                        Some("give each `--output` its own destination".into()),
                    );
                }
                None => found.push(place),
            }
        }
        Ok(found)
    }

    /// Returns whether to push. Reports a problem if the image has no name.
    pub(super) fn push(&mut self, file: &schema::File, flags: &Overrides) -> bool {
        if flags.push && flags.names.is_empty() && file.image.0.name.is_none() {
            let table =
                self.document.map_or_else(|| "image".into(), |document| document.header(&(0..0), "image"));
            self.problem(
                &Origin::Flag("--push"),
                "the image has no name, so its registry is unknown".into(),
                Some(format!("name it: `--tag REGISTRY/NAME:TAG`, or `name` below `[{table}]`")),
            );
        }
        flags.push
    }

    /// Parses the destination of the contract: an image layout or a repository, without a tag. An
    /// artifact is found by the digest of its image, and a tag would be taken for an image. A
    /// relative path in the recipe starts at its folder.
    pub(super) fn publish_contract(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
        folder: &Path,
    ) -> Option<Place> {
        let word = one(&file.image.0.publish_contract, &flags.publish_contract, "--publish-contract")?;
        let hint = |error: &ParseTargetError| Some(error.hint());
        let mut place = self.legal(Place::target(&word.value), &word.origin, hint)?;
        let plain = match &mut place {
            Place::Local(destination) if destination.kind != Kind::Layout => {
                let message = format!("`{destination}` can't hold an artifact");
                self.problem(&word.origin, message, Some("write a layout: `oci:DIR`".into()));
                return Some(place);
            }
            Place::Local(destination) => {
                let plain = Destination { tag: None, ..destination.clone() };
                if let (Origin::File(_), false) = (&word.origin, folder == Path::new(".")) {
                    destination.path = folder.join(&destination.path);
                }
                plain.to_string()
            }
            Place::Remote(named) => format!("docker://{}", named.reference.name()),
            Place::Engine(named) => {
                let message = format!("`{named}` can't hold an artifact");
                let hint = "write a layout, `oci:DIR`, or a repository, `docker://NAME`";
                self.problem(&word.origin, message, Some(hint.into()));
                return Some(place);
            }
        };
        if plain != word.value {
            let message = format!(
                "`{}`: a contract is stored without a tag, and found by its image's digest",
                word.value
            );
            self.problem(&word.origin, message, Some(format!("write `{plain}`")));
        }
        Some(place)
    }

    /// Reports a problem if a contract is to be published, but the image has no configuration.
    pub(super) fn anything_to_publish(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
        config: &Configuration,
    ) {
        let word = one(&file.image.0.publish_contract, &flags.publish_contract, "--publish-contract");
        // Problems of the configuration are reported already.
        let Some(word) = word.filter(|_| config.is_empty() && self.problems.is_empty()) else { return };
        self.problem(
            &word.origin,
            "there is no contract to publish: the image has no configuration".into(),
            Some(
                "declare it with `--config /etc/app=config/` or `[[config]]`, or do not publish a contract"
                    .into(),
            ),
        );
    }
}

/// Whether both destinations would write to the same location.
fn collide(one: &Place, other: &Place) -> fs::Result<bool> {
    Ok(match (one, other) {
        (Place::Local(one), Place::Local(other)) => {
            let both_layouts = (one.kind, other.kind) == (Kind::Layout, Kind::Layout);
            !both_layouts && fs::absolute(&one.path)? == fs::absolute(&other.path)?
        }
        (Place::Remote(one), Place::Remote(other)) => {
            one.reference.full_name() == other.reference.full_name()
        }
        (Place::Engine(_), Place::Engine(_)) => one == other,
        _ => false,
    })
}
