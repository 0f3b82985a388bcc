//! Images that are there already, whoever wrote them: descriptor, manifests, configs, labels, and the paths in their
//! layers.
//!
//! Every document is bounded in size and held to its digest; an archive is read without being unpacked. Source:
//! image-spec, `image-layout.md`, `image-index.md`, `manifest.md`; Moby, `image/spec/v1.2.md` for archives that only
//! have a `manifest.json`.

mod artifact;
mod blobs;
mod files;
mod graph;
mod headers;
mod select;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Destination, Error, Kind, ParseDestinationError};
use crate::digest::Digest;
use crate::platform::Platform;
use blobs::Blobs;
use files::Packing;

pub use artifact::artifact;
pub use files::{Entry as FileEntry, Files};

/// More than any registry takes for a manifest (4 MiB); configs are smaller still.
const MAX_DOCUMENT: u64 = 16 << 20;
/// Images of an index; there are some twenty platforms.
const MAX_IMAGES: usize = 256;
/// Layers of an image; overlayfs takes 128.
const MAX_LAYERS: usize = 1024;

/// An image, or an index of images of several platforms, where it is kept.
#[derive(Debug)]
pub struct Stored {
    /// Where it is.
    pub place: Destination,
    /// The digest of its manifest, or of its index; nothing in an archive that only has Docker's description.
    pub digest: Option<Digest>,
    /// What its manifest or index is, as the index of the layout says; empty where nothing does.
    media_type: String,
    /// The full names that it has there, with their tags.
    pub names: Vec<String>,
    /// Its images, at least one.
    pub images: Vec<StoredImage>,
    blobs: Blobs,
}

/// The image of one platform.
#[derive(Clone, Debug)]
pub struct StoredImage {
    /// Its platform, as its config says.
    pub platform: Platform,
    /// The digest of its manifest.
    pub digest: Option<Digest>,
    /// Its config.
    pub config: Value,
    layers: Vec<StoredLayer>,
}

#[derive(Clone, Debug)]
struct StoredLayer {
    name: String,
    digest: Option<Digest>,
    media_type: String,
}

/// Reads where an image is: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`.
///
/// # Errors
/// When `text` says none of them.
pub fn place(text: &str) -> Result<Destination, Error> {
    let refused = |why: &str, hint: String| Error::Unreadable {
        image: text.to_owned(),
        why: why.to_owned(),
        hint: Some(hint),
    };
    let forms = "write `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`";
    if let Some(name) = text.strip_prefix("docker://") {
        let hint =
            format!("copy it here first: `coracle copy docker://{name} oci:image`, then name `oci:image`");
        return Err(refused("it is at a registry, and has to be here", hint));
    }
    text.parse().map_err(|error| match error {
        ParseDestinationError::NoTransport(path) if std::path::Path::new(&path).is_dir() => {
            refused("it does not say what is there", format!("write `oci:{path}` for an image layout"))
        }
        ParseDestinationError::NoTransport(path) if std::path::Path::new(&path).is_file() => {
            refused("it does not say what is there", format!("write `oci-archive:{path}` for an archive"))
        }
        ParseDestinationError::NoTransport(_) => refused("it does not say where it is", forms.into()),
        ParseDestinationError::Transport { .. } => refused("images can't be read from there", forms.into()),
        error => {
            Error::Unreadable { image: text.to_owned(), why: error.to_string(), hint: Some(error.hint()) }
        }
    })
}

/// Reads the image at `place`: its documents, not its layers.
///
/// # Errors
/// When there is none, there are several and no tag says which, or a document is not what its digest says.
pub fn open(place: &Destination) -> Result<Stored, Error> {
    let refused = |why: String| unreadable(place, why);
    let blobs = Blobs::open(place).map_err(Error::File)?;
    let index = blobs.bytes("index.json", MAX_DOCUMENT).map_err(refused)?;
    let (digest, media_type, names, images) = match index {
        Some(index) => {
            let chosen = select::entry(&json("index.json", &index).map_err(refused)?, place)?;
            let images = images(&blobs, &chosen.digest, &chosen.media_type).map_err(refused)?;
            (Some(chosen.digest), chosen.media_type, chosen.names, images)
        }
        None => {
            let manifest = blobs.bytes("manifest.json", MAX_DOCUMENT).map_err(refused)?;
            let manifest = manifest.ok_or_else(|| refused(nothing_there(place)))?;
            let (names, image) =
                docker_image(&blobs, &json("manifest.json", &manifest).map_err(refused)?, place)?;
            (None, String::new(), names, vec![image])
        }
    };
    if images.is_empty() {
        return Err(refused("there is no image of any platform in its index".into()));
    }
    Ok(Stored { place: place.clone(), digest, media_type, names, images, blobs })
}

/// The entries of the index at `place`; nothing where there is none, or it can't be read.
pub(super) fn entries(place: &Destination) -> Option<Vec<Value>> {
    let index = Blobs::open(place).ok()?.bytes("index.json", MAX_DOCUMENT).ok()??;
    match serde_json::from_slice::<Value>(&index).ok()?.get_mut("manifests")?.take() {
        Value::Array(entries) => Some(entries),
        _ => None,
    }
}

fn nothing_there(place: &Destination) -> String {
    match place.kind {
        Kind::Layout => "there is no `index.json`, so it is no image layout".into(),
        _ => "it has neither `index.json` nor `manifest.json`, so it is no archive of an image".into(),
    }
}

fn unreadable(place: &Destination, why: String) -> Error {
    Error::Unreadable { image: place.to_string(), why, hint: None }
}

/// The images behind a digest: one of a manifest, those of an index.
fn images(blobs: &Blobs, digest: &Digest, media_type: &str) -> Result<Vec<StoredImage>, String> {
    let document = json(&digest.to_string(), &blobs.document(digest, MAX_DOCUMENT)?)?;
    if !select::is_index(media_type, &document) {
        return Ok(vec![image(blobs, digest, &document)?]);
    }
    let entries = document.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if entries.len() > MAX_IMAGES {
        return Err(format!("`{digest}` has more than {MAX_IMAGES} images"));
    }
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| select::is_image(entry)) {
        let digest = select::digest(entry)?;
        let document = json(&digest.to_string(), &blobs.document(&digest, MAX_DOCUMENT)?)?;
        found.push(image(blobs, &digest, &document)?);
    }
    Ok(found)
}

fn image(blobs: &Blobs, digest: &Digest, manifest: &Value) -> Result<StoredImage, String> {
    let config =
        manifest.get("config").ok_or_else(|| format!("`{digest}` is no manifest: it has no config"))?;
    let config = select::digest(config)?;
    let config = json(&config.to_string(), &blobs.document(&config, MAX_DOCUMENT)?)?;
    let layers = manifest.get("layers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if layers.len() > MAX_LAYERS {
        return Err(format!("`{digest}` has more than {MAX_LAYERS} layers"));
    }
    let layers = layers.iter().map(|layer| {
        let digest = select::digest(layer)?;
        let media_type = layer.get("mediaType").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(StoredLayer { name: blobs::blob(&digest), digest: Some(digest), media_type })
    });
    let layers = layers.collect::<Result<_, String>>()?;
    Ok(StoredImage { platform: platform(&config), digest: Some(*digest), config, layers })
}

/// The image that Docker's `manifest.json` describes, with its names.
fn docker_image(
    blobs: &Blobs,
    manifest: &Value,
    place: &Destination,
) -> Result<(Vec<String>, StoredImage), Error> {
    let refused = |why: String| unreadable(place, why);
    let entry = select::docker_entry(manifest, place)?;
    let words = |key: &str| -> Vec<String> {
        let list = entry.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let config = entry.get("Config").and_then(Value::as_str).unwrap_or_default();
    let bytes = blobs.bytes(config, MAX_DOCUMENT).map_err(refused)?;
    let bytes = bytes.ok_or_else(|| refused(format!("`{config}`, its config, is missing")))?;
    let config = json(config, &bytes).map_err(refused)?;
    let layers = words("Layers").into_iter();
    let layers = layers.map(|name| StoredLayer { name, digest: None, media_type: String::new() }).collect();
    Ok((words("RepoTags"), StoredImage { platform: platform(&config), digest: None, config, layers }))
}

fn platform(config: &Value) -> Platform {
    let word = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
    Platform {
        os: word("os").unwrap_or_else(|| "linux".into()),
        architecture: word("architecture").unwrap_or_else(|| "unknown".into()),
        variant: word("variant"),
    }
}

fn json(name: &str, bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("`{name}` is no JSON: {error}"))
}

impl StoredImage {
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
                image: self.place.to_string(),
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
                image: self.place.to_string(),
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
            let name = layer.digest.map_or_else(|| layer.name.clone(), |digest| digest.to_string());
            let refused = |why: String| unreadable(&self.place, format!("layer {number}, `{name}`: {why}"));
            let packing = self.packing(layer).map_err(refused)?;
            let source = self.blobs.file(&layer.name).map_err(Error::File)?;
            let source = source.ok_or_else(|| refused("it is missing".into()))?;
            files.add(source, layer.digest.as_ref(), packing).map_err(refused)?;
        }
        Ok(files)
    }

    /// How a layer is packed: its media type says so; without one, its first bytes.
    fn packing(&self, layer: &StoredLayer) -> Result<Packing, String> {
        match layer.media_type.as_str() {
            kind if kind.ends_with("+gzip") || kind.ends_with(".gzip") => Ok(Packing::Gzip),
            kind if kind.ends_with("+zstd") => Ok(Packing::Zstd),
            "application/vnd.oci.image.layer.v1.tar" => Ok(Packing::Plain),
            "" => {
                let mut start = [0; 4];
                let source = self.blobs.file(&layer.name).map_err(|error| error.to_string())?;
                let mut reader = source.ok_or("it is missing")?.reader;
                // A tar has more bytes than that, and none of these at its start.
                std::io::Read::read_exact(&mut reader, &mut start).map_err(|error| error.to_string())?;
                Ok(match start {
                    [0x1f, 0x8b, ..] => Packing::Gzip,
                    [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
                    _ => Packing::Plain,
                })
            }
            kind => Err(format!("`{kind}` can't be unpacked here, only tar, gzip and zstd")),
        }
    }
}
