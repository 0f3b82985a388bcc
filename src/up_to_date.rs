//! The up-to-date check: an image whose inputs and outputs have not changed is not built again.

use super::built::Built;
use super::error::Error;
use super::record::BuildRecord;
use super::request::Request;
use super::size_comparison::SizeComparison;
use coracle_core::digest::Digest;
use coracle_oci::copy;

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
pub(crate) fn check_up_to_date<'a>(request: &Request<'a>) -> Result<UpToDateCheck<'a>, Error> {
    // Only the engine can tell whether it still has the image.
    let is_checkable = request.destinations.engines.is_empty();
    let record = if is_checkable { BuildRecord::find(request)? } else { None };
    let Some(record) = record else { return Ok(UpToDateCheck::Outdated(None)) };
    if let Some(built) = valid_result(request, &record)?
        && let Some(built) = within_budget(request, built)?
    {
        request.wait_for_publish(|| record.read_valid(request).is_some())?;
        return Ok(UpToDateCheck::UpToDate(Box::new(built)));
    }
    Ok(UpToDateCheck::Outdated(Some(record.start_build(request.recipe))))
}

/// Returns the recorded result if the image is still at all destinations.
fn valid_result(request: &Request<'_>, record: &BuildRecord<'_>) -> Result<Option<Built>, Error> {
    let Some((built, contract_digest)) = record.read_valid(request) else { return Ok(None) };
    // Registries last: requests take longest.
    let is_there = request.push_targets.all_tags_point_to(built.digest)?
        && is_contract_published(request, contract_digest)?;
    Ok(is_there.then_some(built))
}

/// Whether the registry has the contract, if the recipe publishes it to one.
fn is_contract_published(request: &Request<'_>, recorded: Option<Digest>) -> Result<bool, Error> {
    match (request.destinations.contract_at_registry(request.settings)?, recorded) {
        (None, _) => Ok(true),
        (Some((name, client)), Some(digest)) => Ok(copy::has_manifest(name, digest, client)?),
        (Some(_), None) => Ok(false),
    }
}

/// Returns `built` compared with the previous image. `None` if it exceeds its budget: then it is
/// packed again, so that the error can list its largest files.
fn within_budget(request: &Request<'_>, built: Built) -> Result<Option<Built>, Error> {
    let comparison = SizeComparison::find_previous(request, built.platforms.iter())?;
    let built = comparison.add_to(built);
    Ok(comparison.is_within_budget(&built).then_some(built))
}
