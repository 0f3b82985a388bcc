//! Loads a packed image into local engines.

use std::io::{self, Cursor, Read};

use super::progress::UploadProgress;
use super::{Error, Observer, Settings};
use coracle_oci::copy;
use coracle_oci::engine::{EngineImageName, LoadedImage};
use coracle_oci::image::{Descriptor, Image, ImageGraph, ImageSet};
use coracle_oci::layout::Staging;

/// Loads `root`, whose layers are in `staging`, into each engine.
pub(super) fn load_into_engines(
    root: &ImageSet,
    staging: &Staging,
    engines: &[EngineImageName],
    settings: &Settings,
    observer: &dyn Observer,
) -> Result<Vec<(EngineImageName, LoadedImage)>, Error> {
    let configs = || root.images().iter().map(Image::config);
    let blobs = root.layer_descriptors().chain(configs().map(|config| config.descriptor().clone()));
    let graph =
        ImageGraph { documents: root.manifests(), blobs: blobs.map(|blob| (blob.digest, blob)).collect() };
    let open = |named: &Descriptor| -> io::Result<Box<dyn Read>> {
        match configs().find(|config| config.descriptor().digest == named.digest) {
            Some(config) => Ok(Box::new(Cursor::new(config.bytes().to_vec()))),
            None => staging.blob_opener(named.digest)(),
        }
    };
    let mut loaded = Vec::new();
    for to in engines {
        let took = copy::load_into_engine(&graph, &open, to, &settings.engines, &UploadProgress(observer))?;
        loaded.push((to.clone(), took));
    }
    Ok(loaded)
}
