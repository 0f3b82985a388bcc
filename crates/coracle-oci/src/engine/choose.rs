//! The one image of a graph that an engine runs.

use std::io::Read as _;

use serde_json::Value;

use super::{Error, Named};
use coracle_core::digest::Digest;
use crate::image::{Graph, Runnable};
use coracle_core::platform::Platform;
use crate::layout::{self, Open};

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
    let refused = |source| Error::Store(layout::Error::Blob { digest: id, source });
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

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read};

    use super::*;
    use crate::image::{Base, Config, Descriptor, Image, Root};

    /// Images of these platforms, and what the engine of `runs` gets of them.
    fn chosen(platforms: &[&str], runs: &str) -> Result<(String, bool, usize), String> {
        let image = |platform: &&str| {
            Image::new(&Config::default(), &platform.parse().unwrap(), &Base::default(), &[], 0).unwrap()
        };
        let root = Root::new(platforms.iter().map(image).collect()).unwrap();
        let blobs = root.images().iter().map(|image| image.config().descriptor().clone());
        let blobs = blobs.map(|config| (config.digest, config)).collect();
        let graph = Graph { documents: root.manifests(), blobs };
        let open = |named: &Descriptor| -> io::Result<Box<dyn Read>> {
            let config = root.images().iter().map(Image::config);
            let mut config = config.filter(|config| config.descriptor().digest == named.digest);
            Ok(Box::new(Cursor::new(config.next().unwrap().bytes().to_vec())))
        };
        let to = "docker-daemon:shop:1".parse().unwrap();
        let chosen = choose(&graph, &open, &runs.parse().unwrap(), &to).map_err(|error| error.to_string())?;
        assert_eq!(chosen.graph.documents.last().unwrap().digest, chosen.digest);
        Ok((chosen.platform.to_string(), chosen.is_chosen, chosen.graph.documents.len()))
    }

    #[test]
    fn an_engine_gets_its_own_platform() {
        let both = ["linux/amd64", "linux/arm64"];
        assert_eq!(chosen(&both, "linux/arm64"), Ok(("linux/arm64".into(), true, 1)));
        assert_eq!(chosen(&both, "linux/arm64/v8"), Ok(("linux/arm64".into(), true, 1)));
        assert_eq!(chosen(&["linux/amd64"], "linux/amd64"), Ok(("linux/amd64".into(), false, 1)));
        let refused = chosen(&both, "linux/s390x").unwrap_err();
        assert!(refused.contains("linux/s390x") && refused.contains("linux/amd64, linux/arm64"), "{refused}");
    }
}
