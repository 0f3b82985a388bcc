//! Images of an image layout, and their root file systems as a runtime would unpack them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One image of a layout, of one platform.
pub struct Image {
    layout: PathBuf,
    /// The descriptor's.
    platform: Value,
    manifest: Value,
    /// The image's config.
    config: Value,
}

impl Image {
    /// Every image of a layout, those of a nested index as well.
    pub fn read_all(layout: &Path) -> Vec<Self> {
        let mut pending = vec![json(&layout.join("index.json"))];
        let mut images = Vec::new();
        while let Some(index) = pending.pop() {
            for descriptor in index["manifests"].as_array().unwrap() {
                let document = json(&blob(layout, descriptor));
                match document["manifests"].is_array() {
                    true => pending.push(document),
                    false => images.push(Self::new(layout, descriptor, document)),
                }
            }
        }
        images
    }

    /// The image of a layout that has only one.
    pub fn read_single(layout: &Path) -> Self {
        let mut images = Self::read_all(layout);
        assert_eq!(images.len(), 1, "images of {}", layout.display());
        images.remove(0)
    }

    fn new(layout: &Path, descriptor: &Value, manifest: Value) -> Self {
        let config = json(&blob(layout, &manifest["config"]))["config"].clone();
        Self { layout: layout.to_owned(), platform: descriptor["platform"].clone(), manifest, config }
    }

    /// Unpacks the layers into the new directory `root`.
    pub fn unpack(&self, root: &Path) {
        fs::create_dir(root).unwrap();
        for layer in self.manifest["layers"].as_array().unwrap() {
            let file = File::open(blob(&self.layout, layer)).unwrap();
            let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
            archive.set_preserve_permissions(true);
            archive.unpack(root).unwrap();
        }
    }

    /// `OS/ARCH[/VARIANT]`.
    pub fn platform(&self) -> String {
        let parts = ["os", "architecture", "variant"].iter().filter_map(|key| self.platform[key].as_str());
        parts.collect::<Vec<_>>().join("/")
    }

    /// Entrypoint and arguments.
    pub fn command(&self) -> Vec<String> {
        ["Entrypoint", "Cmd"].iter().flat_map(|key| texts(&self.config[key])).collect()
    }

    /// Variables, as `NAME=VALUE`.
    pub fn variables(&self) -> Vec<String> {
        texts(&self.config["Env"])
    }

    /// Where the process starts.
    pub fn working_dir(&self) -> &str {
        self.config["WorkingDir"].as_str().unwrap_or("/")
    }

    /// `UID:GID`.
    pub fn user(&self) -> &str {
        self.config["User"].as_str().unwrap()
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The document in this file.
pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The file of what a descriptor names.
fn blob(layout: &Path, descriptor: &Value) -> PathBuf {
    layout.join("blobs").join(descriptor["digest"].as_str().unwrap().replace(':', "/"))
}
