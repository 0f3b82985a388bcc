//! Image sizes, and the change from the previous image.

use std::collections::BTreeSet;
use std::fmt;

use super::destinations::Destinations;
use super::{Built, Error, Settings};
use crate::recipe::{Budget, Recipe};
use coracle_core::byte_size::ByteSize;
use coracle_core::digest::Digest;
use coracle_core::note::Note;
use coracle_core::platform::Platform;
use coracle_oci::copy::{self, ImageLocation};
use coracle_oci::image::{Image, ImageSet};
use coracle_oci::layout::{self, ImageSource, ParsedImage};
use coracle_oci::registry::{Access, Repository};

/// The size of the image of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlatformSize {
    /// The platform.
    pub platform: Platform,
    /// The size of its layers including the base image's, its config and its manifest, in bytes:
    /// what a node pulls.
    pub size: u64,
    /// The number of its layers in [`Built::layers`], which are in the order of the platforms.
    pub layer_count: usize,
    /// The previous image for this platform. `None` if there is none, or no comparison was
    /// requested.
    pub previous: Option<PreviousSize>,
}

/// The size of the previous image of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PreviousSize {
    /// Its location, as an argument of commands.
    pub location: String,
    /// Its size in bytes, counted as [`Weight::size`].
    pub size: u64,
}

/// The previous image, which a new one is compared with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PreviousImage {
    /// Its location, as an argument of commands.
    pub place: String,
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// The size of the images of all platforms and of the index, in bytes.
    pub size: u64,
    sizes: Vec<(Platform, u64)>,
    layers: BTreeSet<Digest>,
}

/// The difference of two sizes.
#[derive(Clone, Copy, Debug)]
pub struct SizeDelta {
    /// The previous size, in bytes.
    pub before: u64,
    /// The new size, in bytes.
    pub now: u64,
}

impl PlatformSize {
    fn from_image(image: &Image) -> Self {
        let (platform, layer_count) = (image.platform().clone(), image.packed_layers().len());
        Self { platform, size: image.total_size(), layer_count, previous: None }
    }

    /// Returns the sizes of the image of each platform of `root`.
    pub(super) fn of_all_platforms(root: &ImageSet) -> Vec<Self> {
        root.images().iter().map(Self::from_image).collect()
    }

    /// Returns the change from the previous image.
    pub fn delta(&self) -> Option<SizeDelta> {
        self.previous.as_ref().map(|before| SizeDelta { before: before.size, now: self.size })
    }
}

impl SizeDelta {
    /// Formats the change compared with the image at `place`.
    pub fn compared_with(&self, place: &str) -> String {
        if self.now == self.before {
            format!("the same size as {place}")
        } else {
            format!("{self} than {place}")
        }
    }
}

impl fmt::Display for SizeDelta {
    /// `1.10 MB (9.8 %) more`, `100 B (0.1 %) less`, or `the same`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, word) = match self.now.checked_sub(self.before) {
            Some(0) => return f.write_str("the same"),
            Some(more) => (more, "more"),
            None => (self.before - self.now, "less"),
        };
        write!(f, "{}", ByteSize(by))?;
        if self.before > 0 {
            let before = u128::from(self.before);
            let tenths = (u128::from(by) * 1000 + before / 2) / before;
            write!(f, " ({}.{} %)", tenths / 10, tenths % 10)?;
        }
        write!(f, " {word}")
    }
}

impl PreviousImage {
    fn from_image(stored: &ParsedImage) -> Result<Self, layout::LayoutError> {
        let root = stored.source.require_root_manifest()?;
        let sizes: Vec<(Platform, u64)> =
            stored.images.iter().map(|image| (image.platform.clone(), image.total_size())).collect();
        let is_index = stored.images.iter().all(|image| image.digest() != Some(root.digest));
        let index = if is_index { root.bytes.len() as u64 } else { 0 };
        let layers = stored.images.iter().flat_map(|image| &image.layers);
        Ok(Self {
            place: stored.source.location.clone(),
            digest: root.digest,
            size: sizes.iter().map(|(_, size)| size).sum::<u64>() + index,
            sizes,
            layers: layers.filter_map(|layer| Some(layer.descriptor.as_ref()?.digest)).collect(),
        })
    }

    /// Reads the image at `place`. Fails if there is none.
    fn read_at(place: &ImageLocation, settings: &Settings) -> Result<Self, Error> {
        let stored = match (place, &settings.registry_client) {
            (ImageLocation::OnDisk(destination), _) => layout::read_image(destination)?,
            (ImageLocation::Registry(_) | ImageLocation::Engine(_), Some(client)) => {
                copy::read_image(place, client)?
            }
            (ImageLocation::Registry(_) | ImageLocation::Engine(_), None) => {
                return Err(Error::NoRegistryClient(place.clone()));
            }
        };
        Ok(Self::from_image(&stored)?)
    }

    /// Returns the images that a new one replaces: those at its first destinations, until each
    /// platform has one.
    fn find_replaced(
        recipe: &Recipe,
        settings: &Settings,
        destinations: &Destinations,
        platforms: &[&Platform],
    ) -> Result<Vec<Self>, Error> {
        let local = destinations
            .local
            .iter()
            .map(|destination| layout::find_replaced_image(destination, &recipe.names));
        let remote = settings.registry_client.iter().flat_map(|client| {
            destinations.remote.iter().map(move |named| {
                // With push access: registries may hide from anonymous clients that an image does
                // not exist.
                let remote = client.repository_client(&Repository::from(&named.reference), &Access::push());
                let place = ImageLocation::Registry(named.clone()).to_string();
                ImageSource::find_at_registry(remote, named.manifest_reference(), place, named.to_string())
            })
        });
        let mut found: Vec<Self> = Vec::new();
        for origin in local.chain(remote) {
            if let Some(origin) = origin? {
                found.push(Self::from_image(&origin.parse()?)?);
            }
            let has = |platform| found.iter().any(|previous| previous.size_for(platform).is_some());
            if platforms.iter().all(|platform| has(platform)) {
                break;
            }
        }
        Ok(found)
    }

    /// Returns the size for the platform, or else for one that differs only by a missing variant.
    fn size_for(&self, platform: &Platform) -> Option<u64> {
        let same = self.sizes.iter().find(|(found, _)| found == platform);
        let is_kin = |found: &Platform| {
            found.matches_ignoring_variant(platform)
                && (found.variant.is_none() || platform.variant.is_none())
        };
        same.or_else(|| self.sizes.iter().find(|(found, _)| is_kin(found))).map(|(_, size)| *size)
    }
}

/// The budget of an image, and the images that it is compared with.
pub(super) struct SizeComparison<'a> {
    pub(super) budget: &'a Budget,
    /// The first with an image for a platform is used for that platform.
    previous: Vec<PreviousImage>,
    /// Why the comparison that was requested is not possible.
    note: Option<Note>,
}

impl<'a> SizeComparison<'a> {
    /// Finds the previous image of each platform, if a comparison is requested.
    ///
    /// # Errors
    /// Fails if a budget needs the image and it cannot be read.
    pub(super) fn find_previous(
        recipe: &'a Recipe,
        settings: &Settings,
        destinations: &Destinations,
        platforms: &[&Platform],
    ) -> Result<Self, Error> {
        let budget = &recipe.budget;
        let replaced = || PreviousImage::find_replaced(recipe, settings, destinations, platforms);
        let (previous, note) = match (&budget.previous, &budget.growth) {
            (Some(place), _) => (vec![PreviousImage::read_at(place, settings)?], None),
            (None, Some(_)) => (replaced().map_err(with_previous_hint)?, None),
            (None, None) if !settings.compare_with_previous => (Vec::new(), None),
            // Only for a report: no reason to fail.
            (None, None) => match replaced() {
                Ok(previous) => (previous, None),
                Err(error) => {
                    let why = format!("cannot compare with the image that is replaced: {error}");
                    (Vec::new(), Some(Note::Warning(why)))
                }
            },
        };
        Ok(Self { budget, previous, note })
    }

    /// Returns the sizes of `root`, compared with the previous image.
    pub(super) fn measure(&self, root: &ImageSet) -> Vec<PlatformSize> {
        PlatformSize::of_all_platforms(root).into_iter().map(|weight| self.with_previous(weight)).collect()
    }

    /// Adds the comparison with the previous image to `built`.
    pub(super) fn add_to(&self, built: Built) -> Built {
        let weights: Vec<PlatformSize> =
            built.platform_sizes.into_iter().map(|weight| self.with_previous(weight)).collect();
        let mut notes = built.notes;
        notes.extend(self.note.clone());
        notes.extend(self.unchecked_growth_hints(&weights));
        let previous = self.first_previous(&weights).cloned();
        Built { platform_sizes: weights, notes, previous, ..built }
    }

    /// Whether a previous image has this layer.
    pub(super) fn had_layer(&self, layer: &Digest) -> bool {
        self.previous.iter().any(|previous| previous.layers.contains(layer))
    }

    /// Returns the previous image of the first platform that has one, else the first of all.
    fn first_previous(&self, weights: &[PlatformSize]) -> Option<&PreviousImage> {
        let before = weights.iter().find_map(|weight| weight.previous.as_ref());
        let counts =
            |previous: &&PreviousImage| before.is_some_and(|before| before.location == previous.place);
        self.previous.iter().find(counts).or(self.previous.first())
    }

    fn with_previous(&self, weight: PlatformSize) -> PlatformSize {
        let before = self.previous.iter().find_map(|previous| {
            Some(PreviousSize {
                location: previous.place.clone(),
                size: previous.size_for(&weight.platform)?,
            })
        });
        PlatformSize { previous: before, ..weight }
    }

    /// Returns hints about platforms whose growth could not be checked.
    fn unchecked_growth_hints(&self, weights: &[PlatformSize]) -> Vec<Note> {
        let Some(limit) = &self.budget.growth else { return Vec::new() };
        let Some(previous) = self.previous.first() else {
            return vec![Note::Hint(format!(
                "no image exists at the destination yet, so {} was not checked; name one with `--previous IMAGE`",
                limit.setting
            ))];
        };
        let lacking = weights.iter().filter(|weight| weight.previous.is_none());
        let hint = |weight: &PlatformSize| {
            let (place, platform) = (&previous.place, &weight.platform);
            Note::Hint(format!(
                "`{place}` has no image for {platform}, so {} was not checked for it",
                limit.setting
            ))
        };
        lacking.map(hint).collect()
    }
}

/// Adds the hint that a damaged previous image can be replaced by `--previous`.
fn with_previous_hint(error: Error) -> Error {
    match error {
        Error::Layout(layout::LayoutError::UnreadableImage { image, why, hint: None }) => {
            let hint = Some("name another image to compare with: `--previous IMAGE`".into());
            Error::Layout(layout::LayoutError::UnreadableImage { image, why, hint })
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_changes() {
        for (before, now, expected) in [
            (11_200_000, 12_300_000, "1.10 MB (9.8 %) more"),
            (1000, 999, "1 B (0.1 %) less"),
            (5, 5, "the same"),
            (0, 7, "7 B more"),
            (2, 5, "3 B (150.0 %) more"),
        ] {
            assert_eq!(SizeDelta { before, now }.to_string(), expected);
        }
    }
}
