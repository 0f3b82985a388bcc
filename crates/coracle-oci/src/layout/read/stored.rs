//! An image whose manifests and configs have been read: platforms, labels, and paths in layers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::blobs::Blobs;
use super::bytes::Bytes;
use super::files::Files;
use super::{Error, MAX_DOCUMENT, MAX_IMAGES, MAX_LAYERS, Origin, Why, artifact, json, select};
use coracle_core::digest::Digest;
use crate::image::{Descriptor, Document};
use coracle_core::platform::Platform;

/// An image, or an index of images of several platforms, with parsed configs.
#[derive(Debug)]
pub struct Stored {
    /// The source, which gives access to blobs.
    pub origin: Origin,
    /// The images, at least one.
    pub images: Vec<StoredImage>,
}

/// The image of one platform.
#[derive(Clone, Debug)]
pub struct StoredImage {
    /// The platform in its config.
    pub platform: Platform,
    /// The manifest; `None` in an archive that only has a `manifest.json`.
    pub manifest: Option<Document>,
    /// The config.
    pub config: Value,
    /// The layers, the lowest first.
    pub layers: Vec<StoredLayer>,
}

/// A layer of an image.
#[derive(Clone, Debug)]
pub struct StoredLayer {
    /// The descriptor; `None` in an archive that only has a `manifest.json`.
    pub descriptor: Option<Descriptor>,
    /// The member of such an archive; otherwise empty.
    pub(super) member: String,
}

/// Reads the image of a manifest, or all images of an index.
pub(super) fn images(bytes: &Bytes, root: &Document) -> Result<Vec<StoredImage>, Why> {
    let document = json(&root.digest.to_string(), &root.bytes)?;
    if !select::is_index(&root.media_type, &document) {
        return Ok(vec![image(bytes, root.clone(), &document)?]);
    }
    let entries = document.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if entries.len() > MAX_IMAGES {
        return Err(Why::Said(format!("`{}` has more than {MAX_IMAGES} images", root.digest)));
    }
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| select::is_image(entry)) {
        let media_type = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        let manifest = bytes.manifest(&select::digest(entry)?, media_type)?;
        let document = json(&manifest.digest.to_string(), &manifest.bytes)?;
        found.push(image(bytes, manifest, &document)?);
    }
    Ok(found)
}

/// Reads the image for `wanted`. A single image is returned whatever its platform is; `None` if an
/// index has no image for it.
pub(super) fn image_for(
    bytes: &Bytes,
    root: &Document,
    wanted: &Platform,
) -> Result<Option<StoredImage>, Why> {
    let document = json(&root.digest.to_string(), &root.bytes)?;
    if !select::is_index(&root.media_type, &document) {
        return Ok(Some(image(bytes, root.clone(), &document)?));
    }
    let Some(entry) = select::platform_entry(&document, wanted) else { return Ok(None) };
    let media_type = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    let manifest = bytes.manifest(&select::digest(entry)?, media_type)?;
    let document = json(&manifest.digest.to_string(), &manifest.bytes)?;
    Ok(Some(image(bytes, manifest, &document)?))
}

/// Returns the platforms in an index; empty for a manifest.
pub(super) fn platforms(root: &Document) -> Vec<Platform> {
    let document = json("", &root.bytes).unwrap_or_default();
    let entries = document.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    entries.iter().filter(|entry| select::is_image(entry)).filter_map(select::entry_platform).collect()
}

fn image(bytes: &Bytes, manifest: Document, document: &Value) -> Result<StoredImage, Why> {
    let digest = manifest.digest;
    let config = document
        .get("config")
        .ok_or_else(|| format!("`{digest}` is not a valid manifest: it has no `config`"))?;
    let config = Descriptor::read(config)?;
    let config = json(&config.digest.to_string(), &bytes.document(&config, MAX_DOCUMENT)?)?;
    let layers = document.get("layers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if layers.len() > MAX_LAYERS {
        return Err(Why::Said(format!("`{digest}` has more than {MAX_LAYERS} layers")));
    }
    let layers = layers
        .iter()
        .map(|layer| Ok(StoredLayer { descriptor: Some(Descriptor::read(layer)?), member: String::new() }));
    let layers = layers.collect::<Result<_, String>>()?;
    Ok(StoredImage { platform: platform(&config), manifest: Some(manifest), config, layers })
}

/// Reads the image of an entry of Docker's `manifest.json`.
pub(super) fn docker_image(blobs: &Blobs, entry: &Value) -> Result<StoredImage, Why> {
    let config = entry.get("Config").and_then(Value::as_str).unwrap_or_default();
    let bytes = blobs.bytes(config, MAX_DOCUMENT)?;
    let bytes = bytes.ok_or_else(|| format!("its config `{config}` is missing"))?;
    let config = json(config, &bytes)?;
    let layers = select::words(entry, "Layers").into_iter();
    let layers = layers.map(|member| StoredLayer { descriptor: None, member }).collect();
    Ok(StoredImage { platform: platform(&config), manifest: None, config, layers })
}

fn platform(config: &Value) -> Platform {
    let text = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
    Platform {
        os: text("os").unwrap_or_else(|| "linux".into()),
        architecture: text("architecture").unwrap_or_else(|| "unknown".into()),
        variant: text("variant"),
    }
}

impl StoredImage {
    /// Returns the size of layers, config and manifest, in bytes, as in the manifest; 0 in an
    /// archive that only has a `manifest.json`.
    pub fn size(&self) -> u64 {
        let Some(manifest) = &self.manifest else { return 0 };
        let config =
            json("", &manifest.bytes).ok().and_then(|document| document.get("config")?.get("size")?.as_u64());
        let layers = self.layers.iter().filter_map(|layer| layer.descriptor.as_ref());
        layers.map(|layer| layer.size).chain(config).fold(manifest.bytes.len() as u64, u64::saturating_add)
    }

    /// Returns the digest of its manifest; `None` if it has none.
    pub fn digest(&self) -> Option<Digest> {
        self.manifest.as_ref().map(|manifest| manifest.digest)
    }

    /// Returns the value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.config.get("config")?.get("Labels")?.get(name)?.as_str()
    }

    /// Returns the `User` of the config; `None` means root.
    pub fn user(&self) -> Option<&str> {
        self.config.get("config")?.get("User")?.as_str().filter(|user| !user.is_empty())
    }
}

impl Stored {
    /// Returns the number of entries of its index, images or not; 1 if there is no index.
    pub fn entries(&self) -> usize {
        let root = self.origin.root().and_then(|root| serde_json::from_slice::<Value>(&root.bytes).ok());
        let entries = root.as_ref().and_then(|root| root.get("manifests")?.as_array());
        entries.map_or(1, Vec::len)
    }

    /// Returns the image for `platform`, or the first image if `platform` is `None`.
    ///
    /// # Errors
    /// Fails if there is no image for this platform.
    pub fn image(&self, platform: Option<&Platform>) -> Result<&StoredImage, Error> {
        let found = match platform {
            None => self.images.first(),
            Some(wanted) => self.images.iter().find(|image| image.platform == *wanted).or_else(|| {
                self.images.iter().find(|image| wanted.variant.is_none() && image.platform.is_kin_of(wanted))
            }),
        };
        found.ok_or_else(|| {
            let known: BTreeSet<String> =
                self.images.iter().map(|image| image.platform.to_string()).collect();
            Error::Unreadable {
                image: self.origin.place.clone(),
                why: platform.map_or_else(String::new, |platform| format!("it has no image for {platform}")),
                hint: Some(format!("it has {}", known.into_iter().collect::<Vec<_>>().join(", "))),
            }
        })
    }

    /// Returns the digests that artifacts can have as their subject: its manifest or index, then
    /// the manifests of its images.
    pub fn digests(&self) -> Vec<Digest> {
        let images = self.images.iter().filter_map(StoredImage::digest);
        let mut digests: Vec<Digest> = self.origin.digest().into_iter().collect();
        digests.extend(images.filter(|digest| self.origin.digest() != Some(*digest)));
        digests
    }

    /// Returns the content of the artifact of type `kind` about it or one of its images; `None` if
    /// there is none.
    ///
    /// # Errors
    /// Fails if a document cannot be read or does not match its digest.
    pub fn artifact(&self, kind: &str) -> Result<Option<Vec<u8>>, Error> {
        let content = artifact::content(&self.origin.bytes, kind, &self.digests());
        content.map_err(|why| why.about(&self.origin.place))
    }

    /// Returns the value of a label of the image for `platform`, or of all images if `platform` is
    /// `None`.
    ///
    /// # Errors
    /// Fails if there is no image for the platform, or if the images have different values.
    pub fn label(&self, name: &str, platform: Option<&Platform>) -> Result<Option<&str>, Error> {
        let image = self.image(platform)?;
        let label = image.label(name);
        let other = self.images.iter().find(|other| platform.is_none() && other.label(name) != label);
        match other {
            None => Ok(label),
            Some(other) => Err(Error::Unreadable {
                image: self.origin.place.clone(),
                why: format!(
                    "the label `{name}` of its image for {} differs from that for {}",
                    image.platform, other.platform
                ),
                hint: Some(format!("choose one with `--platform {}`", image.platform)),
            }),
        }
    }

    /// Returns all paths of `image`, with its layers merged.
    ///
    /// # Errors
    /// Fails if a layer is missing, does not match its digest, or has an unsupported compression.
    pub fn files(&self, image: &StoredImage) -> Result<Files, Error> {
        let mut files = Files::default();
        for (number, layer) in image.layers.iter().enumerate() {
            let digest = layer.descriptor.as_ref().map(|descriptor| descriptor.digest);
            let name = digest.map_or_else(|| layer.member.clone(), |digest| digest.to_string());
            let refused =
                |why: Why| why.within(&format!("layer {number}, `{name}`")).about(&self.origin.place);
            let codec = self.origin.codec(layer).map_err(refused)?;
            let source = self.origin.layer(layer).map_err(refused)?;
            files.add(source, digest.as_ref(), codec).map_err(refused)?;
        }
        Ok(files)
    }
}
