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
use super::{BaseInfo, Built, Error, Plan, PlatformSize, RegistryPush, Settings, platform_base};
use crate::recipe::Recipe;
use crate::rootfs::{LayerKind, Owner};
use coracle_core::digest::{DiffId, Digest, DigestHasher};
use coracle_core::fs;
use coracle_core::input_tracker::{InputFingerprint, InputTracker};
use coracle_core::json;
use coracle_core::note::Note;
use coracle_core::platform::Platform;
use coracle_kube::config;
use coracle_kube::contract::Contract;
use coracle_oci::cache::BuildCache;
use coracle_oci::copy;
use coracle_oci::copy::{PushSummary, PushTargets, RegistryImageName};
use coracle_oci::layer::{Codec, Layer};
use coracle_oci::layout::{DiskLocation, IndexStamp, OutputStamp};

/// Longer than the granularity of file timestamps.
const CLOCK_TICK: Duration = Duration::from_millis(25);

/// The record of a build in the cache, which may exist.
pub(super) struct BuildRecord<'a> {
    cache: &'a BuildCache,
    key: Digest,
    /// The fingerprint of the configuration's bytes before rendering.
    configuration: Digest,
    /// The digest that the base image's name resolved to.
    base: Option<Digest>,
    /// When this build began to read inputs. `None` before, or if the clock of the cache's file
    /// system cannot be read.
    started: Option<fs::Timestamp>,
}

/// The result of a build as it is recorded: a line of JSON, followed by the [`Testimony`].
#[derive(Serialize, Deserialize)]
struct RecordedResult {
    digest: String,
    platforms: Vec<String>,
    /// For the image of each platform: size in bytes and number of its own layers.
    weights: Vec<(u64, usize)>,
    layers: Vec<RecordedLayer>,
    below: Vec<RecordedBase>,
    user: (u32, u32),
    size: u64,
    files: usize,
    contract: Contract,
    warnings: Vec<String>,
    hints: Vec<String>,
    entries: Vec<IndexStamp>,
    /// The digest of the contract's artifact at a registry.
    published: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct RecordedLayer {
    digest: String,
    diff_id: String,
    size: u64,
    unpacked: u64,
    media_type: String,
    stratum: String,
}

impl<'a> BuildRecord<'a> {
    /// Computes the key of a build. `None` without a cache, or if configuration is piped in, which
    /// has no fingerprint.
    pub(super) fn find(
        recipe: &Recipe,
        settings: &'a Settings,
        destinations: &Destinations,
        configuration: Option<Digest>,
    ) -> Result<Option<Self>, Error> {
        let Some(cache) = settings.cache.as_deref().filter(|cache| cache.has_records()) else {
            return Ok(None);
        };
        let Some(configuration) = configuration else { return Ok(None) };
        let places = destinations.on_disk().map(DiskLocation::resolved_path);
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let folder = fs::absolute_path(std::path::Path::new("."))?;
        let Settings {
            epoch,
            private_dirs,
            cache: _,
            registry_client: _,
            scratch_dir: _,
            remote_cache: _,
            engines: _,
            compare_with_previous: _,
        } = settings;
        let base = platform_base::base_digest(recipe, settings)?;
        // The debug form of a recipe contains all fields, including future ones. These three do not
        // change the image.
        let (kubernetes, places_in_file, budget) = Default::default();
        let recipe = Recipe { kubernetes, source_positions: places_in_file, budget, ..recipe.clone() };
        let asked = format!(
            "{}\n{base:?}\n{configuration}\n{places:?}\n{folder:?}\n{epoch}\n{private_dirs:?}\n{recipe:?}",
            cache.tool_id()
        );
        let mut hasher = DigestHasher::default();
        hasher.update(asked.as_bytes());
        Ok(Some(Self { cache, key: hasher.finish(), configuration, base, started: None }))
    }

    /// Returns the base image's digest in the key; its tag may have moved since.
    pub(super) fn base(&self) -> Option<Digest> {
        self.base
    }

    /// Records the start of the build. If a program was written in the current tick of the clock,
    /// waits for the next: a second change within the tick would be undetectable, and the build
    /// could not be recorded.
    pub(super) fn start_build(self, recipe: &Recipe) -> Self {
        let began = self.cache.file_system_time();
        let mut programs =
            recipe.programs.iter().filter_map(|program| fs::stat(&recipe.resolve_path(&program.from)).ok());
        let is_young = |moment| programs.any(|program| !program.detects_changes_after(moment));
        if !began.is_some_and(is_young) {
            return Self { started: began, ..self };
        }
        std::thread::sleep(CLOCK_TICK);
        Self { started: self.cache.file_system_time(), ..self }
    }

    /// Returns the recorded result if it is still valid.
    ///
    /// # Errors
    /// Fails if a registry with the image cannot be reached.
    pub(super) fn valid_result(
        &self,
        recipe: &Recipe,
        settings: &Settings,
        destinations: &Destinations,
        routes: &PushTargets,
    ) -> Result<Option<Built>, Error> {
        let Some((built, published)) = self.read_valid(recipe, destinations) else { return Ok(None) };
        // Registries last: requests take longest.
        if !routes.all_tags_point_to(built.digest)? {
            return Ok(None);
        }
        let is_there = match (destinations.contract_at_registry(settings)?, published) {
            (None, _) => true,
            (Some((named, client)), Some(digest)) => copy::has_manifest(named, digest, client)?,
            (Some(_), None) => false,
        };
        Ok(is_there.then_some(built))
    }

    /// Whether the record is valid, without asking registries.
    pub(super) fn is_current(&self, recipe: &Recipe, destinations: &Destinations) -> bool {
        self.read_valid(recipe, destinations).is_some()
    }

    /// Returns the recorded result and the contract's digest, if all inputs and outputs on disk are
    /// unchanged.
    fn read_valid(&self, recipe: &Recipe, destinations: &Destinations) -> Option<(Built, Option<Digest>)> {
        let record = self.cache.read_record(self.key)?;
        let end = record.iter().position(|&byte| byte == b'\n')?;
        let (summary, testimony) = record.split_at_checked(end)?;
        let summary: RecordedResult = serde_json::from_slice(summary).ok()?;
        let testimony = InputFingerprint::parse(testimony.get(1..)?)?;
        let is_there = testimony.is_current() && summary.entries.iter().all(IndexStamp::are_current);
        let published = summary.published.as_ref().and_then(|digest| digest.parse().ok());
        let built = if is_there { summary.built(recipe, destinations) } else { None };
        built.map(|built| (built, published))
    }

    /// Records the result of this build, unless a later change of its inputs might be undetectable.
    pub(super) fn write_record(
        &self,
        recipe: &Recipe,
        built: &Built,
        published: Option<Digest>,
        plans: &[Plan],
        mut witness: InputTracker,
        traces: OutputStamp,
    ) {
        // The configuration may have changed since the key was computed.
        if config::source_fingerprint(&recipe.config) != Some(self.configuration) {
            return self.cache.remove_record(self.key);
        }
        let seen = traces.files.into_iter().try_for_each(|file| witness.record_written(file)).ok();
        let testimony = seen.and(self.started).and_then(|began| witness.finish(began));
        let notes = plans.iter().flat_map(|plan| &plan.notes).chain(&built.notes);
        let summary = json::to_bytes(&RecordedResult::of(built, published, notes, traces.index_stamps)).ok();
        match testimony.zip(summary) {
            Some((testimony, mut record)) => {
                record.push(b'\n');
                record.extend(testimony.to_bytes());
                self.cache.write_record(self.key, &record);
            }
            None => self.cache.remove_record(self.key),
        }
    }
}

impl RecordedResult {
    fn of<'a>(
        built: &Built,
        published: Option<Digest>,
        notes: impl Iterator<Item = &'a Note>,
        entries: Vec<IndexStamp>,
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
            weights: built.platform_sizes.iter().map(|weight| (weight.size, weight.layer_count)).collect(),
            layers: built.layers.iter().map(RecordedLayer::of).collect(),
            below: built.bases.iter().map(RecordedBase::of).collect(),
            user: (built.user.uid, built.user.gid),
            size: built.size,
            files: built.file_count,
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
        let weight = |(platform, (size, layers)): (&Platform, (u64, usize))| PlatformSize {
            platform: platform.clone(),
            size,
            layer_count: layers,
            previous: None,
        };
        Some(Built {
            references: recipe.names.clone(),
            digest: self.digest.parse().ok()?,
            platform_sizes: platforms.iter().zip(self.weights).map(weight).collect(),
            previous: None,
            platforms,
            layers: self.layers.iter().map(RecordedLayer::to_layer).collect::<Option<_>>()?,
            bases: self.below.into_iter().map(RecordedBase::into_base_info).collect::<Option<_>>()?,
            user: Owner { uid: self.user.0, gid: self.user.1 },
            size: self.size,
            file_count: self.files,
            destinations: destinations.locations().collect(),
            pushes: destinations.remote.iter().map(unchanged_push).collect(),
            loaded: Vec::new(),
            contract: self.contract,
            notes: warnings.chain(self.hints.into_iter().map(Note::Hint)).collect(),
            is_unchanged: true,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct RecordedBase {
    name: Option<String>,
    digest: String,
    layers: usize,
    size: u64,
    shared: usize,
}

impl RecordedBase {
    fn of(below: &BaseInfo) -> Self {
        let BaseInfo { name, digest, layer_count: layers, size, shared_files: shared } = below.clone();
        Self { name, digest: digest.to_string(), layers, size, shared }
    }

    fn into_base_info(self) -> Option<BaseInfo> {
        let Self { name, digest, layers, size, shared } = self;
        Some(BaseInfo { name, digest: digest.parse().ok()?, layer_count: layers, size, shared_files: shared })
    }
}

fn unchanged_push(named: &RegistryImageName) -> RegistryPush {
    RegistryPush {
        name: named.reference.clone(),
        sent: PushSummary { is_unchanged: true, ..PushSummary::default() },
    }
}

impl RecordedLayer {
    fn of(layer: &Layer) -> Self {
        Self {
            digest: layer.digest.to_string(),
            diff_id: layer.diff_id.to_string(),
            size: layer.size,
            unpacked: layer.unpacked_size,
            media_type: layer.media_type.into(),
            stratum: layer.kind.to_string(),
        }
    }

    fn to_layer(&self) -> Option<Layer> {
        Some(Layer {
            digest: self.digest.parse().ok()?,
            diff_id: DiffId::new(self.diff_id.parse().ok()?),
            size: self.size,
            unpacked_size: self.unpacked,
            media_type: Codec::ALL
                .map(Codec::media_type)
                .into_iter()
                .find(|word| *word == self.media_type)?,
            kind: LayerKind::ALL.into_iter().find(|stratum| stratum.to_string() == self.stratum)?,
        })
    }
}
