//! Copies images unchanged between registries, image layouts, archives and local engines.
//!
//! Existing blobs are not sent again, and a tag is written only after all content. Blobs are
//! streamed. The module does not depend on how images are built.

mod artifact;
mod error;
mod index;
mod location;
mod push;
mod referrers;
mod upload_queue;

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

pub use artifact::{has_manifest, push_artifact};
pub use error::Error;
pub use index::{CreatedIndex, IndexImage, create_index};
pub use location::{ImageLocation, ParseLocationError, ParseNewImageLocationError, RegistryImageName};
pub use push::{PushSummary, push_image};
pub use referrers::copy_referrers;
pub use upload_queue::{PushTargets, UploadQueue};

use crate::engine::{self, LoadedImage};
use crate::image::{Descriptor, ImageGraph};
use crate::layout::{self, BlobOpener, DiskFormat, DiskLocation, ImageSource, ParsedImage, Staging};
use crate::registry::{Access, RegistryClient};
use coracle_core::digest::Digest;
use coracle_core::reference::ImageReference;

/// Called with the number of bytes transferred since the last call. `Break` cancels the operation.
pub type CopyProgress<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// The result of a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyOutcome {
    /// The digest of the manifest or index.
    pub digest: Digest,
    /// What was sent to a registry. `None` for other destinations.
    pub pushed: Option<PushSummary>,
    /// What was loaded into an engine. `None` for other destinations.
    pub loaded: Option<LoadedImage>,
    /// Problems that did not prevent the copy.
    pub warnings: Vec<layout::LayoutWarning>,
}

/// Opens the image at `place`: reads its manifest or index. The rest is read on demand.
///
/// # Errors
/// Fails if there is no image, it can't be read, or it is in an engine.
pub fn open_source(place: &ImageLocation, client: &RegistryClient) -> Result<ImageSource, Error> {
    match place {
        ImageLocation::OnDisk(destination) => Ok(ImageSource::find_on_disk(destination)?),
        ImageLocation::Registry(named) => {
            let remote = client.repository_client(&(&named.reference).into(), &Access::Pull);
            let name = named.full_name();
            let found =
                ImageSource::find_at_registry(remote, named.manifest_reference(), place.to_string(), name);
            found.map_err(Error::UnreadableRemote)?.ok_or_else(|| Error::NoSuchImage(place.clone()))
        }
        ImageLocation::Engine(_) => Err(Error::UnreadableEngine(place.clone())),
    }
}

/// Reads the image at `place`: all manifests and configs, without layers.
///
/// # Errors
/// Fails if there is no image, or a document is missing, invalid or does not match its digest.
pub fn read_image(place: &ImageLocation, client: &RegistryClient) -> Result<ParsedImage, Error> {
    open_source(place, client)?.parse().map_err(|error| Error::from_read_error(place, error))
}

/// The registry client and the engine configuration of a copy.
#[derive(Clone, Copy, Debug)]
pub struct CopySettings<'a> {
    /// The registry client.
    pub client: &'a RegistryClient,
    /// The configuration of engines.
    pub engines: &'a engine::EngineSettings,
}

/// Resolves an image name to the digest of its manifest or index, usually with one HEAD request.
///
/// # Errors
/// Fails if there is no such image or the request fails.
pub fn resolve_digest(named: &RegistryImageName, client: &RegistryClient) -> Result<Digest, Error> {
    let remote = client.repository_client(&(&named.reference).into(), &Access::Pull);
    let head = remote.head_manifest(named.manifest_reference())?;
    head.map(|head| head.digest).ok_or_else(|| Error::NoSuchImage(ImageLocation::Registry(named.clone())))
}

/// Copies the image at `from` to `to`, for all platforms. An engine gets the image of its platform.
///
/// # Errors
/// Fails if the image can't be read, does not match its digests, or can't be written. The name at
/// `to` is unchanged then.
pub fn copy_image(
    from: &ImageLocation,
    to: &ImageLocation,
    ways: CopySettings<'_>,
    observer: &CopyProgress<'_>,
) -> Result<CopyOutcome, Error> {
    match from {
        ImageLocation::Engine(named) => {
            // Engines stream archives, but reading an archive needs a file that can be seeked.
            let staging = Staging::new_in(&ways.engines.temp_dir)?;
            let path = staging.temporary_path();
            engine::save_image(named, &path, ways.engines, observer)?;
            let archive =
                ImageLocation::OnDisk(DiskLocation { format: DiskFormat::OciArchive, path, tag: None });
            copy_from_source(open_source(&archive, ways.client)?, from, to, ways, observer)
        }
        _ => copy_from_source(open_source(from, ways.client)?, from, to, ways, observer),
    }
}

fn copy_from_source(
    origin: ImageSource,
    from: &ImageLocation,
    to: &ImageLocation,
    ways: CopySettings<'_>,
    observer: &CopyProgress<'_>,
) -> Result<CopyOutcome, Error> {
    let graph = origin.read_graph().map_err(|error| Error::from_read_error(from, error))?;
    let digest = graph.root().map(|root| root.digest).ok_or_else(|| Error::NoSuchImage(from.clone()))?;
    let copied = CopyOutcome { digest, pushed: None, loaded: None, warnings: Vec::new() };
    match to {
        ImageLocation::Registry(named) => {
            let open = |blob: &Descriptor| origin.open_blob(blob);
            let sent = push_image(&graph, &open, named, &|_| from.repository(), ways.client, observer)?;
            Ok(CopyOutcome { pushed: Some(sent), ..copied })
        }
        ImageLocation::OnDisk(destination) => {
            let names: Vec<ImageReference> = match from {
                ImageLocation::Registry(named) => named.name().into_iter().cloned().collect(),
                ImageLocation::Engine(named) => vec![named.name.clone()],
                ImageLocation::OnDisk(_) => {
                    origin.names.iter().filter_map(|name| name.parse().ok()).collect()
                }
            };
            let warnings =
                write_to_disk(&graph, &|blob| origin.open_blob(blob), &names, destination, observer)?;
            Ok(CopyOutcome { warnings, ..copied })
        }
        ImageLocation::Engine(named) => {
            let loaded =
                load_into_engine(&graph, &|blob| origin.open_blob(blob), named, ways.engines, observer)?;
            Ok(CopyOutcome { digest: loaded.digest, loaded: Some(loaded), ..copied })
        }
    }
}

/// Loads the image of `graph` into an engine; `open` opens a blob.
///
/// # Errors
/// Fails like [`engine::load`].
pub fn load_into_engine(
    graph: &ImageGraph,
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    to: &engine::EngineImageName,
    engines: &engine::EngineSettings,
    observer: &CopyProgress<'_>,
) -> Result<LoadedImage, Error> {
    with_progress(open, observer, |open| {
        engine::load_image(graph, open, to, engines, observer).map_err(Error::from)
    })
}

/// Writes the image to a layout or archive, with the tag of the destination or else `names`.
fn write_to_disk(
    graph: &ImageGraph,
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    names: &[ImageReference],
    to: &DiskLocation,
    observer: &CopyProgress<'_>,
) -> Result<Vec<layout::LayoutWarning>, Error> {
    with_progress(open, observer, |open| layout::write_graph(graph, names, to, open).map_err(Error::from))
}

/// Runs `take` with an `open` that reports the bytes of blobs to the observer and can be cancelled.
fn with_progress<T>(
    open: &dyn Fn(&Descriptor) -> std::io::Result<Box<dyn Read>>,
    observer: &CopyProgress<'_>,
    take: impl FnOnce(&BlobOpener<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let stop = AtomicBool::new(false);
    let open = |blob: &Descriptor| -> std::io::Result<Box<dyn Read + '_>> {
        let reader = open(blob)?;
        Ok(Box::new(ProgressReader { reader, observer, stop: &stop }))
    };
    let taken = take(&open);
    if stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { taken }
}

/// A reader that reports its bytes to the observer, and fails once the observer cancels.
struct ProgressReader<'a> {
    reader: Box<dyn Read>,
    observer: &'a CopyProgress<'a>,
    stop: &'a AtomicBool,
}

impl Read for ProgressReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        match (self.observer)(read as u64) {
            ControlFlow::Continue(()) => Ok(read),
            ControlFlow::Break(()) => {
                self.stop.store(true, Ordering::Relaxed);
                Err(std::io::Error::other("interrupted"))
            }
        }
    }
}
