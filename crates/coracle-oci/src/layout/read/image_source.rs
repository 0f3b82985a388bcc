//! The image that a name refers to, in a layout, in an archive or at a registry, and access to its
//! documents and blobs.

use std::io::{self, Read};

use serde_json::Value;

use super::blob_source::BlobSource;
use super::disk_blobs::{DiskBlobs, SizedReader, index_entries};
use super::parsed_platform::{
    ParsedLayer, ParsedPlatform, index_platforms, read_docker_image, read_image_for, read_images,
};
use super::read_failure::{ReadFailure, parse_json};
use super::select_entry;
use crate::image::{Descriptor, ImageGraph, MAX_DOCUMENT_SIZE, RawManifest};
use crate::layer::Codec;
use crate::layout::disk_location::{DiskFormat, DiskLocation};
use crate::layout::error::LayoutError;
use crate::layout::image_names::{ImageNames, names_with_tag};
use crate::layout::index_json::is_image_entry;
use crate::layout::staging::Staging;
use crate::registry::{ManifestReference, Referrer, RepositoryClient};
use coracle_core::digest::Digest;
use coracle_core::escape::escape_text;
use coracle_core::platform::Platform;

/// An image, or an index of images of several platforms, on disk or at a registry. Only its root is
/// read at first.
#[derive(Debug)]
pub struct ImageSource {
    /// The location, as the user wrote it.
    pub location: String,
    /// The full names of the image at its location, including tags.
    pub names: Vec<String>,
    root: SourceRoot,
    pub(super) bytes: BlobSource,
    /// The directory of the archive that an engine saved the image to, which is removed on drop.
    _archive_directory: Option<Staging>,
}

/// The document that the name refers to.
#[derive(Debug)]
enum SourceRoot {
    /// A manifest or an index.
    Document(RawManifest),
    /// An entry of Docker's `manifest.json`, for an archive without `index.json`.
    DockerEntry(Value),
}

impl ImageSource {
    /// Opens the image in the layout or archive at `location`: reads the document that its name
    /// refers to.
    ///
    /// # Errors
    /// Fails if there is no image, or if there are several and `location` has no tag.
    pub fn open_on_disk(location: &DiskLocation) -> Result<Self, LayoutError> {
        let refused = |why: ReadFailure| why.into_layout_error(&location.to_string());
        let blobs = DiskBlobs::open(location).map_err(LayoutError::File)?;
        let read = |name: &str| -> Result<Option<Value>, LayoutError> {
            let bytes = blobs.read_file(name, MAX_DOCUMENT_SIZE).map_err(|why| refused(why.into()))?;
            bytes.map(|bytes| parse_json(name, &bytes)).transpose().map_err(|why| refused(why.into()))
        };
        let (index, bytes) = (read("index.json")?, |blobs| BlobSource::Disk(blobs));
        if let Some(index) = index {
            let chosen = select_entry::select_entry(&index, location)?;
            let bytes = bytes(blobs);
            let root = bytes.read_manifest(&chosen.digest, &chosen.media_type).map_err(refused)?;
            return Ok(Self {
                location: location.to_string(),
                names: chosen.names,
                root: SourceRoot::Document(root),
                bytes,
                _archive_directory: None,
            });
        }
        let manifest =
            read("manifest.json")?.ok_or_else(|| refused(describe_missing_image(location).into()))?;
        let entry = select_entry::select_docker_entry(&manifest, location)?.clone();
        let names = select_entry::string_array(&entry, "RepoTags");
        Ok(Self {
            location: location.to_string(),
            names,
            root: SourceRoot::DockerEntry(entry),
            bytes: bytes(blobs),
            _archive_directory: None,
        })
    }

    /// Opens the image of an entry in the `index.json` of the layout or archive at `location`.
    ///
    /// # Errors
    /// Fails if its manifest cannot be read.
    fn from_index_entry(location: &DiskLocation, entry: &Value) -> Result<Self, LayoutError> {
        let refused = |why: ReadFailure| why.into_layout_error(&location.to_string());
        let bytes = BlobSource::Disk(DiskBlobs::open(location).map_err(LayoutError::File)?);
        let digest = select_entry::parse_digest(entry).map_err(|why| refused(why.into()))?;
        let media_type = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        let root = SourceRoot::Document(bytes.read_manifest(&digest, media_type).map_err(refused)?);
        let location = location.to_string();
        Ok(Self { location, names: Vec::new(), root, bytes, _archive_directory: None })
    }

    /// Opens the image at a registry: pulls its manifest or index. `None` if it does not exist.
    /// `location` is as the user wrote it, `name` its full name.
    ///
    /// # Errors
    /// Fails if the request fails, or if the response is not a manifest.
    pub fn open_at_registry(
        remote: RepositoryClient,
        target: ManifestReference<'_>,
        location: String,
        name: String,
    ) -> Result<Option<Self>, LayoutError> {
        let Some(manifest) = remote.pull_manifest(target).map_err(LayoutError::Registry)? else {
            return Ok(None);
        };
        let (root, bytes) = (SourceRoot::Document(manifest), BlobSource::Registry(remote));
        Ok(Some(Self { location, names: vec![name], root, bytes, _archive_directory: None }))
    }

    /// Returns the source of an image of an engine, which was saved to an archive in `directory`.
    pub(crate) fn saved_from_engine(self, location: String, name: String, directory: Staging) -> Self {
        Self { location, names: vec![name], _archive_directory: Some(directory), ..self }
    }

    /// Returns the digest of the image's manifest or index; `None` in an archive that only has a
    /// `manifest.json`.
    pub fn digest(&self) -> Option<Digest> {
        self.root_manifest().map(|root| root.digest)
    }

    /// Returns whether the first name of the image has a tag. A colon before a `/` precedes a port.
    pub fn is_tagged(&self) -> bool {
        let tag = self.names.first().and_then(|name| name.rsplit_once(':')).map(|(_, tag)| tag);
        tag.is_some_and(|tag| !tag.contains('/'))
    }

    /// Returns the image's manifest or index; `None` in an archive that only has a `manifest.json`.
    pub fn root_manifest(&self) -> Option<&RawManifest> {
        match &self.root {
            SourceRoot::Document(document) => Some(document),
            SourceRoot::DockerEntry(_) => None,
        }
    }

    /// Reads the manifests and configs of all images of the source. Empty if the index contains no
    /// image.
    pub(super) fn read_images(&self) -> Result<Vec<ParsedPlatform>, ReadFailure> {
        match (&self.root, &self.bytes) {
            (SourceRoot::Document(root), bytes) => read_images(bytes, root),
            (SourceRoot::DockerEntry(entry), BlobSource::Disk(blobs)) => {
                read_docker_image(blobs, entry).map(|image| vec![image])
            }
            (SourceRoot::DockerEntry(_), BlobSource::Registry(_)) => Ok(Vec::new()),
        }
    }

    /// Reads all documents of the image, and lists the blobs that they refer to.
    ///
    /// # Errors
    /// Fails if there is no manifest, or if a document is missing or does not match its digest.
    pub fn read_graph(&self) -> Result<ImageGraph, LayoutError> {
        self.collect_graph(self.require_root_manifest()?.clone())
    }

    /// Reads all documents of a referrer, and lists the blobs that they refer to.
    ///
    /// # Errors
    /// Fails if a document is missing or does not match its digest.
    pub fn read_referrer_graph(&self, referrer: &Referrer) -> Result<ImageGraph, LayoutError> {
        let root = self.bytes.read_manifest(&referrer.digest, &referrer.media_type);
        self.collect_graph(root.map_err(|why| why.into_layout_error(&self.location))?)
    }

    fn collect_graph(&self, root: RawManifest) -> Result<ImageGraph, LayoutError> {
        let mut fetch = |below: &Descriptor| self.bytes.read_manifest(&below.digest, &below.media_type);
        ImageGraph::collect(root, &mut fetch)
            .map_err(|why: ReadFailure| why.into_layout_error(&self.location))
    }

    /// Returns the image's manifest or index.
    ///
    /// # Errors
    /// Fails for an archive that only has a `manifest.json`.
    pub fn require_root_manifest(&self) -> Result<&RawManifest, LayoutError> {
        self.root_manifest().ok_or_else(|| LayoutError::UnreadableImage {
            image: self.location.clone(),
            why: "it has only Docker's `manifest.json`, and no OCI manifest that can be copied".into(),
            hint: Some("build it again with `-o oci-archive:FILE`, or convert it with skopeo".into()),
        })
    }

    /// Opens a blob. The caller has to verify its digest.
    ///
    /// # Errors
    /// Fails if it does not exist or has another size than its descriptor.
    pub fn open_blob(&self, named: &Descriptor) -> io::Result<Box<dyn Read>> {
        let source = self.bytes.open_blob(named)?;
        if source.size != named.size {
            let why = format!("it has {} bytes, but its descriptor says {}", source.size, named.size);
            return Err(io::Error::other(why));
        }
        // The reader ends with the blob, not with the archive.
        Ok(Box::new(source.reader))
    }

    /// Returns the platforms in the image's index; empty for a single image.
    pub fn index_platforms(&self) -> Vec<Platform> {
        self.root_manifest().map(index_platforms).unwrap_or_default()
    }

    /// Reads manifest and config of the image for this platform; `None` if an index has no image
    /// for it. Without an index, the only image is returned even if it is for another platform.
    ///
    /// # Errors
    /// Fails if a document is missing, is invalid or does not match its digest.
    pub fn read_image_for(&self, platform: &Platform) -> Result<Option<ParsedPlatform>, LayoutError> {
        read_image_for(&self.bytes, self.require_root_manifest()?, platform)
            .map_err(|why| why.into_layout_error(&self.location))
    }

    /// Returns the artifacts about `subject`, which is one of its documents: signatures, SBOMs,
    /// contracts.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, LayoutError> {
        self.bytes.referrers(subject).map_err(|why| why.into_layout_error(&self.location))
    }
}

impl ImageSource {
    /// Opens the uncompressed tar of a layer. The caller has to verify its digest.
    ///
    /// # Errors
    /// Fails if the layer does not exist or its compression is not supported. The error can contain
    /// a [`RegistryError`](crate::registry::RegistryError).
    pub fn open_tar(&self, layer: &ParsedLayer) -> io::Result<Box<dyn Read>> {
        self.decompress_layer(layer, self.open_layer(layer).map_err(ReadFailure::into_io)?.reader)
    }

    /// Returns the uncompressed tar of a layer whose blob is read from `reader`.
    ///
    /// # Errors
    /// Fails if the compression is not supported.
    pub(crate) fn decompress_layer(
        &self,
        layer: &ParsedLayer,
        reader: impl Read + 'static,
    ) -> io::Result<Box<dyn Read>> {
        self.layer_codec(layer).map_err(ReadFailure::into_io)?.decompress(reader)
    }

    /// Opens the blob of a layer.
    pub(super) fn open_layer(&self, layer: &ParsedLayer) -> Result<SizedReader, ReadFailure> {
        match (&layer.descriptor, &self.bytes) {
            (Some(descriptor), bytes) => bytes.open_blob(descriptor).map_err(ReadFailure::from),
            (None, BlobSource::Disk(blobs)) => {
                let source = blobs.open_file(&layer.archive_member).map_err(ReadFailure::File)?;
                source.ok_or_else(|| "it is missing".to_owned().into())
            }
            (None, BlobSource::Registry(_)) => Err("it has no digest".to_owned().into()),
        }
    }

    /// Returns the compression of a layer: by its media type, or by its first bytes if it has none.
    pub(super) fn layer_codec(&self, layer: &ParsedLayer) -> Result<Codec, ReadFailure> {
        match layer.descriptor.as_ref().map_or("", |descriptor| &descriptor.media_type) {
            kind if kind.ends_with("+gzip") || kind.ends_with(".gzip") => Ok(Codec::Gzip),
            kind if kind.ends_with("+zstd") => Ok(Codec::Zstd),
            "application/vnd.oci.image.layer.v1.tar" => Ok(Codec::None),
            "" => {
                let mut start = [0; 4];
                let mut reader = self.open_layer(layer)?.reader;
                // A tar is longer than these bytes and starts with none of them.
                reader.read_exact(&mut start)?;
                Ok(match start {
                    [0x1f, 0x8b, ..] => Codec::Gzip,
                    [0x28, 0xb5, 0x2f, 0xfd] => Codec::Zstd,
                    _ => Codec::None,
                })
            }
            kind => Err(ReadFailure::Message(format!(
                "the media type `{}` is not supported, only tar, gzip and zstd layers",
                escape_text(kind)
            ))),
        }
    }
}

/// Finds the image at `location` that an image with these names would replace; `None` if there is
/// none in an `index.json`.
///
/// # Errors
/// Fails if its manifest cannot be read.
pub fn find_replaced_image(
    location: &DiskLocation,
    names: ImageNames<'_>,
) -> Result<Option<ImageSource>, LayoutError> {
    let tag = names_with_tag(names, location.tag.as_deref())?.into_iter().next().and_then(|name| name.tag);
    let is_wanted = |entry: &Value| is_image_entry(entry) && select_entry::entry_tag(entry) == tag.as_deref();
    let Some(entry) = index_entries(location).into_iter().flatten().rfind(is_wanted) else { return Ok(None) };
    let location = DiskLocation { tag, ..location.clone() };
    ImageSource::from_index_entry(&location, &entry).map(Some)
}

fn describe_missing_image(location: &DiskLocation) -> String {
    match location.format {
        DiskFormat::Layout => "it has no `index.json`, so it is not an image layout".into(),
        _ => "it has neither `index.json` nor `manifest.json`, so it is not an image archive".into(),
    }
}
