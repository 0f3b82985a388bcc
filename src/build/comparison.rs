//! What an image weighs, and beside the one before it.

use std::collections::BTreeSet;
use std::fmt;

use super::destinations::Destinations;
use super::{Built, Error, Settings};
use crate::digest::Digest;
use crate::image::{Image, Root};
use crate::note::Note;
use crate::platform::Platform;
use crate::recipe::{Budget, Recipe};
use crate::registry::{Access, Repository};
use crate::size::Size;
use crate::store::{self, Origin, Stored};
use crate::transfer::{self, Place};

/// The image of one platform in figures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weight {
    /// For which platform.
    pub platform: Platform,
    /// Bytes of its layers, those of a base too, its config and its manifest: what a node pulls.
    pub size: u64,
    /// How many of [`Built::layers`] are its own; they stand there in the order of the platforms.
    pub layers: usize,
    /// The image before; nothing where there is none for this platform, or nobody looked.
    pub before: Option<Before>,
}

/// The image of one platform that another one is compared with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Before {
    /// Where it is, as a command takes it.
    pub place: String,
    /// Bytes, as of [`Weight::size`].
    pub size: u64,
}

/// The image that another one is compared with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Previous {
    /// Where it is, as a command takes it.
    pub place: String,
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// Bytes of all its images, and of its index when it has one.
    pub size: u64,
    sizes: Vec<(Platform, u64)>,
    layers: BTreeSet<Digest>,
}

/// How far one size is from another.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// Bytes before.
    pub before: u64,
    /// Bytes now.
    pub now: u64,
}

impl Weight {
    fn of(image: &Image) -> Self {
        let (platform, layers) = (image.platform().clone(), image.layers().len());
        Self { platform, size: image.size(), layers, before: None }
    }

    /// The image of each platform of `root`.
    pub(super) fn all(root: &Root) -> Vec<Self> {
        root.images().iter().map(Self::of).collect()
    }

    /// How it differs from the image before.
    pub fn change(&self) -> Option<Change> {
        self.before.as_ref().map(|before| Change { before: before.size, now: self.size })
    }
}

impl Change {
    /// In words, before what it differs from.
    pub fn than(&self, place: &str) -> String {
        if self.now == self.before {
            format!("the same size as {place}")
        } else {
            format!("{self} than {place}")
        }
    }
}

impl fmt::Display for Change {
    /// `1.10 MB (9.8 %) more`, `100 B (0.1 %) less`, or `the same`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, word) = match self.now.checked_sub(self.before) {
            Some(0) => return f.write_str("the same"),
            Some(more) => (more, "more"),
            None => (self.before - self.now, "less"),
        };
        write!(f, "{}", Size(by))?;
        if self.before > 0 {
            let before = u128::from(self.before);
            let tenths = (u128::from(by) * 1000 + before / 2) / before;
            write!(f, " ({}.{} %)", tenths / 10, tenths % 10)?;
        }
        write!(f, " {word}")
    }
}

impl Previous {
    fn of(stored: &Stored) -> Result<Self, store::Error> {
        let root = stored.origin.manifest()?;
        let sizes: Vec<(Platform, u64)> =
            stored.images.iter().map(|image| (image.platform.clone(), image.size())).collect();
        let is_index = stored.images.iter().all(|image| image.digest() != Some(root.digest));
        let index = if is_index { root.bytes.len() as u64 } else { 0 };
        let layers = stored.images.iter().flat_map(|image| &image.layers);
        Ok(Self {
            place: stored.origin.place.clone(),
            digest: root.digest,
            size: sizes.iter().map(|(_, size)| size).sum::<u64>() + index,
            sizes,
            layers: layers.filter_map(|layer| Some(layer.descriptor.as_ref()?.digest)).collect(),
        })
    }

    /// The image at `place`, which has to be there.
    fn at(place: &Place, settings: &Settings) -> Result<Self, Error> {
        let stored = match (place, &settings.client) {
            (Place::Local(destination), _) => store::open(destination)?,
            (Place::Remote(_) | Place::Engine(_), Some(client)) => transfer::open(place, client)?,
            (Place::Remote(_) | Place::Engine(_), None) => return Err(Error::NoClient(place.clone())),
        };
        Ok(Self::of(&stored)?)
    }

    /// The images that a new one replaces: those at its first destinations, until each platform has one.
    fn replaced(
        recipe: &Recipe,
        settings: &Settings,
        destinations: &Destinations,
        platforms: &[&Platform],
    ) -> Result<Vec<Self>, Error> {
        let local = destinations.local.iter().map(|destination| store::replaced(destination, &recipe.names));
        let remote = settings.client.iter().flat_map(|client| {
            destinations.remote.iter().map(move |named| {
                // As who pushes: a registry may not tell a stranger that there is nothing.
                let remote = client.open(&Repository::from(&named.reference), &Access::push());
                let place = Place::Remote(named.clone()).to_string();
                Origin::at_registry(remote, named.target(), place, named.to_string())
            })
        });
        let mut found: Vec<Self> = Vec::new();
        for origin in local.chain(remote) {
            if let Some(origin) = origin? {
                found.push(Self::of(&origin.read()?)?);
            }
            let has = |platform| found.iter().any(|previous| previous.size_for(platform).is_some());
            if platforms.iter().all(|platform| has(platform)) {
                break;
            }
        }
        Ok(found)
    }

    /// Of the image for the same platform, else of one that leaves the variant open, or has one where this has none.
    fn size_for(&self, platform: &Platform) -> Option<u64> {
        let same = self.sizes.iter().find(|(found, _)| found == platform);
        let is_kin = |found: &Platform| {
            found.is_kin_of(platform) && (found.variant.is_none() || platform.variant.is_none())
        };
        same.or_else(|| self.sizes.iter().find(|(found, _)| is_kin(found))).map(|(_, size)| *size)
    }
}

/// An image's budget, and what it is compared with.
pub(super) struct Comparison<'a> {
    pub(super) budget: &'a Budget,
    /// The first that has an image for a platform counts.
    previous: Vec<Previous>,
    /// Why there is nothing to compare with, though somebody would have liked it.
    note: Option<Note>,
}

impl<'a> Comparison<'a> {
    /// Looks for the image before of each platform, where somebody asks for it.
    ///
    /// # Errors
    /// When a budget needs it, and it can't be read.
    pub(super) fn of(
        recipe: &'a Recipe,
        settings: &Settings,
        destinations: &Destinations,
        platforms: &[&Platform],
    ) -> Result<Self, Error> {
        let budget = &recipe.budget;
        let replaced = || Previous::replaced(recipe, settings, destinations, platforms);
        let (previous, note) = match (&budget.previous, &budget.growth) {
            (Some(place), _) => (vec![Previous::at(place, settings)?], None),
            (None, Some(_)) => (replaced().map_err(advised)?, None),
            (None, None) if !settings.compares => (Vec::new(), None),
            // A report is no reason to fail.
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

    /// The figures of `root` beside those of the image before.
    pub(super) fn weigh(&self, root: &Root) -> Vec<Weight> {
        Weight::all(root).into_iter().map(|weight| self.beside(weight)).collect()
    }

    /// `built` beside the image before.
    pub(super) fn seen(&self, built: Built) -> Built {
        let weights: Vec<Weight> = built.weights.into_iter().map(|weight| self.beside(weight)).collect();
        let mut notes = built.notes;
        notes.extend(self.note.clone());
        notes.extend(self.missing(&weights));
        let previous = self.first(&weights).cloned();
        Built { weights, notes, previous, ..built }
    }

    /// Whether this layer is one of an image before.
    pub(super) fn has(&self, layer: &Digest) -> bool {
        self.previous.iter().any(|previous| previous.layers.contains(layer))
    }

    /// The one that counts for the first platform that has one, else the first of all.
    fn first(&self, weights: &[Weight]) -> Option<&Previous> {
        let before = weights.iter().find_map(|weight| weight.before.as_ref());
        let counts = |previous: &&Previous| before.is_some_and(|before| before.place == previous.place);
        self.previous.iter().find(counts).or(self.previous.first())
    }

    fn beside(&self, weight: Weight) -> Weight {
        let before = self.previous.iter().find_map(|previous| {
            Some(Before { place: previous.place.clone(), size: previous.size_for(&weight.platform)? })
        });
        Weight { before, ..weight }
    }

    /// What `growth` did not hold.
    fn missing(&self, weights: &[Weight]) -> Vec<Note> {
        let Some(limit) = &self.budget.growth else { return Vec::new() };
        let Some(previous) = self.previous.first() else {
            return vec![Note::Hint(format!(
                "no image exists at the destination yet, so {} was not checked; name one with `--previous IMAGE`",
                limit.setting
            ))];
        };
        let lacking = weights.iter().filter(|weight| weight.before.is_none());
        let told = |weight: &Weight| {
            let (place, platform) = (&previous.place, &weight.platform);
            Note::Hint(format!("`{place}` has no image for {platform}, so {} was not checked for it", limit.setting))
        };
        lacking.map(told).collect()
    }
}

/// A damaged image need not keep a new one from its place.
fn advised(error: Error) -> Error {
    match error {
        Error::Store(store::Error::Unreadable { image, why, hint: None }) => {
            let hint = Some("name another image to compare with: `--previous IMAGE`".into());
            Error::Store(store::Error::Unreadable { image, why, hint })
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_words() {
        for (before, now, expected) in [
            (11_200_000, 12_300_000, "1.10 MB (9.8 %) more"),
            (1000, 999, "1 B (0.1 %) less"),
            (5, 5, "the same"),
            (0, 7, "7 B more"),
            (2, 5, "3 B (150.0 %) more"),
        ] {
            assert_eq!(Change { before, now }.to_string(), expected);
        }
    }
}
