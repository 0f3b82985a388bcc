//! Creates an index of existing images. Images that are in its repository already are not copied.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::copy_image::{CopyOutcome, CopySettings, write_to_disk};
use super::error::CopyError;
use super::image_location::ImageLocation;
use super::open_image::read_image;
use super::push_image::{ImagePush, push_image};
use crate::image::{Descriptor, GraphError, ImageGraph, IndexEntry, RawManifest};
use crate::layout::{ParsedImage, ParsedPlatform};
use coracle_core::progress::Progress;

/// The result of creating an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreatedIndex {
    /// The digest of the index, and what was copied.
    pub copied: CopyOutcome,
    /// The images in the index, in order.
    pub images: Vec<IndexImage>,
    /// The number of entries of the source indexes that were left out because they are not images,
    /// such as attestations, which refer to images of the source index.
    pub left_out: usize,
}

/// One image of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexImage {
    /// The image's descriptor and platform.
    pub member: IndexEntry,
    /// The location that the image was read from.
    pub source: ImageLocation,
}

/// An image of the index, and the source of its blobs.
struct SourceImage<'a> {
    image: IndexImage,
    manifest: RawManifest,
    stored: &'a ParsedImage,
}

/// Creates an index at `to` of the images at `from`, which can be indexes too. Its bytes depend
/// only on the images and the annotations, not on the order of `from`.
///
/// # Errors
/// Fails if an image can't be read, two have the same platform, or `to` can't be written. The name
/// at `to` is unchanged then.
pub fn create_index(
    from: &[ImageLocation],
    to: &ImageLocation,
    annotations: &BTreeMap<String, String>,
    settings: CopySettings<'_>,
    progress: &dyn Progress,
) -> Result<CreatedIndex, CopyError> {
    let opened = from
        .iter()
        .map(|location| Ok((location, read_image(location, settings.client)?)))
        .collect::<Result<Vec<_>, CopyError>>()?;
    let mut parts = Vec::new();
    for (location, stored) in &opened {
        for image in &stored.images {
            parts.push(source_image(location, stored, image)?);
        }
    }
    let parts = sort_and_deduplicate(parts)?;
    let root = crate::image::serialize_index(parts.iter().map(|part| &part.image.member), annotations)?;
    let copied = write_index(&parts, root, to, settings, progress)?;
    let left_out =
        opened.iter().map(|(_, stored)| stored.index_entry_count().saturating_sub(stored.images.len())).sum();
    Ok(CreatedIndex { copied, images: parts.into_iter().map(|part| part.image).collect(), left_out })
}

fn source_image<'a>(
    location: &ImageLocation,
    stored: &'a ParsedImage,
    image: &ParsedPlatform,
) -> Result<SourceImage<'a>, CopyError> {
    let manifest = match &image.manifest {
        Some(manifest) => manifest.clone(),
        None => stored
            .source
            .require_root_manifest()
            .map_err(|error| CopyError::from_read_error(location, error))?
            .clone(),
    };
    let os_version = image.config.get("os.version").and_then(serde_json::Value::as_str).map(str::to_owned);
    let member = IndexEntry::new(&manifest, image.platform.clone(), os_version);
    Ok(SourceImage { image: IndexImage { member, source: location.clone() }, manifest, stored })
}

/// Sorts the images by platform and removes duplicates. Fails if two images have the same platform.
fn sort_and_deduplicate(mut parts: Vec<SourceImage<'_>>) -> Result<Vec<SourceImage<'_>>, CopyError> {
    parts.sort_by(|a, b| a.image.member.platform_key().cmp(&b.image.member.platform_key()));
    parts.dedup_by(|a, b| a.image.member == b.image.member);
    let pairs = || parts.iter().zip(parts.iter().skip(1)).map(|(a, b)| (&a.image, &b.image));
    match pairs().find(|(a, b)| a.member.platform_key() == b.member.platform_key()) {
        None => Ok(parts),
        Some((first, second)) => Err(CopyError::SamePlatform {
            platform: first.member.to_string(),
            images: [first, second]
                .map(|image| format!("`{}` ({})", image.source, image.member.descriptor.digest)),
        }),
    }
}

fn write_index(
    parts: &[SourceImage<'_>],
    root: RawManifest,
    to: &ImageLocation,
    settings: CopySettings<'_>,
    progress: &dyn Progress,
) -> Result<CopyOutcome, CopyError> {
    let digest = root.digest;
    let (mut graph, mut sources) =
        (ImageGraph { documents: Vec::new(), blobs: BTreeMap::new() }, BTreeMap::new());
    // Images of the same repository need no copy.
    let is_present = |part: &&SourceImage<'_>| {
        to.repository().is_some() && part.image.source.repository() == to.repository()
    };
    for part in parts.iter().filter(|part| !is_present(part)) {
        let mut no_children = |below: &Descriptor| Err(GraphError::nested_index(below.digest));
        let image_graph = ImageGraph::collect(part.manifest.clone(), &mut no_children)?;
        // A blob of several images is preferably taken from where it can be mounted.
        let is_near = registry_of(&part.image.source).is_some_and(|from| Some(from) == registry_of(to));
        let digests = image_graph.blobs.keys().filter(|digest| is_near || !sources.contains_key(*digest));
        sources.extend(digests.map(|digest| (*digest, part)).collect::<Vec<_>>());
        graph.documents.extend(image_graph.documents);
        graph.blobs.extend(image_graph.blobs);
    }
    graph.documents.push(root);
    let part_of = |blob: &Descriptor| sources.get(&blob.digest).copied();
    let open = |blob: &Descriptor| -> io::Result<Box<dyn Read>> {
        let part = part_of(blob).ok_or(io::ErrorKind::NotFound)?;
        part.stored.source.open_blob(blob)
    };
    let copied =
        CopyOutcome { digest, pushed: None, loaded: None, referrers: Vec::new(), warnings: Vec::new() };
    match to {
        ImageLocation::Registry(named) => {
            let mount_source =
                |blob: &Descriptor| part_of(blob).and_then(|part| part.image.source.repository());
            let push = ImagePush { graph: &graph, open: &open, to: named, mount_source: &mount_source };
            let sent = push_image(&push, settings.client, progress)?;
            Ok(CopyOutcome { pushed: Some(sent), ..copied })
        }
        ImageLocation::OnDisk(destination) => {
            let warnings =
                write_to_disk(&graph, &[], &open, &[], destination, settings.durability, progress)?;
            Ok(CopyOutcome { warnings, ..copied })
        }
        ImageLocation::Engine(_) => Err(CopyError::IndexInEngine(to.clone())),
    }
}

fn registry_of(location: &ImageLocation) -> Option<String> {
    location.repository().map(|repository| repository.registry().to_owned())
}
