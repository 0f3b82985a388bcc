//! The image that a name refers to, in a layout, in an archive or at a registry, and access to its
//! documents and blobs.

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

/// An image, or an index of images of several platforms, on disk or at a registry. Only its root is
/// read at first.
#[derive(Debug)]
pub struct Origin {
    /// The location, as the user wrote it.
    pub place: String,
    /// The full names that it has there, including tags.
    pub names: Vec<String>,
    root: Root,
    pub(super) bytes: Bytes,
}

/// The document that the name refers to.
#[derive(Debug)]
enum Root {
    /// A manifest or an index.
    Document(Document),
    /// An entry of Docker's `manifest.json`, for an archive without `index.json`.
    Docker(Value),
}

impl Origin {
    /// Finds the image in the layout or archive at `location`.
    ///
    /// # Errors
    /// Fails if there is no image, or if there are several and `location` has no tag.
    pub fn on_disk(location: &Destination) -> Result<Self, Error> {
        let refused = |why: Why| why.about(&location.to_string());
        let blobs = Blobs::open(location).map_err(Error::File)?;
        let read = |name: &str| -> Result<Option<Value>, Error> {
            let bytes = blobs.bytes(name, MAX_DOCUMENT).map_err(|why| refused(why.into()))?;
            bytes.map(|bytes| json(name, &bytes)).transpose().map_err(|why| refused(why.into()))
        };
        let (index, bytes) = (read("index.json")?, |blobs| Bytes::Disk(blobs));
        if let Some(index) = index {
            let chosen = select::entry(&index, location)?;
            let bytes = bytes(blobs);
            let root = bytes.manifest(&chosen.digest, &chosen.media_type).map_err(refused)?;
            return Ok(Self {
                place: location.to_string(),
                names: chosen.names,
                root: Root::Document(root),
                bytes,
            });
        }
        let manifest = read("manifest.json")?.ok_or_else(|| refused(nothing_there(location).into()))?;
        let entry = select::docker_entry(&manifest, location)?.clone();
        let names = select::words(&entry, "RepoTags");
        Ok(Self { place: location.to_string(), names, root: Root::Docker(entry), bytes: bytes(blobs) })
    }

    /// Opens the image of an entry in the `index.json` of the layout or archive at `location`.
    ///
    /// # Errors
    /// Fails if its manifest cannot be read.
    pub(super) fn in_index(location: &Destination, entry: &Value) -> Result<Self, Error> {
        let refused = |why: Why| why.about(&location.to_string());
        let bytes = Bytes::Disk(Blobs::open(location).map_err(Error::File)?);
        let digest = select::digest(entry).map_err(|why| refused(why.into()))?;
        let media_type = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        let root = Root::Document(bytes.manifest(&digest, media_type).map_err(refused)?);
        Ok(Self { place: location.to_string(), names: Vec::new(), root, bytes })
    }

    /// Finds the image at a registry; `None` if it does not exist. `place` is its location as the
    /// user wrote it, `name` its full name.
    ///
    /// # Errors
    /// Fails if the request fails, or if the response is not a manifest.
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

    /// Returns the digest of its manifest or index; `None` in an archive that only has a
    /// `manifest.json`.
    pub fn digest(&self) -> Option<Digest> {
        self.root().map(|root| root.digest)
    }

    /// Returns whether the first of its names has a tag. A colon before a `/` precedes a port.
    pub fn is_tagged(&self) -> bool {
        let tag = self.names.first().and_then(|name| name.rsplit_once(':')).map(|(_, tag)| tag);
        tag.is_some_and(|tag| !tag.contains('/'))
    }

    /// Returns its manifest or index; `None` in an archive that only has a `manifest.json`.
    pub fn root(&self) -> Option<&Document> {
        match &self.root {
            Root::Document(document) => Some(document),
            Root::Docker(_) => None,
        }
    }

    /// Reads the manifests and configs of its images, not their layers.
    ///
    /// # Errors
    /// Fails if a document is missing, is invalid or does not match its digest.
    pub fn read(self) -> Result<Stored, Error> {
        let images = match (&self.root, &self.bytes) {
            (Root::Document(root), bytes) => images(bytes, root),
            (Root::Docker(entry), Bytes::Disk(blobs)) => docker_image(blobs, entry).map(|image| vec![image]),
            (Root::Docker(_), Bytes::Registry(_)) => Ok(Vec::new()),
        };
        let images = images.map_err(|why| why.about(&self.place))?;
        if images.is_empty() {
            return Err(unreadable(&self.place, "its index contains no image".into()));
        }
        Ok(Stored { origin: self, images })
    }

    /// Reads all of its documents, and lists the blobs that they refer to.
    ///
    /// # Errors
    /// Fails if there is no manifest, or if a document is missing or does not match its digest.
    pub fn graph(&self) -> Result<Graph, Error> {
        self.behind(self.manifest()?.clone())
    }

    /// Reads all documents of a referrer, and lists the blobs that they refer to.
    ///
    /// # Errors
    /// Fails if a document is missing or does not match its digest.
    pub fn graph_of(&self, referrer: &Referrer) -> Result<Graph, Error> {
        let root = self.bytes.manifest(&referrer.digest, &referrer.media_type);
        self.behind(root.map_err(|why| why.about(&self.place))?)
    }

    fn behind(&self, root: Document) -> Result<Graph, Error> {
        let mut fetch = |below: &Descriptor| self.bytes.manifest(&below.digest, &below.media_type);
        Graph::read(root, &mut fetch).map_err(|why: Why| why.about(&self.place))
    }

    /// Returns its manifest or index.
    ///
    /// # Errors
    /// Fails for an archive that only has a `manifest.json`.
    pub fn manifest(&self) -> Result<&Document, Error> {
        self.root().ok_or_else(|| Error::Unreadable {
            image: self.place.clone(),
            why: "it has only Docker's `manifest.json`, and no OCI manifest that can be copied".into(),
            hint: Some("build it again with `-o oci-archive:FILE`, or convert it with skopeo".into()),
        })
    }

    /// Opens a blob. The caller has to verify its digest.
    ///
    /// # Errors
    /// Fails if it does not exist or has another size than its descriptor.
    pub fn blob(&self, named: &Descriptor) -> io::Result<Box<dyn Read>> {
        let source = self.bytes.blob(named)?;
        if source.size != named.size {
            let why = format!("it has {} bytes, but its descriptor says {}", source.size, named.size);
            return Err(io::Error::other(why));
        }
        // The reader ends with the blob, not with the archive.
        Ok(Box::new(source.reader))
    }

    /// Returns the platforms in its index; empty for a single image.
    pub fn platforms(&self) -> Vec<Platform> {
        self.root().map(platforms).unwrap_or_default()
    }

    /// Reads manifest and config of the image for this platform. A single image is returned
    /// whatever its platform is; `None` if an index has no image for the platform.
    ///
    /// # Errors
    /// Fails if a document is missing, is invalid or does not match its digest.
    pub fn image_for(&self, platform: &Platform) -> Result<Option<StoredImage>, Error> {
        image_for(&self.bytes, self.manifest()?, platform).map_err(|why| why.about(&self.place))
    }

    /// Returns the artifacts about `subject`, which is one of its documents: signatures, SBOMs,
    /// contracts.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, Error> {
        self.bytes.referrers(subject, None).map_err(|why| why.about(&self.place))
    }
}
