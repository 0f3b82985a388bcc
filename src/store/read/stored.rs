//! An image with its manifests and configs read: platforms, labels, and the paths in its layers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::blobs::{Blobs, Source};
use super::bytes::Bytes;
use super::files::{Files, Packing};
use super::{Error, MAX_DOCUMENT, MAX_IMAGES, MAX_LAYERS, Origin, Why, json, select};
use crate::digest::Digest;
use crate::image::{Descriptor, Document};
use crate::platform::Platform;

/// An image, or an index of images of several platforms, wherever it is kept.
#[derive(Debug)]
pub struct Stored {
    /// Where it was found, and the way to its blobs.
    pub origin: Origin,
    /// Its images, at least one.
    pub images: Vec<StoredImage>,
}

/// The image of one platform.
#[derive(Clone, Debug)]
pub struct StoredImage {
    /// Its platform, as its config says.
    pub platform: Platform,
    /// Its manifest; nothing in an archive that only has Docker's description.
    pub manifest: Option<Document>,
    /// Its config.
    pub config: Value,
    /// Its layers, the lowest first.
    pub layers: Vec<StoredLayer>,
}

/// A layer of an image.
#[derive(Clone, Debug)]
pub struct StoredLayer {
    /// What names it; nothing in an archive that only has Docker's description.
    pub descriptor: Option<Descriptor>,
    /// Its file in such an archive.
    member: String,
}

/// The images behind a root: one of a manifest, those of an index.
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
        let said = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        let manifest = bytes.manifest(&select::digest(entry)?, said)?;
        let document = json(&manifest.digest.to_string(), &manifest.bytes)?;
        found.push(image(bytes, manifest, &document)?);
    }
    Ok(found)
}

fn image(bytes: &Bytes, manifest: Document, document: &Value) -> Result<StoredImage, Why> {
    let digest = manifest.digest;
    let config =
        document.get("config").ok_or_else(|| format!("`{digest}` is no manifest: it has no config"))?;
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

/// The image that an entry of Docker's `manifest.json` describes.
pub(super) fn docker_image(blobs: &Blobs, entry: &Value) -> Result<StoredImage, Why> {
    let config = entry.get("Config").and_then(Value::as_str).unwrap_or_default();
    let bytes = blobs.bytes(config, MAX_DOCUMENT)?;
    let bytes = bytes.ok_or_else(|| format!("`{config}`, its config, is missing"))?;
    let config = json(config, &bytes)?;
    let layers = select::words(entry, "Layers").into_iter();
    let layers = layers.map(|member| StoredLayer { descriptor: None, member }).collect();
    Ok(StoredImage { platform: platform(&config), manifest: None, config, layers })
}

fn platform(config: &Value) -> Platform {
    let word = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
    Platform {
        os: word("os").unwrap_or_else(|| "linux".into()),
        architecture: word("architecture").unwrap_or_else(|| "unknown".into()),
        variant: word("variant"),
    }
}

impl StoredImage {
    /// The digest of its manifest.
    pub fn digest(&self) -> Option<Digest> {
        self.manifest.as_ref().map(|manifest| manifest.digest)
    }

    /// The text of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.config.get("config")?.get("Labels")?.get(name)?.as_str()
    }

    /// Who the program runs as; nothing is root.
    pub fn user(&self) -> Option<&str> {
        self.config.get("config")?.get("User")?.as_str().filter(|user| !user.is_empty())
    }
}

impl Stored {
    /// How many entries its index has, images or not; one where there is no index.
    pub fn entries(&self) -> usize {
        let root = self.origin.root().and_then(|root| serde_json::from_slice::<Value>(&root.bytes).ok());
        let entries = root.as_ref().and_then(|root| root.get("manifests")?.as_array());
        entries.map_or(1, Vec::len)
    }

    /// The image of `platform`; without one the only image, or the first of those that are the same for the caller.
    ///
    /// # Errors
    /// When there is none for this platform.
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

    /// The text of a label: of the image for `platform`, or of all images, which have to agree.
    ///
    /// # Errors
    /// When there is no such platform, or images of several platforms say different things.
    pub fn label(&self, name: &str, platform: Option<&Platform>) -> Result<Option<&str>, Error> {
        let image = self.image(platform)?;
        let label = image.label(name);
        let other = self.images.iter().find(|other| platform.is_none() && other.label(name) != label);
        match other {
            None => Ok(label),
            Some(other) => Err(Error::Unreadable {
                image: self.origin.place.clone(),
                why: format!(
                    "the label `{name}` of its image for {} is not that of the one for {}",
                    image.platform, other.platform
                ),
                hint: Some(format!("choose one with `--platform {}`", image.platform)),
            }),
        }
    }

    /// Every path in the layers of `image`, as they lie upon each other.
    ///
    /// # Errors
    /// When a layer is missing, is not what its digest says, or is packed in a way that is not known here.
    pub fn files(&self, image: &StoredImage) -> Result<Files, Error> {
        let mut files = Files::default();
        for (number, layer) in image.layers.iter().enumerate() {
            let digest = layer.descriptor.as_ref().map(|descriptor| descriptor.digest);
            let name = digest.map_or_else(|| layer.member.clone(), |digest| digest.to_string());
            let refused =
                |why: Why| why.within(&format!("layer {number}, `{name}`")).about(&self.origin.place);
            let packing = self.packing(layer).map_err(refused)?;
            let source = self.layer(layer).map_err(refused)?;
            files.add(source, digest.as_ref(), packing).map_err(refused)?;
        }
        Ok(files)
    }

    /// Opens a layer.
    fn layer(&self, layer: &StoredLayer) -> Result<Source, Why> {
        match (&layer.descriptor, self.origin.bytes()) {
            (Some(descriptor), bytes) => bytes.blob(descriptor).map_err(Why::from),
            (None, Bytes::Disk(blobs)) => {
                let source = blobs.file(&layer.member).map_err(|error| error.to_string())?;
                source.ok_or_else(|| "it is missing".to_owned().into())
            }
            (None, Bytes::Registry(_)) => Err("it has no digest".to_owned().into()),
        }
    }

    /// How a layer is packed: its media type says so; without one, its first bytes.
    fn packing(&self, layer: &StoredLayer) -> Result<Packing, Why> {
        match layer.descriptor.as_ref().map_or("", |descriptor| &descriptor.media_type) {
            kind if kind.ends_with("+gzip") || kind.ends_with(".gzip") => Ok(Packing::Gzip),
            kind if kind.ends_with("+zstd") => Ok(Packing::Zstd),
            "application/vnd.oci.image.layer.v1.tar" => Ok(Packing::Plain),
            "" => {
                let mut start = [0; 4];
                let mut reader = self.layer(layer)?.reader;
                // A tar has more bytes than that, and none of these at its start.
                std::io::Read::read_exact(&mut reader, &mut start)?;
                Ok(match start {
                    [0x1f, 0x8b, ..] => Packing::Gzip,
                    [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
                    _ => Packing::Plain,
                })
            }
            kind => Err(Why::Said(format!("`{kind}` can't be unpacked here, only tar, gzip and zstd"))),
        }
    }
}
