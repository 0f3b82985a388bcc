//! SLSA provenance: the recipe, and every file that was packed. It says how the image was packed, not how
//! its programs were compiled. Source: slsa-framework/slsa, `docs/spec/v1.0/provenance.md`.

use serde_json::{Value, json};

use crate::build_request::BuildRequest;
use crate::error::Error;
use crate::image_plan::Plan;
use crate::packed_files::{PackedNode, packed_files};
use coracle_inventory::sbom::{SbomImage, image_url, package_url};

/// The type of builds, which docs/provenance.md describes.
const BUILD_TYPE: &str = "https://coracle.io/provenance/packing/v1";
/// The builder of a build outside of a known CI service.
const LOCAL_BUILDER: &str = "https://coracle.io/provenance/local-builder";
/// What the provenance covers.
const SCOPE: &str = "packing: programs, libraries and data existed before and were packed as listed; how they were compiled is not covered";

/// What provenance says about the builder.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ProvenanceSettings {
    /// The URI of the builder, such as that of a CI workflow.
    pub builder_id: Option<String>,
    /// The URI of the run of the builder.
    pub invocation_id: Option<String>,
    /// The time of the build, in the form of RFC 3339. Without it, two builds of the same image have the
    /// same provenance.
    pub finished_on: Option<String>,
}

/// Returns the predicate of the provenance of these images.
///
/// # Errors
/// Fails if a file cannot be read, or has changed since it was planned.
pub(super) fn predicate(
    request: &BuildRequest<'_>,
    plans: &[Plan],
    settings: &ProvenanceSettings,
) -> Result<Value, Error> {
    let mut dependencies = Vec::new();
    for plan in plans {
        add_dependencies(plan, &mut dependencies)?;
    }
    let version = env!("CARGO_PKG_VERSION");
    let mut metadata = serde_json::Map::new();
    metadata.extend(settings.invocation_id.iter().map(|id| ("invocationId".to_owned(), id.as_str().into())));
    metadata.extend(settings.finished_on.iter().map(|time| ("finishedOn".to_owned(), time.as_str().into())));
    let mut details = json!({
        "builder": {
            "id": settings.builder_id.as_deref().unwrap_or(LOCAL_BUILDER),
            "version": {"coracle": version},
        },
    });
    if let Some(details) = details.as_object_mut().filter(|_| !metadata.is_empty()) {
        details.insert("metadata".into(), metadata.into());
    }
    Ok(json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"recipe": request.recipe.to_json()},
            "internalParameters": {"epoch": request.settings.epoch, "scope": SCOPE},
            "resolvedDependencies": dependencies,
        },
        "runDetails": details,
    }))
}

/// Adds the base image and every file of a platform.
fn add_dependencies(plan: &Plan, dependencies: &mut Vec<Value>) -> Result<(), Error> {
    let platform = plan.platform.to_string();
    if let Some(base) = &plan.base {
        let name = base.name.as_deref().unwrap_or("image");
        let image = SbomImage::named(name, base.digest.to_string(), platform.clone());
        dependencies.push(json!({
            "name": base.name,
            "uri": image_url(&image),
            "digest": {"sha256": base.digest.hex()},
            "annotations": {"platform": platform, "role": "base"},
        }));
    }
    for file in packed_files(plan)? {
        let PackedNode::File { digest, .. } = file.node else { continue };
        let mut dependency = json!({
            "name": file.path.to_string(),
            "digest": {"sha256": digest.hex()},
            "annotations": {"platform": platform, "reason": file.reason},
        });
        if let (Some(package), Some(members)) = (file.package, dependency.as_object_mut()) {
            let url = package_url(package, plan.inventory.distribution.as_ref());
            members.insert("uri".into(), url.into());
        }
        dependencies.push(dependency);
    }
    Ok(())
}
