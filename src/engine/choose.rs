//! The one image of a graph that an engine runs.

use std::io::Read as _;

use serde_json::Value;

use super::{Error, Named};
use crate::digest::Digest;
use crate::image::{Graph, Runnable};
use crate::platform::Platform;
use crate::store::{self, Open};

/// No config is nearly as long.
const MAX_CONFIG: u64 = 16 << 20;

/// An image of one platform, and what engines know it by.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The image alone.
    pub(super) graph: Graph,
    /// Its manifest's digest.
    pub(super) digest: Digest,
    /// Its config's digest, which Docker and Podman call its ID.
    pub(super) id: Digest,
    /// Its layers, the lowest first.
    pub(super) layers: Vec<Digest>,
    /// The digests of their tars.
    pub(super) diff_ids: Vec<String>,
    pub(super) platform: Platform,
    /// Whether there were others.
    pub(super) is_chosen: bool,
}

/// The image of `graph` for `platform`, the engine's; of several variants, the plainest.
pub(super) fn choose(
    graph: &Graph,
    open: &Open<'_>,
    platform: &Platform,
    to: &Named,
) -> Result<Chosen, Error> {
    let images = graph.images();
    let mut found = Vec::new();
    for image in &images {
        found.push(read(graph, image, open)?);
    }
    found.sort_by(|a, b| a.platform.cmp(&b.platform));
    let platforms: Vec<String> = found.iter().map(|image| image.platform.to_string()).collect();
    let is_chosen = found.len() > 1;
    let chosen = found.into_iter().find(|image| image.platform.is_kin_of(platform));
    let chosen = chosen.ok_or_else(|| match platforms.is_empty() {
        true => Error::NoProgram(to.clone()),
        false => Error::Platform { to: to.clone(), runs: platform.clone(), found: platforms.join(", ") },
    })?;
    Ok(Chosen { is_chosen, ..chosen })
}

fn read(graph: &Graph, image: &Runnable<'_>, open: &Open<'_>) -> Result<Chosen, Error> {
    let id = image.config.digest;
    let refused = |source| Error::Store(store::Error::Blob { digest: id, source });
    let mut bytes = Vec::new();
    open(&image.config)
        .and_then(|reader| reader.take(MAX_CONFIG).read_to_end(&mut bytes))
        .map_err(refused)?;
    let found = Digest::of(&bytes);
    if found != id {
        return Err(refused(std::io::Error::other(format!("the bytes of `{found}` came instead"))));
    }
    let config: Value = serde_json::from_slice(&bytes).map_err(|error| refused(error.into()))?;
    let word = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let diff_ids = config.pointer("/rootfs/diff_ids").and_then(Value::as_array).cloned().unwrap_or_default();
    let variant = Some(word("variant")).filter(|variant| !variant.is_empty());
    Ok(Chosen {
        graph: graph.alone(image),
        digest: image.document.digest,
        id,
        layers: image.layers.iter().map(|layer| layer.digest).collect(),
        diff_ids: diff_ids.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        platform: Platform { os: word("os"), architecture: word("architecture"), variant },
        is_chosen: false,
    })
}
