//! Whether a build would only do once more what an earlier one has done.
//!
//! An earlier build is found by what was asked for: the recipe, the settings, the configuration's bytes, the working
//! directory, the program that builds. It counts when everything that it looked at on the host is as it was, and the
//! image is still where it was written or sent to. docs/cache.md says it to users.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::destinations::Destinations;
use super::{Below, Built, Delivery, Error, Plan, Settings, Weight, ground};
use coracle_oci::cache::Cache;
use coracle_kube::contract::Contract;
use coracle_core::digest::{DiffId, Digest, Hasher};
use coracle_oci::layer::{Codec, Layer};
use coracle_core::note::Note;
use coracle_core::platform::Platform;
use crate::recipe::Recipe;
use crate::rootfs::{Owner, Stratum};
use coracle_oci::layout::{Destination, Entries, Traces};
use coracle_oci::copy::{Named, Routes, Sent};
use coracle_core::input_tracker::{Testimony, Witness};
use coracle_kube::config;
use coracle_core::fs;
use coracle_core::json;
use coracle_oci::copy;

/// Some more than what a clock of files takes to tick.
const TICK: Duration = Duration::from_millis(25);

/// Where an earlier build of the same would be.
pub(super) struct Unchanged<'a> {
    cache: &'a Cache,
    key: Digest,
    /// The configuration's bytes, as they were before it was rendered.
    configuration: Digest,
    /// The image that the base's name stood for.
    base: Option<Digest>,
    /// When this build began to look, in seconds and nanoseconds; nothing before, and where no clock can be read.
    began: Option<(i64, i64)>,
}

/// What an earlier build has led to, as it is kept: a line of JSON. The [`Testimony`] stands behind it.
#[derive(Serialize, Deserialize)]
struct Summary {
    digest: String,
    platforms: Vec<String>,
    /// Of the image of each platform: its bytes, and how many layers are its own.
    weights: Vec<(u64, usize)>,
    layers: Vec<LayerSummary>,
    below: Vec<BelowSummary>,
    user: (u32, u32),
    size: u64,
    files: usize,
    contract: Contract,
    warnings: Vec<String>,
    hints: Vec<String>,
    entries: Vec<Entries>,
    /// The contract's artifact at a registry.
    published: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct LayerSummary {
    digest: String,
    diff_id: String,
    size: u64,
    unpacked: u64,
    media_type: String,
    stratum: String,
}

impl<'a> Unchanged<'a> {
    /// Nothing without a cache, and when part of the configuration is piped in, so that it has no fingerprint.
    pub(super) fn of(
        recipe: &Recipe,
        settings: &'a Settings,
        destinations: &Destinations,
        configuration: Option<Digest>,
    ) -> Result<Option<Self>, Error> {
        let Some(cache) = settings.cache.as_deref().filter(|cache| cache.has_records()) else {
            return Ok(None);
        };
        let Some(configuration) = configuration else { return Ok(None) };
        let places = destinations.on_disk().map(Destination::place);
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let folder = fs::absolute(std::path::Path::new("."))?;
        let Settings {
            epoch,
            private_dirs,
            cache: _,
            client: _,
            scratch: _,
            shared: _,
            engines: _,
            compares: _,
        } = settings;
        let base = ground::pin(recipe, settings)?;
        // The debug form of a recipe has all of it, whatever is added to it; but how it runs, where that is said and how
        // large it may be make no image.
        let (kubernetes, places_in_file, budget) = Default::default();
        let recipe = Recipe { kubernetes, places: places_in_file, budget, ..recipe.clone() };
        let asked = format!(
            "{}\n{base:?}\n{configuration}\n{places:?}\n{folder:?}\n{epoch}\n{private_dirs:?}\n{recipe:?}",
            cache.tool()
        );
        let mut hasher = Hasher::default();
        hasher.update(asked.as_bytes());
        Ok(Some(Self { cache, key: hasher.finish(), configuration, base, began: None }))
    }

    /// The base that the key was made of; its tag may lead elsewhere by now.
    pub(super) fn base(&self) -> Option<Digest> {
        self.base
    }

    /// The build begins now. Programs that were made in this very tick of the clock are given time: another change in it
    /// would not show, so that no record could be kept.
    pub(super) fn begin(self, recipe: &Recipe) -> Self {
        let began = self.cache.now();
        let mut programs =
            recipe.programs.iter().filter_map(|program| fs::stat(&recipe.locate(&program.from)).ok());
        let is_young = |moment| programs.any(|program| !program.is_settled_by(moment));
        if !began.is_some_and(is_young) {
            return Self { began, ..self };
        }
        std::thread::sleep(TICK);
        Self { began: self.cache.now(), ..self }
    }

    /// The image of the earlier build, if it counts.
    ///
    /// # Errors
    /// When a registry where it should be can't be asked.
    pub(super) fn recall(
        &self,
        recipe: &Recipe,
        settings: &Settings,
        destinations: &Destinations,
        routes: &Routes,
    ) -> Result<Option<Built>, Error> {
        let Some((built, published)) = self.recorded(recipe, destinations) else { return Ok(None) };
        // The registries are asked last: that takes longest.
        if !routes.lead_to(built.digest)? {
            return Ok(None);
        }
        let is_there = match (destinations.contract_at_registry(settings)?, published) {
            (None, _) => true,
            (Some((named, client)), Some(digest)) => copy::has(named, digest, client)?,
            (Some(_), None) => false,
        };
        Ok(is_there.then_some(built))
    }

    /// Whether the earlier build still counts, as far as this machine knows.
    pub(super) fn holds(&self, recipe: &Recipe, destinations: &Destinations) -> bool {
        self.recorded(recipe, destinations).is_some()
    }

    /// What the record of the earlier build says, if that is true of all that is on disk.
    fn recorded(&self, recipe: &Recipe, destinations: &Destinations) -> Option<(Built, Option<Digest>)> {
        let record = self.cache.record(self.key)?;
        let end = record.iter().position(|&byte| byte == b'\n')?;
        let (summary, testimony) = record.split_at_checked(end)?;
        let summary: Summary = serde_json::from_slice(summary).ok()?;
        let testimony = Testimony::parse(testimony.get(1..)?)?;
        let is_there = testimony.holds() && summary.entries.iter().all(Entries::are_there);
        let published = summary.published.as_ref().and_then(|digest| digest.parse().ok());
        let built = if is_there { summary.built(recipe, destinations) } else { None };
        built.map(|built| (built, published))
    }

    /// Keeps what this build has led to, unless a later change to what it depends on might not show.
    pub(super) fn remember(
        &self,
        recipe: &Recipe,
        built: &Built,
        published: Option<Digest>,
        plans: &[Plan],
        mut witness: Witness,
        traces: Traces,
    ) {
        // What was rendered must be what the key was made of.
        if config::fingerprint(&recipe.config) != Some(self.configuration) {
            return self.cache.forget_record(self.key);
        }
        let seen = traces.files.into_iter().try_for_each(|file| witness.wrote(file)).ok();
        let testimony = seen.and(self.began).and_then(|began| witness.testify(began));
        let told = plans.iter().flat_map(|plan| &plan.notes).chain(&built.notes);
        let summary = json::to_bytes(&Summary::of(built, published, told, traces.entries)).ok();
        match testimony.zip(summary) {
            Some((testimony, mut record)) => {
                record.push(b'\n');
                record.extend(testimony.to_bytes());
                self.cache.keep_record(self.key, &record);
            }
            None => self.cache.forget_record(self.key),
        }
    }
}

impl Summary {
    fn of<'a>(
        built: &Built,
        published: Option<Digest>,
        told: impl Iterator<Item = &'a Note>,
        entries: Vec<Entries>,
    ) -> Self {
        let (mut warnings, mut hints) = (Vec::new(), Vec::new());
        for note in told {
            match note {
                Note::Warning(text) => warnings.push(text.clone()),
                Note::Hint(text) => hints.push(text.clone()),
            }
        }
        Self {
            digest: built.digest.to_string(),
            platforms: built.platforms.iter().map(ToString::to_string).collect(),
            weights: built.weights.iter().map(|weight| (weight.size, weight.layers)).collect(),
            layers: built.layers.iter().map(LayerSummary::of).collect(),
            below: built.below.iter().map(BelowSummary::of).collect(),
            user: (built.user.uid, built.user.gid),
            size: built.size,
            files: built.files,
            contract: built.contract.clone(),
            warnings,
            hints,
            entries,
            published: published.map(|digest| digest.to_string()),
        }
    }

    /// The image again; nothing when a word is not what this version writes.
    fn built(self, recipe: &Recipe, destinations: &Destinations) -> Option<Built> {
        let warnings = self.warnings.into_iter().map(Note::Warning);
        let platforms: Vec<Platform> =
            self.platforms.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
        let weight = |(platform, (size, layers)): (&Platform, (u64, usize))| Weight {
            platform: platform.clone(),
            size,
            layers,
            before: None,
        };
        Some(Built {
            references: recipe.names.clone(),
            digest: self.digest.parse().ok()?,
            weights: platforms.iter().zip(self.weights).map(weight).collect(),
            previous: None,
            platforms,
            layers: self.layers.iter().map(LayerSummary::layer).collect::<Option<_>>()?,
            below: self.below.into_iter().map(BelowSummary::below).collect::<Option<_>>()?,
            user: Owner { uid: self.user.0, gid: self.user.1 },
            size: self.size,
            files: self.files,
            destinations: destinations.places().collect(),
            sent: destinations.remote.iter().map(unchanged).collect(),
            loaded: Vec::new(),
            contract: self.contract,
            notes: warnings.chain(self.hints.into_iter().map(Note::Hint)).collect(),
            is_unchanged: true,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct BelowSummary {
    name: Option<String>,
    digest: String,
    layers: usize,
    size: u64,
    shared: usize,
}

impl BelowSummary {
    fn of(below: &Below) -> Self {
        let Below { name, digest, layers, size, shared } = below.clone();
        Self { name, digest: digest.to_string(), layers, size, shared }
    }

    fn below(self) -> Option<Below> {
        let Self { name, digest, layers, size, shared } = self;
        Some(Below { name, digest: digest.parse().ok()?, layers, size, shared })
    }
}

fn unchanged(named: &Named) -> Delivery {
    Delivery { to: named.reference.clone(), sent: Sent { is_unchanged: true, ..Sent::default() } }
}

impl LayerSummary {
    fn of(layer: &Layer) -> Self {
        Self {
            digest: layer.digest.to_string(),
            diff_id: layer.diff_id.to_string(),
            size: layer.size,
            unpacked: layer.unpacked,
            media_type: layer.media_type.into(),
            stratum: layer.stratum.to_string(),
        }
    }

    fn layer(&self) -> Option<Layer> {
        Some(Layer {
            digest: self.digest.parse().ok()?,
            diff_id: DiffId::new(self.diff_id.parse().ok()?),
            size: self.size,
            unpacked: self.unpacked,
            media_type: Codec::ALL
                .map(Codec::media_type)
                .into_iter()
                .find(|word| *word == self.media_type)?,
            stratum: Stratum::ALL.into_iter().find(|stratum| stratum.to_string() == self.stratum)?,
        })
    }
}
