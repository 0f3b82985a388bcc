//! The up-to-date check: finds the record of an earlier build whose inputs and outputs have not
//! changed.
//!
//! The key of a record is a hash of the request: recipe, settings, bytes of the configuration,
//! working directory and version of Coracle. A record is valid if all files that the build has read
//! are unchanged, and the image is still at its destinations. docs/cache.md documents this for
//! users.

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

/// Longer than the granularity of file timestamps.
const TICK: Duration = Duration::from_millis(25);

/// The record of a build in the cache, which may exist.
pub(super) struct Unchanged<'a> {
    cache: &'a Cache,
    key: Digest,
    /// The fingerprint of the configuration's bytes before rendering.
    configuration: Digest,
    /// The digest that the base image's name resolved to.
    base: Option<Digest>,
    /// When this build began to read inputs, in seconds and nanoseconds. `None` before, or if the
    /// clock of the cache's file system cannot be read.
    began: Option<(i64, i64)>,
}

/// The result of a build as it is recorded: a line of JSON, followed by the [`Testimony`].
#[derive(Serialize, Deserialize)]
struct Summary {
    digest: String,
    platforms: Vec<String>,
    /// For the image of each platform: size in bytes and number of its own layers.
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
    /// The digest of the contract's artifact at a registry.
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
    /// Computes the key of a build. `None` without a cache, or if configuration is piped in, which
    /// has no fingerprint.
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
        // The debug form of a recipe contains all fields, including future ones. These three do not
        // change the image.
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

    /// Returns the base image's digest in the key; its tag may have moved since.
    pub(super) fn base(&self) -> Option<Digest> {
        self.base
    }

    /// Records the start of the build. If a program was written in the current tick of the clock,
    /// waits for the next: a second change within the tick would be undetectable, and the build
    /// could not be recorded.
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

    /// Returns the recorded result if it is still valid.
    ///
    /// # Errors
    /// Fails if a registry with the image cannot be reached.
    pub(super) fn recall(
        &self,
        recipe: &Recipe,
        settings: &Settings,
        destinations: &Destinations,
        routes: &Routes,
    ) -> Result<Option<Built>, Error> {
        let Some((built, published)) = self.recorded(recipe, destinations) else { return Ok(None) };
        // Registries last: requests take longest.
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

    /// Whether the record is valid, without asking registries.
    pub(super) fn holds(&self, recipe: &Recipe, destinations: &Destinations) -> bool {
        self.recorded(recipe, destinations).is_some()
    }

    /// Returns the recorded result and the contract's digest, if all inputs and outputs on disk are
    /// unchanged.
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

    /// Records the result of this build, unless a later change of its inputs might be undetectable.
    pub(super) fn remember(
        &self,
        recipe: &Recipe,
        built: &Built,
        published: Option<Digest>,
        plans: &[Plan],
        mut witness: Witness,
        traces: Traces,
    ) {
        // The configuration may have changed since the key was computed.
        if config::fingerprint(&recipe.config) != Some(self.configuration) {
            return self.cache.forget_record(self.key);
        }
        let seen = traces.files.into_iter().try_for_each(|file| witness.wrote(file)).ok();
        let testimony = seen.and(self.began).and_then(|began| witness.testify(began));
        let notes = plans.iter().flat_map(|plan| &plan.notes).chain(&built.notes);
        let summary = json::to_bytes(&Summary::of(built, published, notes, traces.entries)).ok();
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
        notes: impl Iterator<Item = &'a Note>,
        entries: Vec<Entries>,
    ) -> Self {
        let (mut warnings, mut hints) = (Vec::new(), Vec::new());
        for note in notes {
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

    /// Returns the recorded result. `None` if a value cannot be parsed.
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
