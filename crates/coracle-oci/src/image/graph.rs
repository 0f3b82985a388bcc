//! Everything that belongs to an image, whoever made it: manifests and indexes as they are, byte for byte, and the blobs
//! that they name.
//!
//! `urls` of descriptors are ignored: what is named has to be where the image is. Source: image-spec, `descriptor.md`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Blob, Descriptor, media_type};
use coracle_core::digest::Digest;

/// Documents of one image; there are some twenty platforms, with a few artifacts each.
const MAX_DOCUMENTS: usize = 1024;
/// Layers and configs of one document; overlayfs takes 128 layers.
const MAX_BLOBS: usize = 1024;
/// Bytes of all documents together; one of a usual image has a few thousand.
const MAX_BYTES: usize = 64 << 20;
/// Indexes in indexes.
const MAX_DEPTH: usize = 4;

/// A manifest or an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Document {
    /// What it is about, if it is about another document.
    pub(crate) fn subject(&self) -> Option<Digest> {
        let document: Value = serde_json::from_slice(&self.bytes).ok()?;
        Descriptor::read(document.get("subject")?).ok().map(|subject| subject.digest)
    }

    /// Whether it is about another document.
    pub(crate) fn has_subject(&self) -> bool {
        self.subject().is_some()
    }
}

impl From<&Blob> for Document {
    fn from(blob: &Blob) -> Self {
        let Descriptor { media_type, digest, .. } = blob.descriptor();
        Self { media_type: media_type.clone().into_owned(), digest: *digest, bytes: blob.bytes().to_vec() }
    }
}

/// An image with all that it needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Graph {
    /// Its documents, each behind those that it names; the last is what its name stands for.
    pub documents: Vec<Document>,
    /// Its configs and layers, each once.
    pub blobs: BTreeMap<Digest, Descriptor>,
}

/// A manifest that describes a file system to run programs in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Runnable<'a> {
    /// The manifest.
    pub document: &'a Document,
    /// Its config.
    pub config: Descriptor,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
}

/// A document that can't be one of an image.
#[derive(Debug, thiserror::Error)]
#[error("`{digest}` is no manifest: {why}")]
pub struct GraphError {
    digest: Digest,
    why: String,
}

impl GraphError {
    /// A manifest that was to name blobs alone names another one.
    pub(crate) fn below(digest: Digest) -> Self {
        Self { digest, why: "an index inside of an index is not joined".into() }
    }
}

impl Graph {
    /// What `root` and the documents behind it name; `fetch` reads those.
    ///
    /// # Errors
    /// When a document is none, names too much, or can't be fetched.
    pub fn read<E: From<GraphError>>(
        root: Document,
        fetch: &mut dyn FnMut(&Descriptor) -> Result<Document, E>,
    ) -> Result<Self, E> {
        let mut graph = Self { documents: Vec::new(), blobs: BTreeMap::new() };
        graph.add(root, fetch, 0)?;
        Ok(graph)
    }

    fn knows(&self, digest: &Digest) -> bool {
        self.documents.iter().any(|known| known.digest == *digest)
    }

    /// The document that the image's name stands for.
    pub fn root(&self) -> Option<&Document> {
        self.documents.last()
    }

    /// The manifests that an engine can run. Attestations have a config like theirs, and layers that are no tars.
    pub fn images(&self) -> Vec<Runnable<'_>> {
        self.documents.iter().filter_map(runnable).collect()
    }

    /// One of its documents alone, with the blobs that it names.
    pub fn alone(&self, image: &Runnable<'_>) -> Self {
        let named = std::iter::once(&image.config).chain(&image.layers);
        Self {
            documents: vec![image.document.clone()],
            blobs: named.map(|blob| (blob.digest, blob.clone())).collect(),
        }
    }

    fn add<E: From<GraphError>>(
        &mut self,
        document: Document,
        fetch: &mut dyn FnMut(&Descriptor) -> Result<Document, E>,
        depth: usize,
    ) -> Result<(), E> {
        let digest = document.digest;
        let wrong = |why: String| GraphError { digest, why };
        let value: Value = serde_json::from_slice(&document.bytes)
            .map_err(|error| wrong(format!("it is no JSON: {error}")))?;
        if is_index(&document.media_type, &value) {
            if depth == MAX_DEPTH {
                return Err(wrong(format!("it is more than {MAX_DEPTH} indexes deep")).into());
            }
            for named in list(&value, "manifests", MAX_DOCUMENTS).map_err(wrong)? {
                if !self.knows(&named.digest) {
                    let below = fetch(&named)?;
                    if below.bytes.len() as u64 != named.size {
                        return Err(wrong(format!("`{}` has another size than it says", named.digest)).into());
                    }
                    self.add(below, fetch, depth + 1)?;
                }
            }
        } else {
            let config = value.get("config").ok_or_else(|| wrong("it has no config".into()))?;
            let layers = list(&value, "layers", MAX_BLOBS).map_err(wrong)?;
            for named in std::iter::once(Descriptor::read(config).map_err(wrong)?).chain(layers) {
                let size = named.size;
                if self.blobs.entry(named.digest).or_insert(named).size != size {
                    return Err(wrong("it names one digest with two sizes".into()).into());
                }
            }
        }
        let bytes: usize = self.documents.iter().map(|known| known.bytes.len()).sum();
        if self.documents.len() == MAX_DOCUMENTS || bytes + document.bytes.len() > MAX_BYTES {
            return Err(wrong(format!(
                "it comes with more than {MAX_DOCUMENTS} others, or {MAX_BYTES} bytes of them"
            ))
            .into());
        }
        self.documents.push(document);
        Ok(())
    }
}

/// `document` as what an engine can run, if it is that.
fn runnable(document: &Document) -> Option<Runnable<'_>> {
    let value: Value = serde_json::from_slice(&document.bytes).ok()?;
    let config = Descriptor::read(value.get("config")?).ok()?;
    let layers = list(&value, "layers", MAX_BLOBS).ok()?;
    let is_config = [media_type::CONFIG, "application/vnd.docker.container.image.v1+json"];
    let is_tar = |layer: &Descriptor| {
        let kind = layer.media_type.strip_prefix("application/vnd.").unwrap_or_default();
        kind.starts_with("oci.image.layer.") || kind.starts_with("docker.image.rootfs.")
    };
    let is_image = is_config.contains(&&*config.media_type) && layers.iter().all(is_tar);
    is_image.then_some(Runnable { document, config, layers })
}

/// Whether a document is an index, as it itself or who names it says.
fn is_index(named: &str, document: &Value) -> bool {
    let own = document.get("mediaType").and_then(Value::as_str).unwrap_or(named);
    [media_type::INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"].contains(&own)
}

fn list(document: &Value, key: &str, limit: usize) -> Result<Vec<Descriptor>, String> {
    let entries =
        document.get(key).and_then(Value::as_array).ok_or_else(|| format!("it has no list `{key}`"))?;
    if entries.len() > limit {
        return Err(format!("it has more than {limit} `{key}`"));
    }
    entries.iter().map(Descriptor::read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(value: &Value) -> Document {
        let bytes = value.to_string().into_bytes();
        Document { media_type: String::new(), digest: Digest::of(&bytes), bytes }
    }

    fn described(content: &str) -> Value {
        json!({"mediaType": "a/b", "digest": Digest::of(content.as_bytes()).to_string(), "size": content.len()})
    }

    fn read(root: &Value, others: &[&Value]) -> Result<Graph, GraphError> {
        let others: Vec<Document> = others.iter().map(|other| document(other)).collect();
        Graph::read(document(root), &mut |named: &Descriptor| {
            let found = others.iter().find(|other| other.digest == named.digest);
            found.cloned().ok_or_else(|| GraphError { digest: named.digest, why: "missing".into() })
        })
    }

    #[test]
    fn an_index_stands_behind_what_it_names() {
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
    fn what_is_no_document_of_an_image() {
        let deep = (0..6).fold(
            json!({"config": described("c"), "layers": []}),
            |inner, _| json!({"mediaType": media_type::INDEX, "manifests": [inner]}),
        );
        let many: Vec<Value> = (0..=MAX_BLOBS).map(|number| described(&number.to_string())).collect();
        for (value, why) in [
            (json!([]), "it has no config"),
            (
                json!({"config": {"digest": "../../etc", "size": 1}, "layers": []}),
                "`../../etc` is no sha256 digest",
            ),
            (
                json!({"config": {"digest": Digest::of(b"").to_string(), "size": -1}, "layers": []}),
                "has no size",
            ),
            (json!({"config": described("c")}), "it has no list `layers`"),
            (json!({"config": described("c"), "layers": many}), "more than 1024 `layers`"),
            (json!({"mediaType": media_type::INDEX}), "it has no list `manifests`"),
            (deep, "is no sha256 digest"),
        ] {
            let error = read(&value, &[]).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn indexes_that_are_too_deep() {
        let mut documents = vec![json!({"config": described("c"), "layers": []})];
        for _ in 0..=MAX_DEPTH {
            let below = document(documents.last().unwrap());
            let entry = json!({"digest": below.digest.to_string(), "size": below.bytes.len()});
            documents.push(json!({"mediaType": media_type::INDEX, "manifests": [entry]}));
        }
        let (root, others) = documents.split_last().unwrap();
        let error = read(root, &others.iter().collect::<Vec<_>>()).unwrap_err().to_string();
        assert!(error.contains("more than 4 indexes deep"), "{error}");
    }
}
