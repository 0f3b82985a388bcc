//! An image whose manifests and configs have been read: platforms, labels, and paths in layers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::blob_source::BlobSource;
use super::disk_blobs::DiskBlobs;
use super::image_files::ImageFiles;
use super::{
    ImageSource, LayoutError, MAX_DOCUMENT, MAX_IMAGES, MAX_LAYERS, ReadFailure, artifact, parse_json,
    select_entry,
};
use crate::image::{Descriptor, RawManifest};
use coracle_core::digest::Digest;
use coracle_core::platform::Platform;

/// An image, or an index of images of several platforms, with parsed configs.
#[derive(Debug)]
pub struct ParsedImage {
    /// The source, which gives access to blobs.
    pub source: ImageSource,
    /// The images, at least one.
    pub images: Vec<ParsedPlatform>,
}

/// The image of one platform.
#[derive(Clone, Debug)]
pub struct ParsedPlatform {
    /// The platform in its config.
    pub platform: Platform,
    /// The manifest; `None` in an archive that only has a `manifest.json`.
    pub manifest: Option<RawManifest>,
    /// The config.
    pub config: Value,
    /// The layers, the lowest first.
    pub layers: Vec<ParsedLayer>,
}

/// A layer of an image.
#[derive(Clone, Debug)]
pub struct ParsedLayer {
    /// The descriptor; `None` in an archive that only has a `manifest.json`.
    pub descriptor: Option<Descriptor>,
    /// The member of such an archive; otherwise empty.
    pub(super) archive_member: String,
}

/// Reads the image of a manifest, or all images of an index.
pub(super) fn read_images(
    bytes: &BlobSource,
    root: &RawManifest,
) -> Result<Vec<ParsedPlatform>, ReadFailure> {
    let document = parse_json(&root.digest.to_string(), &root.bytes)?;
    if !select_entry::is_index(&root.media_type, &document) {
        return Ok(vec![read_manifest_image(bytes, root.clone(), &document)?]);
    }
    let entries = document.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if entries.len() > MAX_IMAGES {
        return Err(ReadFailure::Message(format!("`{}` has more than {MAX_IMAGES} images", root.digest)));
    }
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| select_entry::is_image_entry(entry)) {
        let media_type = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        let manifest = bytes.read_manifest(&select_entry::parse_digest(entry)?, media_type)?;
        let document = parse_json(&manifest.digest.to_string(), &manifest.bytes)?;
        found.push(read_manifest_image(bytes, manifest, &document)?);
    }
    Ok(found)
}

/// Reads the image for `wanted`. A single image is returned whatever its platform is; `None` if an
/// index has no image for it.
pub(super) fn read_image_for(
    bytes: &BlobSource,
    root: &RawManifest,
    wanted: &Platform,
) -> Result<Option<ParsedPlatform>, ReadFailure> {
    let document = parse_json(&root.digest.to_string(), &root.bytes)?;
    if !select_entry::is_index(&root.media_type, &document) {
        return Ok(Some(read_manifest_image(bytes, root.clone(), &document)?));
    }
    let Some(entry) = select_entry::select_platform_entry(&document, wanted) else { return Ok(None) };
    let media_type = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    let manifest = bytes.read_manifest(&select_entry::parse_digest(entry)?, media_type)?;
    let document = parse_json(&manifest.digest.to_string(), &manifest.bytes)?;
    Ok(Some(read_manifest_image(bytes, manifest, &document)?))
}

/// Returns the platforms in an index; empty for a manifest.
pub(super) fn index_platforms(root: &RawManifest) -> Vec<Platform> {
    let document = parse_json("", &root.bytes).unwrap_or_default();
    let entries = document.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    entries
        .iter()
        .filter(|entry| select_entry::is_image_entry(entry))
        .filter_map(select_entry::entry_platform)
        .collect()
}

fn read_manifest_image(
    bytes: &BlobSource,
    manifest: RawManifest,
    document: &Value,
) -> Result<ParsedPlatform, ReadFailure> {
    let digest = manifest.digest;
    let config = document
        .get("config")
        .ok_or_else(|| format!("`{digest}` is not a valid manifest: it has no `config`"))?;
    let config = Descriptor::parse(config)?;
    let config = parse_json(&config.digest.to_string(), &bytes.read_small_blob(&config, MAX_DOCUMENT)?)?;
    let layers = document.get("layers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if layers.len() > MAX_LAYERS {
        return Err(ReadFailure::Message(format!("`{digest}` has more than {MAX_LAYERS} layers")));
    }
    let layers = layers.iter().map(|layer| {
        Ok(ParsedLayer { descriptor: Some(Descriptor::parse(layer)?), archive_member: String::new() })
    });
    let layers = layers.collect::<Result<_, String>>()?;
    Ok(ParsedPlatform { platform: config_platform(&config), manifest: Some(manifest), config, layers })
}

/// Reads the image of an entry of Docker's `manifest.json`.
pub(super) fn read_docker_image(blobs: &DiskBlobs, entry: &Value) -> Result<ParsedPlatform, ReadFailure> {
    let config = entry.get("Config").and_then(Value::as_str).unwrap_or_default();
    let bytes = blobs.read_file(config, MAX_DOCUMENT)?;
    let bytes = bytes.ok_or_else(|| format!("its config `{config}` is missing"))?;
    let config = parse_json(config, &bytes)?;
    let layers = select_entry::string_array(entry, "Layers").into_iter();
    let layers = layers.map(|member| ParsedLayer { descriptor: None, archive_member: member }).collect();
    Ok(ParsedPlatform { platform: config_platform(&config), manifest: None, config, layers })
}

fn config_platform(config: &Value) -> Platform {
    let text = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
    Platform {
        os: text("os").unwrap_or_else(|| "linux".into()),
        architecture: text("architecture").unwrap_or_else(|| "unknown".into()),
        variant: text("variant"),
    }
}

impl ParsedPlatform {
    /// Returns the size of layers, config and manifest, in bytes, as in the manifest; 0 in an
    /// archive that only has a `manifest.json`.
    pub fn total_size(&self) -> u64 {
        let Some(manifest) = &self.manifest else { return 0 };
        let config = parse_json("", &manifest.bytes)
            .ok()
            .and_then(|document| document.get("config")?.get("size")?.as_u64());
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

impl ParsedImage {
    /// Returns the number of entries of its index, images or not; 1 if there is no index.
    pub fn index_entry_count(&self) -> usize {
        let root =
            self.source.root_manifest().and_then(|root| serde_json::from_slice::<Value>(&root.bytes).ok());
        let entries = root.as_ref().and_then(|root| root.get("manifests")?.as_array());
        entries.map_or(1, Vec::len)
    }

    /// Returns the image for `platform`, or the first image if `platform` is `None`.
    ///
    /// # Errors
    /// Fails if there is no image for this platform.
    pub fn image_for_platform(&self, platform: Option<&Platform>) -> Result<&ParsedPlatform, LayoutError> {
        let found = match platform {
            None => self.images.first(),
            Some(wanted) => self.images.iter().find(|image| image.platform == *wanted).or_else(|| {
                self.images
                    .iter()
                    .find(|image| wanted.variant.is_none() && image.platform.matches_ignoring_variant(wanted))
            }),
        };
        found.ok_or_else(|| {
            let known: BTreeSet<String> =
                self.images.iter().map(|image| image.platform.to_string()).collect();
            LayoutError::UnreadableImage {
                image: self.source.location.clone(),
                why: platform.map_or_else(String::new, |platform| format!("it has no image for {platform}")),
                hint: Some(format!("it has {}", known.into_iter().collect::<Vec<_>>().join(", "))),
            }
        })
    }

    /// Returns the digests that artifacts can have as their subject: its manifest or index, then
    /// the manifests of its images.
    pub fn subject_digests(&self) -> Vec<Digest> {
        let images = self.images.iter().filter_map(ParsedPlatform::digest);
        let mut digests: Vec<Digest> = self.source.digest().into_iter().collect();
        digests.extend(images.filter(|digest| self.source.digest() != Some(*digest)));
        digests
    }

    /// Returns the content of the artifact of type `kind` about it or one of its images; `None` if
    /// there is none.
    ///
    /// # Errors
    /// Fails if a document cannot be read or does not match its digest.
    pub fn read_artifact(&self, kind: &str) -> Result<Option<Vec<u8>>, LayoutError> {
        let content = artifact::read_content_for_any(&self.source.bytes, kind, &self.subject_digests());
        content.map_err(|why| why.into_layout_error(&self.source.location))
    }

    /// Returns the value of a label of the image for `platform`, or of all images if `platform` is
    /// `None`.
    ///
    /// # Errors
    /// Fails if there is no image for the platform, or if the images have different values.
    pub fn label(&self, name: &str, platform: Option<&Platform>) -> Result<Option<&str>, LayoutError> {
        let image = self.image_for_platform(platform)?;
        let label = image.label(name);
        let other = self.images.iter().find(|other| platform.is_none() && other.label(name) != label);
        match other {
            None => Ok(label),
            Some(other) => Err(LayoutError::UnreadableImage {
                image: self.source.location.clone(),
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
    pub fn read_files(&self, image: &ParsedPlatform) -> Result<ImageFiles, LayoutError> {
        let mut files = ImageFiles::default();
        for (number, layer) in image.layers.iter().enumerate() {
            let digest = layer.descriptor.as_ref().map(|descriptor| descriptor.digest);
            let name = digest.map_or_else(|| layer.archive_member.clone(), |digest| digest.to_string());
            let refused = |why: ReadFailure| {
                why.in_part(&format!("layer {number}, `{name}`")).into_layout_error(&self.source.location)
            };
            let codec = self.source.layer_codec(layer).map_err(refused)?;
            let source = self.source.open_layer(layer).map_err(refused)?;
            files.apply_blob(source, digest.as_ref(), codec).map_err(refused)?;
        }
        Ok(files)
    }
}
