//! The up-to-date check: an image whose inputs and outputs have not changed since a recorded build is
//! not built again.
//!
//! A record is valid if all files that the build has read are unchanged, and the image is still at
//! its destinations. docs/cache.md documents this for users.

mod cache_key;
mod recorded_result;

use std::time::Duration;

use crate::base_image;
use crate::build_request::BuildRequest;
use crate::build_result::Built;
use crate::error::Error;
use crate::publish::PublishedImage;
use crate::recipe::Recipe;
use crate::sbom;
use crate::size_comparison::SizeComparison;
use cache_key::build_cache_key;
use coracle_core::digest::Digest;
use coracle_core::input_tracker::InputFingerprint;
use coracle_core::{fs, json};
use coracle_oci::cache::BuildCache;
use coracle_oci::copy;
use coracle_oci::layout::IndexStamp;
use recorded_result::RecordedResult;

/// The result of the up-to-date check.
pub(crate) enum UpToDateCheck<'a> {
    /// The image is up to date and at all destinations.
    UpToDate(Box<Built>),
    /// The image must be built. `None` if its build cannot be recorded.
    Outdated(Option<BuildRecord<'a>>),
}

/// Returns the result of an earlier build if it is still valid.
///
/// # Errors
/// Fails if a registry with the image cannot be reached, or the observer cancels.
pub(crate) fn check_up_to_date<'a>(request: &BuildRequest<'a>) -> Result<UpToDateCheck<'a>, Error> {
    // Only the engine can tell whether it still has the image.
    let is_checkable = request.destinations.engines.is_empty()
        && !request.settings.needs_build()
        && sbom::can_be_recorded(request.recipe, &request.destinations);
    let record = if is_checkable { BuildRecord::for_request(request)? } else { None };
    let Some(record) = record else { return Ok(UpToDateCheck::Outdated(None)) };
    if let Some(built) = valid_result(request, &record)?
        && let Some(built) = compared_if_within_budget(request, built)?
    {
        request.wait_for_publish(|| record.read_if_valid(request).is_some())?;
        return Ok(UpToDateCheck::UpToDate(Box::new(built)));
    }
    Ok(UpToDateCheck::Outdated(Some(record.wait_and_mark_start(request.recipe))))
}

/// Returns the recorded result if the image is still at all destinations.
fn valid_result(request: &BuildRequest<'_>, record: &BuildRecord<'_>) -> Result<Option<Built>, Error> {
    let Some((built, contract_digest)) = record.read_if_valid(request) else { return Ok(None) };
    // Registries last: requests take longest.
    let is_there = request.push_targets.all_tags_point_to(built.digest)?
        && is_contract_published(request, contract_digest)?;
    Ok(is_there.then_some(built))
}

/// Returns whether the registry has the contract, if the recipe publishes it to a registry.
fn is_contract_published(request: &BuildRequest<'_>, recorded: Option<Digest>) -> Result<bool, Error> {
    match (request.destinations.contract_at_registry(request.settings)?, recorded) {
        (None, _) => Ok(true),
        (Some((name, client)), Some(digest)) => Ok(copy::has_manifest(name, digest, client)?),
        (Some(_), None) => Ok(false),
    }
}

/// Returns `built` compared with the previous image. `None` if it exceeds its budget: then it is
/// packed again, so that the error can list its largest files.
fn compared_if_within_budget(request: &BuildRequest<'_>, built: Built) -> Result<Option<Built>, Error> {
    let comparison = SizeComparison::read_previous_images(request, built.platforms.iter())?;
    let built = comparison.add_comparison_to(built);
    Ok(comparison.is_within_budget(&built).then_some(built))
}

/// A time that is longer than the granularity of file timestamps.
const CLOCK_TICK: Duration = Duration::from_millis(25);

/// The key of a build's record in the cache, whether or not a record exists.
pub(crate) struct BuildRecord<'a> {
    cache: &'a BuildCache,
    key: Digest,
    /// The digest that the base image's name resolved to.
    base: Option<Digest>,
    /// When this build began to read inputs, in seconds and nanoseconds. `None` before that moment,
    /// or if the clock of the cache's file system cannot be read.
    started: Option<fs::Timestamp>,
}

/// Records the build, so that the next one is skipped if nothing changes. Returns its result,
/// compared with the previous image.
pub(crate) fn record_build(
    request: &BuildRequest<'_>,
    record: Option<BuildRecord<'_>>,
    published: PublishedImage<'_>,
) -> Built {
    let base = published.images.base.as_ref().map(|base| base.digest);
    // The tag of the base image may have moved since the key was computed.
    if let Some(record) = record.filter(|record| record.base == base) {
        record.write(request, &published);
    }
    // The comparison is not recorded: the previous image may be another one next time.
    published.images.sizes.add_comparison_to(published.built)
}

impl<'a> BuildRecord<'a> {
    /// Computes the key of a build. `None` without a cache, or if configuration is piped in, which
    /// has no fingerprint.
    pub(crate) fn for_request(request: &BuildRequest<'a>) -> Result<Option<Self>, Error> {
        let settings = request.settings;
        let Some(cache) = settings.cache.as_deref().filter(|cache| cache.has_records()) else {
            return Ok(None);
        };
        if request.config_fingerprint().is_none() {
            return Ok(None);
        }
        let base = base_image::base_digest(request.recipe, settings)?;
        let key = build_cache_key(request, base, cache.tool_id())?;
        Ok(Some(Self { cache, key, base, started: None }))
    }

    /// Records the start of the build. If a program was written in the current tick of the clock,
    /// waits for the next: a second change within the tick would be undetectable, and the build
    /// could not be recorded.
    pub(crate) fn wait_and_mark_start(self, recipe: &Recipe) -> Self {
        let began = self.cache.file_system_time();
        let programs = recipe.contents.programs.iter();
        let mut programs = programs.filter_map(|program| fs::stat(&recipe.resolve_path(&program.from)).ok());
        let is_young = |moment| programs.any(|program| !program.detects_changes_after(moment));
        if !began.is_some_and(is_young) {
            return Self { started: began, ..self };
        }
        std::thread::sleep(CLOCK_TICK);
        Self { started: self.cache.file_system_time(), ..self }
    }

    /// Returns the recorded result and the contract's digest, if all inputs and outputs on disk are
    /// unchanged. Registries are not asked.
    pub(crate) fn read_if_valid(&self, request: &BuildRequest<'_>) -> Option<(Built, Option<Digest>)> {
        let record = self.cache.read_record(self.key)?;
        let end = record.iter().position(|&byte| byte == b'\n')?;
        let (result, inputs) = record.split_at_checked(end)?;
        let result: RecordedResult = serde_json::from_slice(result).ok()?;
        let inputs = InputFingerprint::parse(inputs.get(1..)?)?;
        if !(inputs.is_current() && result.index_stamps.iter().all(IndexStamp::are_index_entries_current)) {
            return None;
        }
        let contract_digest = result.contract_digest.as_ref().and_then(|digest| digest.parse().ok());
        Some((result.into_built(request)?, contract_digest))
    }

    /// Records the result of this build, unless a later change of its inputs might be undetectable.
    fn write(&self, request: &BuildRequest<'_>, published: &PublishedImage<'_>) {
        match self.serialize(request, published) {
            Some(record) => self.cache.write_record(self.key, &record),
            None => self.cache.remove_record(self.key),
        }
    }

    /// Returns the bytes of the record. `None` if a change of inputs or outputs would not be noticed.
    fn serialize(&self, request: &BuildRequest<'_>, published: &PublishedImage<'_>) -> Option<Vec<u8>> {
        let PublishedImage { built, images, outputs, contract_digest } = published;
        if !request.is_config_unchanged() {
            return None;
        }
        let mut tracker = images.roots.input_tracker();
        for file in &outputs.files {
            tracker.record_written(file.clone()).ok()?;
        }
        let inputs = tracker.finish(self.started?)?;
        let notes = images.plans.iter().flat_map(|plan| &plan.notes).chain(&built.notes);
        let result = RecordedResult::new(built, *contract_digest, notes, outputs.index_stamps.clone());
        let mut record = json::to_bytes(&result).ok()?;
        record.push(b'\n');
        record.extend(inputs.to_bytes());
        Some(record)
    }
}
