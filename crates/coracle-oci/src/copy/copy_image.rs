//! Copies one image, with all its platforms, between any two locations.

use std::io::Read;

use super::copy_referrers::{CollectedReferrers, push_referrers};
use super::error::CopyError;
use super::image_location::ImageLocation;
use super::open_image::open_any_source;
use super::push_image::{ImagePush, PushSummary, push_image};
use crate::engine::{self, LoadedImage};
use crate::image::{Descriptor, ImageGraph};
use crate::layout::{self, BlobOpener, DiskLocation};
use crate::registry::{Referrer, RegistryClient};
use coracle_core::digest::Digest;
use coracle_core::fs::Durability;
use coracle_core::progress::{Progress, ProgressReader};
use coracle_core::reference::ImageReference;

/// The result of a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyOutcome {
    /// The digest of the manifest or index.
    pub digest: Digest,
    /// The push to a registry. `None` for other destinations.
    pub pushed: Option<PushSummary>,
    /// The image that was loaded into an engine. `None` for other destinations.
    pub loaded: Option<LoadedImage>,
    /// The copied referrers.
    pub referrers: Vec<Referrer>,
    /// Problems that did not prevent the copy.
    pub warnings: Vec<layout::LayoutWarning>,
}

/// The registry client and the engine configuration of a copy.
#[derive(Clone, Copy, Debug)]
pub struct CopySettings<'a> {
    /// The registry client.
    pub client: &'a RegistryClient,
    /// The configuration of engines.
    pub engines: &'a engine::EngineSettings,
    /// The durability of the files of a layout or archive.
    pub durability: Durability,
    /// `true` if the referrers of the image, of its platform images, and of these referrers are copied
    /// too.
    pub with_referrers: bool,
}

/// Copies the image at `from` to `to`, for all platforms. An engine gets the image of its platform.
///
/// # Errors
/// Fails if the image can't be read, does not match its digests, or can't be written, or if its
/// referrers are copied and `to` is neither at a registry nor a layout. The name at `to` is unchanged
/// then.
pub fn copy_image(
    from: &ImageLocation,
    to: &ImageLocation,
    settings: CopySettings<'_>,
    progress: &dyn Progress,
) -> Result<CopyOutcome, CopyError> {
    let source = open_any_source(from, settings.client, settings.engines, progress)?;
    let graph = source.read_graph().map_err(|error| CopyError::from_read_error(from, error))?;
    let digest = graph.root().map(|root| root.digest).ok_or_else(|| CopyError::NoSuchImage(from.clone()))?;
    let referrers = match settings.with_referrers {
        true => CollectedReferrers::read(&source, &graph, from)?,
        false => CollectedReferrers::default(),
    };
    let descriptors = referrers.descriptors.clone();
    let copied =
        CopyOutcome { digest, pushed: None, loaded: None, referrers: descriptors, warnings: Vec::new() };
    match to {
        ImageLocation::Registry(named) => {
            push_referrers(&referrers, &source, from, named, settings.client, progress)?;
            let open = |blob: &Descriptor| source.open_blob(blob);
            let push =
                ImagePush { graph: &graph, open: &open, to: named, mount_source: &|_| from.repository() };
            let sent = push_image(&push, settings.client, progress)?;
            Ok(CopyOutcome { pushed: Some(sent), ..copied })
        }
        ImageLocation::OnDisk(destination) => {
            let names: Vec<ImageReference> = match from {
                ImageLocation::Registry(named) => named.name().into_iter().cloned().collect(),
                ImageLocation::Engine(named) => vec![named.name.clone()],
                ImageLocation::OnDisk(_) => {
                    source.names.iter().filter_map(|name| name.parse().ok()).collect()
                }
            };
            let open = |blob: &Descriptor| source.open_blob(blob);
            let (referrers, durability) = (&referrers.graphs, settings.durability);
            let warnings =
                write_to_disk(&graph, referrers, &open, &names, destination, durability, progress)?;
            Ok(CopyOutcome { warnings, ..copied })
        }
        ImageLocation::Engine(_) if settings.with_referrers => Err(CopyError::ReferrersInEngine(to.clone())),
        ImageLocation::Engine(named) => {
            let loaded =
                load_into_engine(&graph, &|blob| source.open_blob(blob), named, settings.engines, progress)?;
            Ok(CopyOutcome { digest: loaded.digest, loaded: Some(loaded), ..copied })
        }
    }
}

/// Loads the image of `graph` into an engine; `open` opens a blob.
///
/// # Errors
/// Fails like [`engine::load_image`].
pub fn load_into_engine(
    graph: &ImageGraph,
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    to: &engine::EngineImageName,
    engines: &engine::EngineSettings,
    progress: &dyn Progress,
) -> Result<LoadedImage, CopyError> {
    with_progress(open, progress, |open| {
        engine::load_image(graph, open, to, engines, progress).map_err(CopyError::from)
    })
}

/// Writes the image and its referrers to a layout or archive, with the tag of the destination or else
/// `names`.
pub(super) fn write_to_disk(
    graph: &ImageGraph,
    referrers: &[ImageGraph],
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    names: &[ImageReference],
    to: &DiskLocation,
    durability: Durability,
    progress: &dyn Progress,
) -> Result<Vec<layout::LayoutWarning>, CopyError> {
    with_progress(open, progress, |open| {
        layout::write_graph(graph, referrers, names, to, durability, open).map_err(CopyError::from)
    })
}

/// Calls `take` with a function that opens blobs like `open`, and reports the bytes read to
/// `progress`.
fn with_progress<T>(
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    progress: &dyn Progress,
    take: impl FnOnce(&BlobOpener<'_>) -> Result<T, CopyError>,
) -> Result<T, CopyError> {
    let open = |blob: &Descriptor| -> std::io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(ProgressReader::new(open(blob)?, progress)))
    };
    match take(&open) {
        Err(_) if progress.is_cancelled() => Err(CopyError::Cancelled),
        taken => taken,
    }
}
