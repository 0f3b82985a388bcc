//! Software bills of materials of images: written to files, and attached to images as referrers.

mod image_parts;

use std::path::{Path, PathBuf};

use crate::build_request::BuildRequest;
use crate::build_result::Built;
use crate::destinations::Destinations;
use crate::error::Error;
use crate::image_plan::Plan;
use crate::recipe::Recipe;
use crate::replaced_file::replace_file;
use coracle_core::fs::Context as _;
use coracle_core::platform::Platform;
use coracle_core::reference::ImageReference;
use coracle_inventory::sbom::{Sbom, SbomFormat, SbomImage};
use coracle_oci::copy;
use coracle_oci::image::{Artifact, Image, ImageSet};
use coracle_oci::layout::{self, DiskFormat, LayoutWarning, OutputStamp};

pub use image_parts::{ImageContents, sbom_of_contents, sbom_of_file_system};

/// Annotations and labels that describe the image. Source: image-spec, `annotations.md`.
const AUTHORS: &str = "org.opencontainers.image.authors";
const VENDOR: &str = "org.opencontainers.image.vendor";
const LICENCES: &str = "org.opencontainers.image.licenses";

/// The SBOMs that a recipe asks for.
#[derive(Default)]
pub(crate) struct SbomDocuments {
    /// The files to write, with their contents.
    files: Vec<(PathBuf, Vec<u8>)>,
    /// The referrers of the image of each platform.
    pub(crate) artifacts: Vec<Artifact>,
}

/// Makes the SBOMs that the recipe asks for. Nothing is written.
///
/// # Errors
/// Fails if a file of the image has changed.
pub(crate) fn create_sboms(
    request: &BuildRequest<'_>,
    plans: &[Plan],
    image_set: &ImageSet,
) -> Result<SbomDocuments, Error> {
    let BuildRequest { recipe, settings, .. } = request;
    let mut documents = SbomDocuments::default();
    if !recipe.output.sbom.is_wanted() {
        return Ok(documents);
    }
    for (plan, image) in plans.iter().zip(image_set.images()) {
        let sbom = sbom_of_plan(recipe, plan, image, settings.epoch)?;
        for (path, format) in &recipe.output.sbom.files {
            let path = file_of_platform(&recipe.resolve_path(path), image.platform(), plans.len());
            documents.files.push((path, document(&sbom, *format)?));
        }
        for format in &recipe.output.sbom.attached {
            let json = document(&sbom, *format)?;
            documents.artifacts.push(Artifact::new(format.media_type(), json, &image.descriptor())?);
        }
    }
    Ok(documents)
}

impl SbomDocuments {
    /// Writes the files, and the artifacts to layouts and registries. Adds the files that were written to
    /// `outputs`.
    ///
    /// # Errors
    /// Fails if a file or a destination cannot be written.
    pub(crate) fn publish(
        self,
        request: &BuildRequest<'_>,
        outputs: &mut OutputStamp,
    ) -> Result<Vec<LayoutWarning>, Error> {
        for (path, document) in self.files {
            replace_file(&path, &document).context("write", &path)?;
            outputs.files.push(path);
        }
        let mut warnings = Vec::new();
        for artifact in &self.artifacts {
            warnings.extend(attach(artifact, request, &request.destinations, outputs)?);
        }
        Ok(warnings)
    }
}

/// Writes `artifact` to all layouts and registries of the image. Archives and engines hold no referrers.
fn attach(
    artifact: &Artifact,
    request: &BuildRequest<'_>,
    destinations: &Destinations,
    outputs: &mut OutputStamp,
) -> Result<Vec<LayoutWarning>, Error> {
    let mut warnings = Vec::new();
    for destination in destinations.local.iter().filter(|local| local.format == DiskFormat::Layout) {
        warnings.extend(layout::write_artifact(artifact, destination, request.settings.durability)?);
        outputs.add_artifact(artifact, destination)?;
    }
    if let Some(client) = &request.settings.registry_client {
        for name in &destinations.remote {
            copy::push_artifact(artifact, name, client)?;
        }
    }
    Ok(warnings)
}

/// Returns the SBOM of the planned image of one platform.
fn sbom_of_plan(recipe: &Recipe, plan: &Plan, image: &Image, epoch: u64) -> Result<Sbom, Error> {
    let described = |name: &str| {
        let values = [&recipe.image.annotations, &recipe.image.labels];
        values.into_iter().find_map(|values| values.get(name)).filter(|value| !value.is_empty()).cloned()
    };
    let name = recipe.image.names.first();
    let program = || plan.rootfs.programs().first().and_then(|path| path.file_name());
    let program_name =
        || program().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
    let image = SbomImage {
        name: name.map_or_else(program_name, repository_name),
        tag: name.map(|name| name.tag().to_owned()),
        digest: image.descriptor().digest.to_string(),
        platform: image.platform().to_string(),
        created: epoch,
        authors: described(AUTHORS),
        vendor: described(VENDOR),
        licence: described(LICENCES),
    };
    let contents = ImageContents {
        file_system: &plan.rootfs,
        inventory: &plan.inventory,
        reasons: plan.rootfs.iter().map(|(path, entry)| (path.clone(), entry.reason.clone())).collect(),
    };
    sbom_of_contents(image, &contents)
}

/// Returns the name of an image without tag and digest.
pub fn repository_name(reference: &ImageReference) -> String {
    reference.repository().to_string()
}

/// Returns the document of `sbom`.
///
/// # Errors
/// Fails only if JSON cannot be written, which is a defect.
pub fn document(sbom: &Sbom, format: SbomFormat) -> Result<Vec<u8>, Error> {
    sbom.to_document(format).map_err(|_| Error::Internal("an SBOM cannot be written as JSON"))
}

/// Returns `path` for an image of one platform; with several, the platform comes before the extension:
/// `shop.linux-arm64.spdx.json`.
fn file_of_platform(path: &Path, platform: &Platform, platforms: usize) -> PathBuf {
    if platforms < 2 {
        return path.to_owned();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (stem, extension) = name.split_once('.').unwrap_or((&name, ""));
    let dot = if extension.is_empty() { "" } else { "." };
    path.with_file_name(format!("{stem}.{}{dot}{extension}", platform.to_string().replace('/', "-")))
}

/// Returns whether all SBOMs of `built` can be checked without asking registries.
pub(crate) fn can_be_recorded(recipe: &Recipe, destinations: &Destinations) -> bool {
    recipe.output.sbom.attached.is_empty() || destinations.remote.is_empty()
}

impl Built {
    /// Returns the files with SBOMs.
    pub fn sbom_files(&self, recipe: &Recipe) -> Vec<PathBuf> {
        let files = recipe.output.sbom.files.keys().map(|path| recipe.resolve_path(path));
        let file = |path: PathBuf| {
            let platforms = self.platforms.iter();
            platforms.map(move |platform| file_of_platform(&path, platform, self.platforms.len()))
        };
        files.flat_map(file).collect()
    }
}
