//! Validates a layout and collects every mismatch.
//!
//! Independent of the code that writes layouts: digests, sizes and diff IDs are computed from the
//! bytes on disk, and documents are parsed by types of their own. Source: image-spec, `descriptor.md`,
//! `config.md`, `image-layout.md`.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::LayoutError;
use super::location_checks::check_layout_path;
use crate::image::{MAX_DOCUMENT_SIZE, media_type};
use coracle_core::digest::{DiffId, Digest, DigestHasher};
use coracle_core::fs::{self, Context, FinalLink};
use coracle_core::json;

/// The media type of an uncompressed layer; a suffix names the compression.
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// A descriptor of a blob.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

#[derive(Deserialize)]
struct ImageIndex {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct ImageManifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// The members of a config that describe layers.
#[derive(Deserialize)]
struct ImageConfig {
    rootfs: RootFs,
    #[serde(default)]
    history: Vec<HistoryEntry>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

#[derive(Deserialize)]
struct HistoryEntry {
    #[serde(default)]
    empty_layer: bool,
}

/// A mismatch in a layout.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum LayoutProblem {
    /// A blob does not exist.
    #[error("the blob `{digest}` is missing")]
    Missing {
        /// The digest in the descriptor.
        digest: String,
    },
    /// The content does not match the digest.
    #[error("the content of the blob `{digest}` has the digest `{found}`")]
    DigestMismatch {
        /// The digest in the descriptor.
        digest: String,
        /// The digest of the content.
        found: Digest,
    },
    /// The size does not match the descriptor.
    #[error("the blob `{digest}` has {found} bytes, but its descriptor says {expected}")]
    SizeMismatch {
        /// The digest in the descriptor.
        digest: String,
        /// The size in the descriptor.
        expected: u64,
        /// The size of the blob.
        found: u64,
    },
    /// A document is not sorted, compact JSON.
    #[error("`{document}` is not sorted, compact JSON")]
    NotCanonical {
        /// A file name in the layout, or a digest.
        document: String,
    },
    /// A document or a compressed layer cannot be read.
    #[error("`{document}` cannot be read: {why}")]
    Unreadable {
        /// A file name in the layout, or a digest.
        document: String,
        /// The cause.
        why: String,
    },
    /// A layer does not unpack to the diff ID in the config.
    #[error("layer {layer} of `{manifest}` unpacks to `{found}`, but its config says `{expected}`")]
    DiffIdMismatch {
        /// The digest of the manifest.
        manifest: String,
        /// The index of the layer, from 0.
        layer: usize,
        /// The diff ID in the config.
        expected: String,
        /// The digest of the unpacked layer.
        found: DiffId,
    },
    /// The numbers of layers, diff IDs and history entries differ.
    #[error(
        "`{manifest}` has {layers} layers, but its config has {diff_ids} diff IDs and {history} history entries"
    )]
    LayerCountMismatch {
        /// The digest of the manifest.
        manifest: String,
        /// The number of layers in the manifest.
        layers: usize,
        /// The number of diff IDs in the config.
        diff_ids: usize,
        /// The number of history entries in the config that are layers.
        history: usize,
    },
}

/// Checks everything that is reachable from the index of the layout at `directory`. Returns no
/// findings if the layout is valid.
///
/// # Errors
/// Fails if there is no layout, or if a file cannot be read.
pub fn verify_layout(directory: &Path) -> Result<Vec<LayoutProblem>, LayoutError> {
    let index = directory.join("index.json");
    let index = fs::read_regular_file(&index, FinalLink::Follow, MAX_DOCUMENT_SIZE)?;
    check_layout_path(directory)?;
    let mut verifier = LayoutVerifier { directory, findings: BTreeSet::new(), seen: BTreeSet::new() };
    let mark = directory.join("oci-layout");
    verifier
        .check_canonical("oci-layout", &fs::read_regular_file(&mark, FinalLink::Follow, MAX_DOCUMENT_SIZE)?);
    verifier.check_canonical("index.json", &index);
    if let Some(index) = verifier.parse_json::<ImageIndex>("index.json", &index) {
        verifier.check_index(&index)?;
    }
    Ok(verifier.findings.into_iter().collect())
}

struct LayoutVerifier<'a> {
    directory: &'a Path,
    findings: BTreeSet<LayoutProblem>,
    seen: BTreeSet<String>,
}

/// The size and digest of a file.
struct SizeAndDigest {
    size: u64,
    digest: Digest,
}

impl LayoutVerifier<'_> {
    fn add_problem(&mut self, finding: LayoutProblem) {
        self.findings.insert(finding);
    }

    fn check_index(&mut self, index: &ImageIndex) -> Result<(), LayoutError> {
        index.manifests.iter().try_for_each(|descriptor| match descriptor.media_type.as_str() {
            _ if !self.seen.insert(descriptor.digest.clone()) => Ok(()),
            media_type::INDEX => match self.parse_blob::<ImageIndex>(descriptor)? {
                Some(index) => self.check_index(&index),
                None => Ok(()),
            },
            media_type::MANIFEST => match self.parse_blob(descriptor)? {
                Some(manifest) => self.check_manifest(descriptor, &manifest),
                None => Ok(()),
            },
            _ => self.check_blob(descriptor).map(drop),
        })
    }

    fn check_manifest(
        &mut self,
        descriptor: &Descriptor,
        manifest: &ImageManifest,
    ) -> Result<(), LayoutError> {
        let name = descriptor.digest.clone();
        if manifest.config.media_type != media_type::CONFIG {
            self.check_blob(&manifest.config)?;
            return manifest.layers.iter().try_for_each(|layer| self.check_blob(layer).map(drop));
        }
        let config: Option<ImageConfig> = self.parse_blob(&manifest.config)?;
        let diff_ids = config.as_ref().map_or(&[][..], |config| &config.rootfs.diff_ids);
        if let Some(config) = &config {
            let layers = manifest.layers.len();
            let history = config.history.iter().filter(|entry| !entry.empty_layer).count();
            if (layers, layers) != (diff_ids.len(), history) {
                self.add_problem(LayoutProblem::LayerCountMismatch {
                    manifest: name.clone(),
                    layers,
                    diff_ids: diff_ids.len(),
                    history,
                });
            }
        }
        for (index, layer) in manifest.layers.iter().enumerate() {
            let Some(path) = self.check_blob(layer)? else { continue };
            let Some(found) = self.unpacked_diff_id(layer, &path)? else { continue };
            let expected = diff_ids.get(index).filter(|expected| **expected != found.to_string());
            if let Some(expected) = expected {
                let expected = expected.clone();
                self.add_problem(LayoutProblem::DiffIdMismatch {
                    manifest: name.clone(),
                    layer: index,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Checks size and digest of a blob. Returns its path; `None` if it does not exist.
    fn check_blob(&mut self, descriptor: &Descriptor) -> Result<Option<PathBuf>, LayoutError> {
        let digest = descriptor.digest.clone();
        let Ok(expected) = digest.parse::<Digest>() else {
            let why = "only sha256 digests can be checked".into();
            self.add_problem(LayoutProblem::Unreadable { document: digest, why });
            return Ok(None);
        };
        let path = self.directory.join("blobs").join("sha256").join(expected.hex());
        if !path.is_file() {
            self.add_problem(LayoutProblem::Missing { digest });
            return Ok(None);
        }
        let file = fs::open_regular_file(&path, FinalLink::Follow)?;
        let SizeAndDigest { size, digest: found } = hash_reader(file).context("read", &path)?;
        if size != descriptor.size {
            self.add_problem(LayoutProblem::SizeMismatch {
                digest: digest.clone(),
                expected: descriptor.size,
                found: size,
            });
        }
        if found != expected {
            self.add_problem(LayoutProblem::DigestMismatch { digest, found });
        }
        Ok(Some(path))
    }

    /// Returns the diff ID of a layer; `None` if it cannot be decompressed.
    fn unpacked_diff_id(&mut self, layer: &Descriptor, path: &Path) -> fs::Result<Option<DiffId>> {
        let file = fs::open_regular_file(path, FinalLink::Follow)?;
        let hashed = match layer.media_type.strip_prefix(LAYER_TYPE) {
            Some("") => hash_reader(file),
            Some("+gzip") => hash_reader(MultiGzDecoder::new(file)),
            Some("+zstd") => zstd::Decoder::new(file).and_then(hash_reader),
            _ => return Ok(None),
        };
        match hashed {
            Ok(hashed) => return Ok(Some(DiffId::new(hashed.digest))),
            Err(error) => {
                let document = layer.digest.clone();
                self.add_problem(LayoutProblem::Unreadable { document, why: error.to_string() });
            }
        }
        Ok(None)
    }

    fn parse_blob<T: DeserializeOwned>(&mut self, descriptor: &Descriptor) -> Result<Option<T>, LayoutError> {
        let Some(path) = self.check_blob(descriptor)? else { return Ok(None) };
        let bytes = fs::read_regular_file(&path, FinalLink::Follow, MAX_DOCUMENT_SIZE)?;
        let name = descriptor.digest.clone();
        self.check_canonical(&name, &bytes);
        Ok(self.parse_json(&name, &bytes))
    }

    fn parse_json<T: DeserializeOwned>(&mut self, name: &str, bytes: &[u8]) -> Option<T> {
        let parsed = json::parse(bytes).and_then(serde_json::from_value);
        let unreadable = |error: serde_json::Error| LayoutProblem::Unreadable {
            document: name.into(),
            why: error.to_string(),
        };
        parsed.map_err(|error| self.add_problem(unreadable(error))).ok()
    }

    fn check_canonical(&mut self, name: &str, bytes: &[u8]) {
        let value = json::parse(bytes);
        let same = value.and_then(|value| json::to_bytes(&value)).is_ok_and(|form| form == bytes);
        if !same {
            self.add_problem(LayoutProblem::NotCanonical { document: name.into() });
        }
    }
}

fn hash_reader(mut reader: impl Read) -> std::io::Result<SizeAndDigest> {
    let (mut hasher, mut size) = (DigestHasher::default(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(SizeAndDigest { size, digest: hasher.finish() }),
            Ok(read) => {
                hasher.update(buffer.get(..read).unwrap_or_default());
                size += read as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
