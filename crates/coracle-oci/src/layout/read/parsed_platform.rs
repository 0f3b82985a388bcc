//! The image of one platform, whose manifest and config have been read.

use serde_json::Value;

use super::blob_source::BlobSource;
use super::disk_blobs::DiskBlobs;
use super::read_failure::{ReadFailure, parse_json};
use super::select_entry;
use crate::image::{Descriptor, MAX_DOCUMENT_SIZE, RawManifest};
use crate::layout::index_json::is_image_entry;
use coracle_core::digest::Digest;
use coracle_core::json;
use coracle_core::platform::Platform;

/// The maximum number of images of an index. There are some twenty platforms.
const MAX_IMAGES: usize = 256;
/// The maximum number of JSON values in all configs of an index. A config has a few hundred.
const MAX_CONFIG_VALUES: usize = 10 * json::MAX_VALUES;
/// The maximum number of layers of an image. overlayfs supports 128.
const MAX_LAYERS: usize = 1024;

/// The image of one platform.
#[derive(Clone, Debug)]
pub struct ParsedPlatform {
    /// The platform in its config.
    pub platform: Platform,
    /// The manifest; `None` in an archive that only has a `manifest.json`.
    pub manifest: Option<RawManifest>,
    /// The config.
    pub config: Value,
    /// The digest of the config, which engines call the image's ID.
    pub config_digest: Digest,
    /// The layers, the lowest first.
    pub layers: Vec<ParsedLayer>,
}

/// A layer of an image.
#[derive(Clone, Debug)]
pub struct ParsedLayer {
    /// The descriptor; `None` in an archive that only has a `manifest.json`.
    pub descriptor: Option<Descriptor>,
    /// The archive's member with the layer, if there is no descriptor; otherwise empty.
    pub(super) archive_member: String,
}

/// Reads the image of a manifest, or all images of an index.
pub(super) fn read_images(
    bytes: &BlobSource,
    root: &RawManifest,
) -> Result<Vec<ParsedPlatform>, ReadFailure> {
    let document = parse_json(&root.digest.to_string(), &root.bytes)?;
    if !select_entry::is_index(&root.media_type, &document) {
        return Ok(vec![read_manifest_image(bytes, root.clone(), &document, &mut { json::MAX_VALUES })?]);
    }
    let entries = document.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if entries.len() > MAX_IMAGES {
        return Err(ReadFailure::Message(format!("`{}` has more than {MAX_IMAGES} images", root.digest)));
    }
    let (mut found, mut budget) = (Vec::new(), MAX_CONFIG_VALUES);
    for entry in entries.iter().filter(|entry| is_image_entry(entry)) {
        let media_type = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        let manifest = bytes.read_manifest(&select_entry::parse_digest(entry)?, media_type)?;
        let document = parse_json(&manifest.digest.to_string(), &manifest.bytes)?;
        found.push(read_manifest_image(bytes, manifest, &document, &mut budget)?);
    }
    Ok(found)
}

/// Reads the image for the platform `wanted`; `None` if an index has no image for it. Without an
/// index, the only image is returned even if it is for another platform.
pub(super) fn read_image_for(
    bytes: &BlobSource,
    root: &RawManifest,
    wanted: &Platform,
) -> Result<Option<ParsedPlatform>, ReadFailure> {
    let document = parse_json(&root.digest.to_string(), &root.bytes)?;
    if !select_entry::is_index(&root.media_type, &document) {
        return Ok(Some(read_manifest_image(bytes, root.clone(), &document, &mut { json::MAX_VALUES })?));
    }
    let Some(entry) = select_entry::select_platform_entry(&document, wanted) else { return Ok(None) };
    let media_type = entry.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    let manifest = bytes.read_manifest(&select_entry::parse_digest(entry)?, media_type)?;
    let document = parse_json(&manifest.digest.to_string(), &manifest.bytes)?;
    Ok(Some(read_manifest_image(bytes, manifest, &document, &mut { json::MAX_VALUES })?))
}

/// Returns the platforms in an index; empty for a manifest.
pub(super) fn index_platforms(root: &RawManifest) -> Vec<Platform> {
    let document = parse_json("", &root.bytes).unwrap_or_default();
    let entries = document.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    entries.iter().filter(|entry| is_image_entry(entry)).filter_map(select_entry::entry_platform).collect()
}

/// Reads the image of `manifest`, which is parsed in `document`. The config may have at most
/// `budget` JSON values, and their number is subtracted from `budget`.
fn read_manifest_image(
    bytes: &BlobSource,
    manifest: RawManifest,
    document: &Value,
    budget: &mut usize,
) -> Result<ParsedPlatform, ReadFailure> {
    let digest = manifest.digest;
    let config = document
        .get("config")
        .ok_or_else(|| format!("`{digest}` is not a valid manifest: it has no `config`"))?;
    let config = Descriptor::parse(config)?;
    let name = config.digest;
    let config = bytes.read_small_blob(&config, MAX_DOCUMENT_SIZE)?;
    let config_digest = name;
    let config = json::parse_with_budget(&config, budget)
        .map_err(|error| format!("`{name}` is not JSON that can be read: {error}"))?;
    let layers = document.get("layers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if layers.len() > MAX_LAYERS {
        return Err(ReadFailure::Message(format!("`{digest}` has more than {MAX_LAYERS} layers")));
    }
    let layers = layers.iter().map(|layer| {
        Ok(ParsedLayer { descriptor: Some(Descriptor::parse(layer)?), archive_member: String::new() })
    });
    let layers = layers.collect::<Result<_, String>>()?;
    Ok(ParsedPlatform {
        platform: config_platform(&config),
        manifest: Some(manifest),
        config,
        config_digest,
        layers,
    })
}

/// Reads the image of an entry of Docker's `manifest.json`.
pub(super) fn read_docker_image(blobs: &DiskBlobs, entry: &Value) -> Result<ParsedPlatform, ReadFailure> {
    let config = entry.get("Config").and_then(Value::as_str).unwrap_or_default();
    let bytes = blobs.read_file(config, MAX_DOCUMENT_SIZE)?;
    let bytes = bytes.ok_or_else(|| format!("its config `{config}` is missing"))?;
    let config_digest = Digest::compute(&bytes);
    let config = parse_json(config, &bytes)?;
    let layers = select_entry::string_array(entry, "Layers").into_iter();
    let layers = layers.map(|member| ParsedLayer { descriptor: None, archive_member: member }).collect();
    Ok(ParsedPlatform { platform: config_platform(&config), manifest: None, config, config_digest, layers })
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
