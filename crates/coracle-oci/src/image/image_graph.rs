//! All documents and blobs of an image from any tool: manifests and indexes, byte for byte, and
//! the descriptors of configs and layers.
//!
//! `urls` of descriptors are ignored: blobs must be stored with the image. Source: image-spec,
//! `descriptor.md`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::descriptor::{Blob, Descriptor};
use super::document_kind::{check_document_kind, is_index};
use super::media_type;
use coracle_core::digest::Digest;
use coracle_core::json;

/// The maximum size of a manifest, an index or a config that is read, in bytes: what registries accept
/// at least. Source: distribution-spec, "Pushing Manifests".
pub(crate) const MAX_DOCUMENT_SIZE: u64 = 4 << 20;
/// The maximum number of documents of an image. There are some twenty platforms, with a few
/// artifacts each.
const MAX_DOCUMENTS: usize = 1024;
/// The maximum number of layers of a manifest. overlayfs supports 128.
const MAX_BLOBS: usize = 1024;
/// The maximum size of all documents together, in bytes. A typical document has a few thousand.
const MAX_DOCUMENT_BYTES: usize = 64 << 20;
/// The maximum depth of nested indexes.
const MAX_DEPTH: usize = 4;

/// A manifest or an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawManifest {
    /// The media type.
    pub media_type: String,
    /// The digest of the bytes.
    pub digest: Digest,
    /// The raw bytes.
    pub bytes: Vec<u8>,
}

impl RawManifest {
    /// Returns the digest of the document's `subject`, if it has one.
    pub(crate) fn subject_digest(&self) -> Option<Digest> {
        let document = json::parse(&self.bytes).ok()?;
        Descriptor::parse(document.get("subject")?).ok().map(|subject| subject.digest)
    }

    /// Returns whether the document has a `subject`.
    pub(crate) fn has_subject(&self) -> bool {
        self.subject_digest().is_some()
    }
}

impl From<&Blob> for RawManifest {
    fn from(blob: &Blob) -> Self {
        let Descriptor { media_type, digest, .. } = blob.descriptor();
        Self { media_type: media_type.clone().into_owned(), digest: *digest, bytes: blob.bytes().to_vec() }
    }
}

impl From<&RawManifest> for Descriptor {
    fn from(manifest: &RawManifest) -> Self {
        Self::new(manifest.media_type.clone(), manifest.digest, manifest.bytes.len() as u64)
    }
}

/// All documents and blobs of an image or index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageGraph {
    /// The manifests and indexes. Each document comes after the documents that it refers to, so the
    /// root is last.
    pub documents: Vec<RawManifest>,
    /// The configs and layers, each once.
    pub blobs: BTreeMap<Digest, Descriptor>,
}

/// A manifest of a container image, as opposed to an artifact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunnableManifest<'a> {
    /// The manifest.
    pub document: &'a RawManifest,
    /// The descriptor of its config.
    pub config: Descriptor,
    /// The descriptors of its layers, the lowest first.
    pub layers: Vec<Descriptor>,
}

/// An invalid manifest or index.
#[derive(Debug, thiserror::Error)]
#[error("`{digest}` is not a valid manifest or index: {why}")]
pub struct GraphError {
    digest: Digest,
    why: String,
}

impl GraphError {
    /// The error for an index inside of an index, where only images are supported.
    pub(crate) fn nested_index(digest: Digest) -> Self {
        Self { digest, why: "it is part of a nested index, which is not supported".into() }
    }
}

impl ImageGraph {
    /// Collects `root` and all documents and blobs that it refers to. `fetch` reads a document.
    ///
    /// # Errors
    /// Fails if a document is invalid, exceeds a limit or cannot be fetched.
    pub fn collect<E: From<GraphError>>(
        root: RawManifest,
        fetch: &mut dyn FnMut(&Descriptor) -> Result<RawManifest, E>,
    ) -> Result<Self, E> {
        let mut graph = Self { documents: Vec::new(), blobs: BTreeMap::new() };
        graph.add_document(root, fetch, 0)?;
        Ok(graph)
    }

    fn contains_document(&self, digest: &Digest) -> bool {
        self.documents.iter().any(|known| known.digest == *digest)
    }

    /// Returns the manifest or index that the image's name refers to.
    pub fn root(&self) -> Option<&RawManifest> {
        self.documents.last()
    }

    /// Returns the manifests that an engine can run. Attestations have an image config too, but
    /// their layers are not tars.
    pub fn runnable_manifests(&self) -> Vec<RunnableManifest<'_>> {
        self.documents.iter().filter_map(parse_runnable).collect()
    }

    /// Returns the indexes, the root last.
    pub(crate) fn indexes(&self) -> Vec<RawManifest> {
        let is_index_document = |document: &&RawManifest| {
            let value = json::parse(&document.bytes);
            value.is_ok_and(|value| is_index(&document.media_type, &value))
        };
        self.documents.iter().filter(is_index_document).cloned().collect()
    }

    /// Returns the graph of a single `image` of this graph: its manifest and blobs.
    pub fn single_image_graph(&self, image: &RunnableManifest<'_>) -> Self {
        let named = std::iter::once(&image.config).chain(&image.layers);
        Self {
            documents: vec![image.document.clone()],
            blobs: named.map(|blob| (blob.digest, blob.clone())).collect(),
        }
    }

    fn add_document<E: From<GraphError>>(
        &mut self,
        document: RawManifest,
        fetch: &mut dyn FnMut(&Descriptor) -> Result<RawManifest, E>,
        depth: usize,
    ) -> Result<(), E> {
        let digest = document.digest;
        let wrong = |why: String| GraphError { digest, why };
        let value =
            json::parse(&document.bytes).map_err(|error| wrong(format!("it is not JSON: {error}")))?;
        check_document_kind(&document.media_type, &document.bytes).map_err(wrong)?;
        if is_index(&document.media_type, &value) {
            if depth == MAX_DEPTH {
                return Err(wrong(format!("its indexes are nested more than {MAX_DEPTH} deep")).into());
            }
            for named in parse_descriptors(&value, "manifests", MAX_DOCUMENTS).map_err(wrong)? {
                if !self.contains_document(&named.digest) {
                    let below = fetch(&named)?;
                    if below.bytes.len() as u64 != named.size {
                        return Err(wrong(format!(
                            "the size of `{}` is not that of its descriptor",
                            named.digest
                        ))
                        .into());
                    }
                    self.add_document(below, fetch, depth + 1)?;
                }
            }
        } else {
            let config = value.get("config").ok_or_else(|| wrong("it has no `config`".into()))?;
            let layers = parse_descriptors(&value, "layers", MAX_BLOBS).map_err(wrong)?;
            for named in std::iter::once(Descriptor::parse(config).map_err(wrong)?).chain(layers) {
                let size = named.size;
                if self.blobs.entry(named.digest).or_insert(named).size != size {
                    return Err(wrong("it has two different sizes for one digest".into()).into());
                }
            }
        }
        let bytes: usize = self.documents.iter().map(|known| known.bytes.len()).sum();
        if self.documents.len() == MAX_DOCUMENTS || bytes + document.bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(wrong(format!(
                "the image has more than {MAX_DOCUMENTS} manifests and indexes, or {MAX_DOCUMENT_BYTES} bytes of them"
            ))
            .into());
        }
        self.documents.push(document);
        Ok(())
    }
}

/// Returns the config and layers of `document` if it is an image that an engine can run.
fn parse_runnable(document: &RawManifest) -> Option<RunnableManifest<'_>> {
    let value = json::parse(&document.bytes).ok()?;
    let config = Descriptor::parse(value.get("config")?).ok()?;
    let layers = parse_descriptors(&value, "layers", MAX_BLOBS).ok()?;
    let is_config = [media_type::CONFIG, "application/vnd.docker.container.image.v1+json"];
    let is_tar = |layer: &Descriptor| {
        let kind = layer.media_type.strip_prefix("application/vnd.").unwrap_or_default();
        kind.starts_with("oci.image.layer.") || kind.starts_with("docker.image.rootfs.")
    };
    let is_image = is_config.contains(&&*config.media_type) && layers.iter().all(is_tar);
    is_image.then_some(RunnableManifest { document, config, layers })
}

fn parse_descriptors(document: &Value, key: &str, limit: usize) -> Result<Vec<Descriptor>, String> {
    let entries =
        document.get(key).and_then(Value::as_array).ok_or_else(|| format!("it has no array `{key}`"))?;
    if entries.len() > limit {
        return Err(format!("it has more than {limit} `{key}`"));
    }
    entries.iter().map(Descriptor::parse).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(value: &Value) -> RawManifest {
        let bytes = value.to_string().into_bytes();
        RawManifest { media_type: String::new(), digest: Digest::compute(&bytes), bytes }
    }

    fn described(content: &str) -> Value {
        json!({"mediaType": "a/b", "digest": Digest::compute(content.as_bytes()).to_string(), "size": content.len()})
    }

    fn read(root: &Value, others: &[&Value]) -> Result<ImageGraph, GraphError> {
        let others: Vec<RawManifest> = others.iter().map(|other| document(other)).collect();
        ImageGraph::collect(document(root), &mut |named: &Descriptor| {
            let found = others.iter().find(|other| other.digest == named.digest);
            found.cloned().ok_or_else(|| GraphError { digest: named.digest, why: "missing".into() })
        })
    }

    #[test]
    fn lists_an_index_after_its_manifests() {
        let manifest = |layer: &str| json!({"config": described("config"), "layers": [described(layer), described("base")]});
        let (one, two) = (manifest("one"), manifest("two"));
        let entry = |manifest: &Value| {
            let document = document(manifest);
            json!({"digest": document.digest.to_string(), "size": document.bytes.len()})
        };
        let index =
            json!({"mediaType": media_type::INDEX, "manifests": [entry(&one), entry(&two), entry(&one)]});
        let graph = read(&index, &[&one, &two]).unwrap();
        let digests: Vec<Digest> = graph.documents.iter().map(|document| document.digest).collect();
        assert_eq!(digests, [&one, &two, &index].map(|value| document(value).digest));
        assert_eq!(graph.root().unwrap().digest, document(&index).digest);
        let mut sizes: Vec<u64> = graph.blobs.values().map(|blob| blob.size).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [3, 3, 4, 6]);
    }

    #[test]
    fn rejects_invalid_documents() {
        let deep = (0..6).fold(
            json!({"config": described("c"), "layers": []}),
            |inner, _| json!({"mediaType": media_type::INDEX, "manifests": [inner]}),
        );
        let many: Vec<Value> = (0..=MAX_BLOBS).map(|number| described(&number.to_string())).collect();
        for (value, why) in [
            (json!([]), "it has no `config`"),
            (
                json!({"config": {"digest": "../../etc", "size": 1}, "layers": []}),
                "`../../etc` is not a sha256 digest",
            ),
            (
                json!({"config": {"digest": Digest::compute(b"").to_string(), "size": -1}, "layers": []}),
                "has no valid `size`",
            ),
            (json!({"config": described("c")}), "it has no array `layers`"),
            (json!({"config": described("c"), "layers": many}), "more than 1024 `layers`"),
            (json!({"mediaType": media_type::INDEX}), "it has no array `manifests`"),
            (deep, "is not a sha256 digest"),
            (
                json!({"config": described("c"), "layers": [], "manifests": []}),
                "it is a manifest with `manifests`",
            ),
            (
                json!({"mediaType": media_type::INDEX, "manifests": [], "layers": []}),
                "it is an index with `layers`",
            ),
            (
                json!({"mediaType": media_type::DOCKER_MANIFEST_LIST, "manifests": [], "config": described("c")}),
                "it is an index with `config`",
            ),
        ] {
            let error = read(&value, &[]).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn rejects_deeply_nested_indexes() {
        let mut documents = vec![json!({"config": described("c"), "layers": []})];
        for _ in 0..=MAX_DEPTH {
            let below = document(documents.last().unwrap());
            let entry = json!({"digest": below.digest.to_string(), "size": below.bytes.len()});
            documents.push(json!({"mediaType": media_type::INDEX, "manifests": [entry]}));
        }
        let (root, others) = documents.split_last().unwrap();
        let error = read(root, &others.iter().collect::<Vec<_>>()).unwrap_err().to_string();
        assert!(error.contains("nested more than 4 deep"), "{error}");
    }
}
