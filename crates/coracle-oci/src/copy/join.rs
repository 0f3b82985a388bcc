//! Creates an index of existing images. Images that are in its repository already are not copied.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::{Copied, Error, Observer, Place, open, push, receive};
use crate::image::{Descriptor, Document, Graph, GraphError, Member, index};
use crate::registry::Client;
use crate::layout::{Stored, StoredImage};

/// The result of creating an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The digest of the index, and what was copied.
    pub copied: Copied,
    /// Its images, in order.
    pub images: Vec<JoinedImage>,
    /// The number of entries of the source indexes that were left out because they are not images,
    /// such as attestations, which refer to images of the source index.
    pub left_out: usize,
}

/// One image of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinedImage {
    /// Its descriptor and platform.
    pub member: Member,
    /// Where it was read from.
    pub from: Place,
}

/// An image of the index, and the source of its blobs.
struct Part<'a> {
    joined: JoinedImage,
    manifest: Document,
    stored: &'a Stored,
}

/// Creates an index at `to` of the images at `from`, which can be indexes too. Its bytes depend
/// only on the images and the annotations, not on the order of `from`.
///
/// # Errors
/// Fails if an image can't be read, two have the same platform, or `to` can't be written. The name
/// at `to` is unchanged then.
pub fn join(
    from: &[Place],
    to: &Place,
    annotations: &BTreeMap<String, String>,
    client: &Client,
    observer: &Observer<'_>,
) -> Result<Joined, Error> {
    let opened =
        from.iter().map(|place| Ok((place, open(place, client)?))).collect::<Result<Vec<_>, Error>>()?;
    let mut parts = Vec::new();
    for (place, stored) in &opened {
        for image in &stored.images {
            parts.push(part(place, stored, image)?);
        }
    }
    let parts = distinct(parts)?;
    let root = index(parts.iter().map(|part| &part.joined.member), annotations)?;
    let copied = write(&parts, root, to, client, observer)?;
    let left_out =
        opened.iter().map(|(_, stored)| stored.entries().saturating_sub(stored.images.len())).sum();
    Ok(Joined { copied, images: parts.into_iter().map(|part| part.joined).collect(), left_out })
}

fn part<'a>(place: &Place, stored: &'a Stored, image: &StoredImage) -> Result<Part<'a>, Error> {
    let manifest = match &image.manifest {
        Some(manifest) => manifest.clone(),
        None => stored.origin.manifest().map_err(|error| Error::reading(place, error))?.clone(),
    };
    let os_version = image.config.get("os.version").and_then(serde_json::Value::as_str).map(str::to_owned);
    let member = Member::new(&manifest, image.platform.clone(), os_version);
    Ok(Part { joined: JoinedImage { member, from: place.clone() }, manifest, stored })
}

/// Sorts by platform and removes duplicates. Fails if two images have the same platform.
fn distinct(mut parts: Vec<Part<'_>>) -> Result<Vec<Part<'_>>, Error> {
    parts.sort_by(|a, b| a.joined.member.platform().cmp(&b.joined.member.platform()));
    parts.dedup_by(|a, b| a.joined.member == b.joined.member);
    let pairs = || parts.iter().zip(parts.iter().skip(1)).map(|(a, b)| (&a.joined, &b.joined));
    match pairs().find(|(a, b)| a.member.platform() == b.member.platform()) {
        None => Ok(parts),
        Some((one, other)) => Err(Error::SamePlatform {
            platform: one.member.to_string(),
            images: [one, other]
                .map(|image| format!("`{}` ({})", image.from, image.member.descriptor.digest)),
        }),
    }
}

fn write(
    parts: &[Part<'_>],
    root: Document,
    to: &Place,
    client: &Client,
    observer: &Observer<'_>,
) -> Result<Copied, Error> {
    let digest = root.digest;
    let (mut graph, mut origins) = (Graph { documents: Vec::new(), blobs: BTreeMap::new() }, BTreeMap::new());
    // Images of the same repository need no copy.
    let is_present =
        |part: &&Part<'_>| to.repository().is_some() && part.joined.from.repository() == to.repository();
    for part in parts.iter().filter(|part| !is_present(part)) {
        let mut no_children = |below: &Descriptor| Err(GraphError::below(below.digest));
        let one = Graph::read(part.manifest.clone(), &mut no_children)?;
        // A blob of several images is preferably taken from where it can be mounted.
        let is_near = registry_of(&part.joined.from).is_some_and(|from| Some(from) == registry_of(to));
        let mine = one.blobs.keys().filter(|digest| is_near || !origins.contains_key(*digest));
        origins.extend(mine.map(|digest| (*digest, part)).collect::<Vec<_>>());
        graph.documents.extend(one.documents);
        graph.blobs.extend(one.blobs);
    }
    graph.documents.push(root);
    let part_of = |blob: &Descriptor| origins.get(&blob.digest).copied();
    let open = |blob: &Descriptor| -> io::Result<Box<dyn Read>> {
        let part = part_of(blob).ok_or(io::ErrorKind::NotFound)?;
        part.stored.origin.blob(blob)
    };
    match to {
        Place::Remote(named) => {
            let from = |blob: &Descriptor| part_of(blob).and_then(|part| part.joined.from.repository());
            let sent = push(&graph, &open, named, &from, client, observer)?;
            Ok(Copied { digest, sent: Some(sent), loaded: None, warnings: Vec::new() })
        }
        Place::Local(destination) => {
            let warnings = receive(&graph, &open, &[], destination, observer)?;
            Ok(Copied { digest, sent: None, loaded: None, warnings })
        }
        Place::Engine(_) => Err(Error::NoIndex(to.clone())),
    }
}

fn registry_of(place: &Place) -> Option<String> {
    place.repository().map(|repository| repository.registry().to_owned())
}
