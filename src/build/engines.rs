//! Loads a packed image into local engines.

use std::io::{self, Cursor, Read};

use super::{Error, Observer, Settings};
use coracle_oci::engine::{Loaded, Named};
use coracle_oci::image::{Descriptor, Graph, Image, Root};
use coracle_oci::layout::Staging;
use coracle_oci::copy;

/// Loads `root`, whose layers are in `staging`, into each engine.
pub(super) fn load(
    root: &Root,
    staging: &Staging,
    engines: &[Named],
    settings: &Settings,
    observer: &dyn Observer,
) -> Result<Vec<(Named, Loaded)>, Error> {
    let configs = || root.images().iter().map(Image::config);
    let blobs = root.blobs().chain(configs().map(|config| config.descriptor().clone()));
    let graph = Graph { documents: root.manifests(), blobs: blobs.map(|blob| (blob.digest, blob)).collect() };
    let open = |named: &Descriptor| -> io::Result<Box<dyn Read>> {
        match configs().find(|config| config.descriptor().digest == named.digest) {
            Some(config) => Ok(Box::new(Cursor::new(config.bytes().to_vec()))),
            None => staging.opener(named.digest)(),
        }
    };
    let mut loaded = Vec::new();
    for to in engines {
        let took = copy::load(&graph, &open, to, &settings.engines, &|bytes| observer.sent(bytes))?;
        loaded.push((to.clone(), took));
    }
    Ok(loaded)
}
