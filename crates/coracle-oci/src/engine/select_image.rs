//! Selects the image of a graph that an engine runs.

use std::io::Read as _;

use serde_json::Value;

use super::engine_image_name::EngineImageName;
use super::error::EngineError;
use crate::image::{ImageGraph, MAX_DOCUMENT_SIZE, RawManifest, RunnableManifest};
use crate::layout::{self, BlobOpener};
use coracle_core::digest::Digest;
use coracle_core::json;
use coracle_core::platform::Platform;

/// An image of one platform, with the identifiers that engines use.
#[derive(Debug)]
pub(super) struct PlatformImage {
    /// The graph of this image only.
    pub(super) graph: ImageGraph,
    /// The indexes that it was selected from, the root last.
    pub(super) indexes: Vec<RawManifest>,
    /// The digest of its manifest.
    pub(super) digest: Digest,
    /// The digest of its config, which is the image ID of Docker and Podman.
    pub(super) image_id: Digest,
    /// The digests of its layers, the lowest first.
    pub(super) layers: Vec<Digest>,
    /// The diff IDs of its layers, the lowest first.
    pub(super) diff_ids: Vec<String>,
    pub(super) platform: Platform,
    /// `true` if the graph has images of other platforms too.
    pub(super) is_one_of_several: bool,
}

/// Selects the image of `graph` for `platform`. Of several variants the first in sort order is
/// used, which is the one without a variant.
///
/// # Errors
/// Fails if no image is for the platform, or a config can't be read.
pub(super) fn select_image(
    graph: &ImageGraph,
    open: &BlobOpener<'_>,
    platform: &Platform,
    to: &EngineImageName,
) -> Result<PlatformImage, EngineError> {
    let images = graph.runnable_manifests();
    let mut candidates = Vec::new();
    for image in &images {
        candidates.push(read_platform_image(graph, image, open)?);
    }
    candidates.sort_by(|a, b| a.platform.cmp(&b.platform));
    let platforms: Vec<String> = candidates.iter().map(|image| image.platform.to_string()).collect();
    let is_one_of_several = candidates.len() > 1;
    let chosen = candidates.into_iter().find(|image| image.platform.matches_ignoring_variant(platform));
    let chosen = chosen.ok_or_else(|| match platforms.is_empty() {
        true => EngineError::NotAnImage(to.clone()),
        false => EngineError::PlatformMismatch {
            to: to.clone(),
            engine_platform: platform.clone(),
            image_platforms: platforms.join(", "),
        },
    })?;
    Ok(PlatformImage { is_one_of_several, ..chosen })
}

/// Reads the config of an image.
fn read_platform_image(
    graph: &ImageGraph,
    image: &RunnableManifest<'_>,
    open: &BlobOpener<'_>,
) -> Result<PlatformImage, EngineError> {
    let id = image.config.digest;
    let refused = |source| EngineError::Store(layout::LayoutError::CopyBlob { digest: id, source });
    let mut bytes = Vec::new();
    open(&image.config)
        .and_then(|reader| reader.take(MAX_DOCUMENT_SIZE).read_to_end(&mut bytes))
        .map_err(refused)?;
    let found = Digest::compute(&bytes);
    if found != id {
        return Err(refused(std::io::Error::other(format!("its content has the digest `{found}`"))));
    }
    let config = json::parse(&bytes).map_err(|error| refused(error.into()))?;
    let text_of = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let diff_ids = config.pointer("/rootfs/diff_ids").and_then(Value::as_array).cloned().unwrap_or_default();
    let variant = Some(text_of("variant")).filter(|variant| !variant.is_empty());
    Ok(PlatformImage {
        graph: graph.single_image_graph(image),
        indexes: graph.indexes(),
        digest: image.document.digest,
        image_id: id,
        layers: image.layers.iter().map(|layer| layer.digest).collect(),
        diff_ids: diff_ids.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        platform: Platform { os: text_of("os"), architecture: text_of("architecture"), variant },
        is_one_of_several: false,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read};

    use super::*;
    use crate::image::{Descriptor, Image, ImageConfig, ImageSet, InheritedBase};

    /// The platform, `is_one_of_several` and number of documents that an engine of `platform` gets.
    fn chosen(platforms: &[&str], platform: &str) -> Result<(String, bool, usize), String> {
        let image = |platform: &&str| {
            Image::new(&ImageConfig::default(), &platform.parse().unwrap(), &InheritedBase::default(), &[], 0)
                .unwrap()
        };
        let root = ImageSet::new(platforms.iter().map(image).collect()).unwrap();
        let blobs = root.images().iter().map(|image| image.config().descriptor().clone());
        let blobs = blobs.map(|config| (config.digest, config)).collect();
        let graph = ImageGraph { documents: root.manifests(), blobs };
        let open = |named: &Descriptor| -> io::Result<Box<dyn Read>> {
            let config = root.images().iter().map(Image::config);
            let mut config = config.filter(|config| config.descriptor().digest == named.digest);
            Ok(Box::new(Cursor::new(config.next().unwrap().bytes().to_vec())))
        };
        let to = "docker-daemon:shop:1".parse().unwrap();
        let chosen = select_image(&graph, &open, &platform.parse().unwrap(), &to)
            .map_err(|error| error.to_string())?;
        assert_eq!(chosen.graph.documents.last().unwrap().digest, chosen.digest);
        Ok((chosen.platform.to_string(), chosen.is_one_of_several, chosen.graph.documents.len()))
    }

    #[test]
    fn selects_the_platform_of_the_engine() {
        let both = ["linux/amd64", "linux/arm64"];
        assert_eq!(chosen(&both, "linux/arm64"), Ok(("linux/arm64".into(), true, 1)));
        assert_eq!(chosen(&both, "linux/arm64/v8"), Ok(("linux/arm64".into(), true, 1)));
        assert_eq!(chosen(&["linux/amd64"], "linux/amd64"), Ok(("linux/amd64".into(), false, 1)));
        let refused = chosen(&both, "linux/s390x").unwrap_err();
        assert!(refused.contains("linux/s390x") && refused.contains("linux/amd64, linux/arm64"), "{refused}");
    }
}
