//! Checks that an image is whole: every digest and size, the media types, the diff IDs of the layers,
//! and that manifest and config fit together. All faults are collected.

use std::io::{self, Read};

use serde_json::Value;

use super::image_source::ImageSource;
use super::parsed_platform::ParsedLayer;
use super::read_failure::{ReadFailure, parse_json};
use super::select_entry;
use crate::image::{Descriptor, MAX_DOCUMENT_SIZE, RawManifest, media_type};
use crate::layout::error::LayoutError;
use crate::layout::index_json::is_image_entry;
use coracle_core::digest::{Digest, DigestHasher};
use coracle_core::escape::escape_text;
use coracle_core::json;
use coracle_core::progress::{Progress, ProgressReader};

/// The maximum number of faults that are collected.
const MAX_FAULTS: usize = 1000;
/// The maximum depth of nested indexes.
const MAX_DEPTH: usize = 4;
/// The number of bytes that are hashed at a time.
const CHUNK: usize = 64 << 10;

/// A part of an image that is damaged or does not fit to the others.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct ImageFault {
    /// The digest of the document or blob.
    pub blob: String,
    /// The fault.
    pub why: String,
}

impl ImageSource {
    /// Checks all documents and blobs of the image. Empty if the image is whole.
    ///
    /// # Errors
    /// Fails if there is no OCI manifest, or `progress` cancels.
    pub fn check(&self, progress: &dyn Progress) -> Result<Vec<ImageFault>, LayoutError> {
        let root = self.require_root_manifest()?;
        let mut check = ImageCheck { source: self, progress, faults: Vec::new(), seen: Vec::new() };
        check.check_document(root, None, 0);
        match progress.is_cancelled() {
            true => Err(LayoutError::Cancelled),
            false => Ok(check.faults),
        }
    }
}

struct ImageCheck<'a> {
    source: &'a ImageSource,
    progress: &'a dyn Progress,
    faults: Vec<ImageFault>,
    /// The documents and layers that were checked.
    seen: Vec<Digest>,
}

impl ImageCheck<'_> {
    fn add(&mut self, blob: &Digest, why: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(ImageFault { blob: blob.to_string(), why: escape_text(&why.into()) });
        }
    }

    fn is_new(&mut self, digest: &Digest) -> bool {
        let is_new = !self.seen.contains(digest);
        self.seen.push(*digest);
        is_new
    }

    /// Checks a manifest or an index, and what it refers to. `platform` is that of its entry in an
    /// index.
    fn check_document(&mut self, manifest: &RawManifest, platform: Option<&Value>, depth: usize) {
        if !self.is_new(&manifest.digest) {
            return;
        }
        let digest = manifest.digest;
        let document = match parse_json(&digest.to_string(), &manifest.bytes) {
            Ok(document) => document,
            Err(why) => return self.add(&digest, why),
        };
        let own = document.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        if own != manifest.media_type && !own.is_empty() {
            self.add(
                &digest,
                format!("its `mediaType` is `{own}`, and its descriptor says `{}`", manifest.media_type),
            );
        }
        if document.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            self.add(&digest, "its `schemaVersion` is not 2");
        }
        match select_entry::is_index(&manifest.media_type, &document) {
            true if depth == MAX_DEPTH => self.add(&digest, "indexes are nested too deeply"),
            true => self.check_index(&digest, &document, depth),
            false => self.check_manifest(&digest, &document, platform),
        }
    }

    fn check_index(&mut self, digest: &Digest, index: &Value, depth: usize) {
        let Some(entries) = index.get("manifests").and_then(Value::as_array) else {
            return self.add(digest, "it has no array `manifests`");
        };
        for entry in entries {
            let descriptor = match Descriptor::parse(entry) {
                Ok(descriptor) => descriptor,
                Err(why) => {
                    self.add(digest, why);
                    continue;
                }
            };
            let read = self.source.bytes.read_manifest(&descriptor.digest, &descriptor.media_type);
            match read {
                Err(why) => self.add_unreadable(&descriptor.digest, why),
                Ok(below) => {
                    self.check_size(&descriptor, below.bytes.len() as u64);
                    if below.media_type != descriptor.media_type {
                        let why = format!(
                            "its media type is `{}`, and the index says `{}`",
                            below.media_type, descriptor.media_type
                        );
                        self.add(&descriptor.digest, why);
                    }
                    let platform = entry.get("platform").filter(|_| is_image_entry(entry));
                    self.check_document(&below, platform, depth + 1);
                }
            }
        }
    }

    fn check_manifest(&mut self, digest: &Digest, manifest: &Value, platform: Option<&Value>) {
        let layers = manifest.get("layers").and_then(Value::as_array);
        let (Some(config), Some(layers)) = (manifest.get("config"), layers) else {
            return self.add(digest, "it has no `config` or no array `layers`");
        };
        let config = match Descriptor::parse(config) {
            Ok(config) => config,
            Err(why) => return self.add(digest, why),
        };
        let is_image = [media_type::CONFIG, "application/vnd.docker.container.image.v1+json"]
            .contains(&config.media_type.as_ref());
        let document = self.check_config(&config, is_image);
        let diff_ids = document.as_ref().map(|config| strings_at(config, "/rootfs/diff_ids"));
        if let Some(document) = document.as_ref().filter(|_| is_image) {
            self.check_config_fits(&config.digest, document, layers.len(), platform);
        }
        for (index, layer) in layers.iter().enumerate() {
            match Descriptor::parse(layer) {
                Err(why) => self.add(digest, why),
                Ok(layer) => {
                    let expected = diff_ids.as_ref().and_then(|ids| ids.get(index)).filter(|_| is_image);
                    self.check_layer(layer, index, expected.map(String::as_str));
                }
            }
        }
    }

    /// Checks the bytes of a config; returns it if it is JSON.
    fn check_config(&mut self, config: &Descriptor, is_image: bool) -> Option<Value> {
        let bytes = match self.read_blob(config) {
            Ok(bytes) => bytes,
            Err(why) => {
                self.add_unreadable(&config.digest, why);
                return None;
            }
        };
        self.check_size(config, bytes.len() as u64);
        let found = Digest::compute(&bytes);
        if found != config.digest {
            self.add(&config.digest, format!("its content has the digest `{found}`"));
        }
        match json::parse(&bytes) {
            Ok(document) => Some(document),
            Err(error) if is_image => {
                self.add(&config.digest, format!("it is not JSON: {error}"));
                None
            }
            Err(_) => None,
        }
    }

    fn read_blob(&self, named: &Descriptor) -> Result<Vec<u8>, ReadFailure> {
        let mut bytes = Vec::new();
        self.source.bytes.open_blob(named)?.reader.take(MAX_DOCUMENT_SIZE).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Checks that a config fits to its manifest and to its entry in an index.
    fn check_config_fits(
        &mut self,
        digest: &Digest,
        config: &Value,
        layers: usize,
        platform: Option<&Value>,
    ) {
        let diff_ids = strings_at(config, "/rootfs/diff_ids").len();
        if diff_ids != layers {
            self.add(digest, format!("it has {diff_ids} diff IDs, and the manifest has {layers} layers"));
        }
        let history = config.get("history").and_then(Value::as_array);
        let is_layer = |entry: &&Value| entry.get("empty_layer").and_then(Value::as_bool) != Some(true);
        let entries = history.map(|history| history.iter().filter(is_layer).count());
        if let Some(entries) = entries.filter(|entries| *entries != layers && *entries != 0) {
            self.add(digest, format!("its history has {entries} layers, and the manifest has {layers}"));
        }
        for key in ["architecture", "os"] {
            let own = config.get(key).and_then(Value::as_str).unwrap_or_default();
            if own.is_empty() {
                self.add(digest, format!("it has no `{key}`"));
            }
            let listed = platform.and_then(|platform| platform.get(key)?.as_str());
            if let Some(listed) = listed.filter(|listed| *listed != own) {
                self.add(digest, format!("its `{key}` is `{own}`, and the index says `{listed}`"));
            }
        }
    }

    fn check_layer(&mut self, layer: Descriptor, index: usize, diff_id: Option<&str>) {
        if !self.is_new(&layer.digest) || self.progress.is_cancelled() {
            return;
        }
        let size = match self.source.bytes.open_blob(&layer) {
            Err(error) => return self.add_unreadable(&layer.digest, error.into()),
            Ok(opened) => {
                let size = opened.size;
                self.check_size(&layer, size);
                match hash(ProgressReader::new(opened.reader, self.progress)) {
                    Err(error) => return self.add_unreadable(&layer.digest, error.into()),
                    Ok(found) if found != layer.digest => {
                        self.add(&layer.digest, format!("its content has the digest `{found}`"));
                    }
                    Ok(_) => {}
                }
                size
            }
        };
        let Some(diff_id) = diff_id else { return };
        let (digest, layer) = (layer.digest, Descriptor { size, ..layer });
        let parsed = ParsedLayer { descriptor: Some(layer), archive_member: String::new() };
        match self.source.open_tar(&parsed).and_then(hash) {
            Err(error) => self.add(&digest, format!("layer {} can't be unpacked: {error}", index + 1)),
            Ok(found) if found.to_string() != diff_id => {
                self.add(
                    &digest,
                    format!("layer {} unpacks to `{found}`, and the config says `{diff_id}`", index + 1),
                );
            }
            Ok(_) => {}
        }
    }

    fn check_size(&mut self, named: &Descriptor, found: u64) {
        if found != named.size {
            self.add(&named.digest, format!("it has {found} bytes, and its descriptor says {}", named.size));
        }
    }

    fn add_unreadable(&mut self, digest: &Digest, why: ReadFailure) {
        let why = match why {
            ReadFailure::Message(why) => why,
            why => why.into_layout_error(&digest.to_string()).to_string(),
        };
        self.add(digest, why);
    }
}

/// Returns the strings of the array at `pointer`.
fn strings_at(document: &Value, pointer: &str) -> Vec<String> {
    let items = document.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    items.map(|item| item.as_str().unwrap_or_default().to_owned()).collect()
}

fn hash(mut reader: impl Read) -> io::Result<Digest> {
    let (mut hasher, mut chunk) = (DigestHasher::default(), vec![0; CHUNK]);
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => hasher.update(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
