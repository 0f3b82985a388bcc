//! An image that was found somewhere: the document that its name stands for, and the way to everything behind it.

use std::io::{self, Read};

use serde_json::Value;

use super::blobs::Blobs;
use super::bytes::Bytes;
use super::stored::{docker_image, image_for, images, platforms};
use super::{Error, MAX_DOCUMENT, Stored, StoredImage, Why, json, nothing_there, select, unreadable};
use coracle_core::digest::Digest;
use crate::image::{Descriptor, Document, Graph};
use coracle_core::platform::Platform;
use crate::registry::{Referrer, Remote, Target};
use crate::layout::Destination;

/// An image, or an index of images of several platforms, on disk or at a registry. Nothing but its root is read yet.
#[derive(Debug)]
pub struct Origin {
    /// Where it is, as it was written.
    pub place: String,
    /// The full names that it has there; with their tags where it has any.
    pub names: Vec<String>,
    root: Root,
    pub(super) bytes: Bytes,
}

/// What its name stands for.
#[derive(Debug)]
enum Root {
    /// A manifest or an index.
    Document(Document),
    /// An entry of Docker's `manifest.json`, where an archive has nothing else.
    Docker(Value),
}

impl Origin {
    /// Finds the image in the layout or archive at `place`.
    ///
    /// # Errors
    /// When there is none, or there are several and no tag says which.
    pub fn on_disk(place: &Destination) -> Result<Self, Error> {
        let refused = |why: Why| why.about(&place.to_string());
        let blobs = Blobs::open(place).map_err(Error::File)?;
        let read = |name: &str| -> Result<Option<Value>, Error> {
            let bytes = blobs.bytes(name, MAX_DOCUMENT).map_err(|why| refused(why.into()))?;
            bytes.map(|bytes| json(name, &bytes)).transpose().map_err(|why| refused(why.into()))
        };
        let (index, bytes) = (read("index.json")?, |blobs| Bytes::Disk(blobs));
        if let Some(index) = index {
            let chosen = select::entry(&index, place)?;
            let bytes = bytes(blobs);
            let root = bytes.manifest(&chosen.digest, &chosen.media_type).map_err(refused)?;
            return Ok(Self {
                place: place.to_string(),
                names: chosen.names,
                root: Root::Document(root),
                bytes,
            });
        }
        let manifest = read("manifest.json")?.ok_or_else(|| refused(nothing_there(place).into()))?;
        let entry = select::docker_entry(&manifest, place)?.clone();
        let names = select::words(&entry, "RepoTags");
        Ok(Self { place: place.to_string(), names, root: Root::Docker(entry), bytes: bytes(blobs) })
    }

    /// The image of an entry in the `index.json` of the layout or archive at `place`.
    ///
    /// # Errors
    /// When its manifest can't be read.
    pub(super) fn in_index(place: &Destination, entry: &Value) -> Result<Self, Error> {
        let refused = |why: Why| why.about(&place.to_string());
        let bytes = Bytes::Disk(Blobs::open(place).map_err(Error::File)?);
        let digest = select::digest(entry).map_err(|why| refused(why.into()))?;
        let said = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        let root = Root::Document(bytes.manifest(&digest, said).map_err(refused)?);
        Ok(Self { place: place.to_string(), names: Vec::new(), root, bytes })
    }

    /// Finds the image at a registry; nothing where there is none. `place` and `name` say what it is called.
    ///
    /// # Errors
    /// When the registry can't be asked, or what it has is no manifest.
    pub fn at_registry(
        remote: Remote,
        target: Target<'_>,
        place: String,
        name: String,
    ) -> Result<Option<Self>, Error> {
        let Some(manifest) = remote.manifest(target).map_err(Error::Registry)? else { return Ok(None) };
        let (root, bytes) = (Root::Document(manifest.into()), Bytes::Registry(remote));
        Ok(Some(Self { place, names: vec![name], root, bytes }))
    }

    /// The digest of its manifest or index; nothing in an archive that only has Docker's description.
    pub fn digest(&self) -> Option<Digest> {
        self.root().map(|root| root.digest)
    }

    /// Whether the first of its names has a tag; what stands behind the colon of a registry is a port.
    pub fn is_tagged(&self) -> bool {
        let tag = self.names.first().and_then(|name| name.rsplit_once(':')).map(|(_, tag)| tag);
        tag.is_some_and(|tag| !tag.contains('/'))
    }

    /// Its manifest or index, where it has one.
    pub fn root(&self) -> Option<&Document> {
        match &self.root {
            Root::Document(document) => Some(document),
            Root::Docker(_) => None,
        }
    }

    /// Reads the manifests and configs of its images, not their layers.
    ///
    /// # Errors
    /// When a document is missing, is none, or is not what its digest says.
    pub fn read(self) -> Result<Stored, Error> {
        let images = match (&self.root, &self.bytes) {
            (Root::Document(root), bytes) => images(bytes, root),
            (Root::Docker(entry), Bytes::Disk(blobs)) => docker_image(blobs, entry).map(|image| vec![image]),
            (Root::Docker(_), Bytes::Registry(_)) => Ok(Vec::new()),
        };
        let images = images.map_err(|why| why.about(&self.place))?;
        if images.is_empty() {
            return Err(unreadable(&self.place, "there is no image of any platform in its index".into()));
        }
        Ok(Stored { origin: self, images })
    }

    /// All of its documents as they are, and the blobs that they name.
    ///
    /// # Errors
    /// When there is no manifest, or a document is missing or is not what its digest says.
    pub fn graph(&self) -> Result<Graph, Error> {
        self.behind(self.manifest()?.clone())
    }

    /// The same of what is about it.
    ///
    /// # Errors
    /// When a document is missing or is not what its digest says.
    pub fn graph_of(&self, referrer: &Referrer) -> Result<Graph, Error> {
        let root = self.bytes.manifest(&referrer.digest, &referrer.media_type);
        self.behind(root.map_err(|why| why.about(&self.place))?)
    }

    fn behind(&self, root: Document) -> Result<Graph, Error> {
        let mut fetch = |below: &Descriptor| self.bytes.manifest(&below.digest, &below.media_type);
        Graph::read(root, &mut fetch).map_err(|why: Why| why.about(&self.place))
    }

    /// Its manifest or index, where it has to have one.
    pub fn manifest(&self) -> Result<&Document, Error> {
        self.root().ok_or_else(|| Error::Unreadable {
            image: self.place.clone(),
            why: "it has Docker's description alone, and no manifest that could be copied".into(),
            hint: Some("build it again with `-o oci-archive:FILE`, or let skopeo convert it".into()),
        })
    }

    /// Opens a blob; whoever takes its bytes checks them.
    ///
    /// # Errors
    /// When it is not there, or has another size.
    pub fn blob(&self, named: &Descriptor) -> io::Result<Box<dyn Read>> {
        let source = self.bytes.blob(named)?;
        if source.size != named.size {
            let why = format!("it has {} bytes, and its descriptor says {}", source.size, named.size);
            return Err(io::Error::other(why));
        }
        // What follows it in an archive is none of it.
        Ok(Box::new(source.reader))
    }

    /// What its images are for, where an index says so.
    pub fn platforms(&self) -> Vec<Platform> {
        self.root().map(platforms).unwrap_or_default()
    }

    /// The image for this platform, its manifest and config read: a lone one, whatever it is for; nothing where an index
    /// has none.
    ///
    /// # Errors
    /// When a document is missing, is none, or is not what its digest says.
    pub fn image_for(&self, platform: &Platform) -> Result<Option<StoredImage>, Error> {
        image_for(&self.bytes, self.manifest()?, platform).map_err(|why| why.about(&self.place))
    }

    /// What stands beside it and is about `subject`, which is one of its documents: signatures, lists of what it is made
    /// of, contracts.
    ///
    /// # Errors
    /// When what is there can't be read.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, Error> {
        self.bytes.referrers(subject, None).map_err(|why| why.about(&self.place))
    }
}
