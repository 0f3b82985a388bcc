//! Replaces image names in YAML by references with digests, and leaves the rest of the text
//! unchanged.
//!
//! Like `ko resolve`: `coracle://NAME` is replaced wherever it is a whole string; other names of
//! known images are replaced in `image` and `reference` fields, except in `metadata` and in the
//! content of ConfigMaps and Secrets.

use super::finding::printable_text;
use super::manifest_object::ManifestFile;
use super::match_image_names::{IMAGE_SCHEME, StringContext, find_image};
use crate::yaml::{self, Node, NodeKind, Span};

pub use super::match_image_names::PinnableImage;

/// A text with references by digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PinnedText {
    /// The text.
    pub text: String,
    /// Indexes of the known images that were written.
    pub used_images: Vec<usize>,
}

/// A reference that cannot be resolved.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct PinError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The reason.
    pub message: String,
    /// `true` if the location of an image is missing.
    pub is_unknown_image: bool,
}

/// An image of a container or volume without a digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnpinnedImage {
    /// The reference in the source.
    pub text: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// Members with the content of a ConfigMap or Secret.
const CONTENT_KEYS: [&str; 3] = ["data", "stringData", "binaryData"];

/// A quoted_like of a part of the text.
struct TextEdit {
    span: Span,
    text: String,
    image_index: usize,
}

/// Replaces image references in `input` by references with digests.
///
/// # Errors
/// Fails with every `coracle://NAME` without a unique known image, and every reference whose YAML
/// notation cannot be replaced in place.
pub fn pin_images(input: &ManifestFile, known: &[PinnableImage]) -> Result<PinnedText, Vec<PinError>> {
    let documents = parse_documents(input).map_err(|error| vec![error])?;
    let error_at = |span: Span, message, is_unknown_image| {
        let Span { line, column, .. } = span;
        PinError { file: input.name.clone(), line, column, message, is_unknown_image }
    };
    let (mut edits, mut errors) = (Vec::new(), Vec::new());
    for document in &documents {
        visit_strings(document, StringContext::Other, &mut |node, text, context| match find_image(
            text, context, known,
        ) {
            Ok(None) => {}
            Ok(Some((index, text))) => match quoted_like(&input.text, node, &text) {
                Ok(text) => edits.push(TextEdit { span: node.defined_span, text, image_index: index }),
                Err(message) => errors.push(error_at(node.defined_span, message, false)),
            },
            Err(message) => errors.push(error_at(node.span, message, true)),
        });
    }
    if !errors.is_empty() {
        errors.dedup();
        return Err(errors);
    }
    // An anchored node is visited again for each alias.
    edits.sort_by_key(|edit| edit.span.start);
    edits.dedup_by_key(|edit| edit.span.start);
    Ok(apply_edits(&input.text, &edits))
}

/// Returns the images in `input` that have no digest and are not among `known`.
///
/// # Errors
/// Fails if the text is not valid YAML.
pub fn find_unpinned_images(
    input: &ManifestFile,
    known: &[PinnableImage],
) -> Result<Vec<UnpinnedImage>, PinError> {
    let documents = parse_documents(input)?;
    let mut found = Vec::new();
    for document in &documents {
        visit_images(document, &mut |node, text| {
            let is_unpinned =
                !text.contains('@') && matches!(find_image(text, StringContext::ImageField, known), Ok(None));
            if is_unpinned && !text.starts_with(IMAGE_SCHEME) {
                let Span { line, column, .. } = node.span;
                found.push(UnpinnedImage { text: text.to_owned(), line, column });
            }
        });
    }
    Ok(found)
}

/// Returns every image reference of containers and image volumes, without the scheme.
///
/// # Errors
/// Fails if the text is not valid YAML.
pub fn image_names(input: &ManifestFile) -> Result<Vec<String>, PinError> {
    let documents = parse_documents(input)?;
    let mut names = Vec::new();
    for document in &documents {
        visit_images(document, &mut |_, text| {
            names.push(text.strip_prefix(IMAGE_SCHEME).unwrap_or(text).to_owned());
        });
    }
    Ok(names)
}

fn parse_documents(input: &ManifestFile) -> Result<Vec<Node>, PinError> {
    yaml::parse_nodes(&input.text).map_err(|error| PinError {
        file: input.name.clone(),
        line: error.line,
        column: error.column,
        message: error.message,
        is_unknown_image: false,
    })
}

/// Visits the image references of containers and image volumes, at any depth.
fn visit_images<'a>(node: &'a Node, visit: &mut dyn FnMut(&'a Node, &'a str)) {
    for item in node.items() {
        visit_images(item, visit);
    }
    for (key, value) in node.entries() {
        let path: &[&str] = match key.name.as_str() {
            "containers" | "initContainers" | "ephemeralContainers" => &["image"],
            "volumes" => &["image", "reference"],
            _ => &[],
        };
        let images = value.items().iter().map(|item| item.at_path(path)).filter(|_| !path.is_empty());
        images.filter_map(|image| Some((image, image.text()?))).for_each(|(image, text)| visit(image, text));
        visit_images(value, visit);
    }
}

fn apply_edits(text: &str, edits: &[TextEdit]) -> PinnedText {
    let mut pinned = PinnedText { text: String::with_capacity(text.len()), used_images: Vec::new() };
    let mut copied = 0;
    for edit in edits {
        pinned.text.push_str(text.get(copied..edit.span.start).unwrap_or_default());
        pinned.text.push_str(&edit.text);
        pinned.used_images.push(edit.image_index);
        copied = edit.span.end;
    }
    pinned.text.push_str(text.get(copied..).unwrap_or_default());
    pinned.used_images.sort_unstable();
    pinned.used_images.dedup();
    pinned
}

/// Visits every string; `context` is that of `node`.
fn visit_strings<'a>(
    node: &'a Node,
    context: StringContext,
    visit: &mut dyn FnMut(&'a Node, &'a str, StringContext),
) {
    match &node.kind {
        NodeKind::Text(text) => visit(node, text, context),
        NodeKind::Sequence(items) => items.iter().for_each(|item| visit_strings(item, context, visit)),
        NodeKind::Mapping(members) => {
            let has_content = ["ConfigMap", "Secret"].map(Some).contains(&node.text_of("kind"));
            for (key, member) in members {
                let name = key.name.as_str();
                if name == "metadata" || has_content && CONTENT_KEYS.contains(&name) {
                    visit_strings(member, StringContext::Other, &mut |node, text, _| {
                        visit(node, text, StringContext::Other);
                    });
                    continue;
                }
                let is_image = ["image", "reference"].contains(&name);
                let context = if is_image { StringContext::ImageField } else { StringContext::Other };
                visit_strings(member, context, visit);
            }
        }
        NodeKind::Scalar(_) => {}
    }
}

/// Returns `new` in the quotes of the text that it replaces. Fails for multi-line and escaped
/// strings.
fn quoted_like(text: &str, node: &Node, new: &str) -> Result<String, String> {
    let old = node.text().unwrap_or_default();
    let written = text.get(node.defined_span.start..node.defined_span.end).unwrap_or_default();
    for quote in ["", "'", "\""] {
        if written == format!("{quote}{old}{quote}") {
            return Ok(format!("{quote}{new}{quote}"));
        }
    }
    Err(format!(
        "cannot replace `{}` in place: write it on one line, without escapes",
        printable_text(old.trim())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<PinnableImage> {
        let known = |name: &str, reference: &str, digest: &str| PinnableImage {
            name: name.into(),
            reference: reference.into(),
            digest: digest.into(),
        };
        vec![
            known("shop", "ghcr.io/acme/shop:1.2", "sha256:aa"),
            known("db", "db:latest", "sha256:bb"),
            known("placeholder", "127.0.0.1:5088/mine:1.0", "sha256:cc"),
        ]
    }

    fn resolved(text: &str) -> Result<String, String> {
        let input = ManifestFile { name: "a.yaml".into(), text: text.into() };
        pin_images(&input, &known())
            .map(|resolved| resolved.text)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn changes_only_references() {
        for (text, expected) in [
            ("image: coracle://shop # é\n", "image: ghcr.io/acme/shop:1.2@sha256:aa # é\n"),
            (
                "a:   'coracle://shop'\nb: [\"coracle://db\",x]\n",
                "a:   'ghcr.io/acme/shop:1.2@sha256:aa'\nb: [\"db:latest@sha256:bb\",x]\n",
            ),
            ("image: db\nname: db\n", "image: db:latest@sha256:bb\nname: db\n"),
            ("image: ghcr.io/acme/shop\n", "image: ghcr.io/acme/shop:1.2@sha256:aa\n"),
            ("image: ghcr.io/acme/shop:1.2@sha256:cc\n", "image: ghcr.io/acme/shop:1.2@sha256:aa\n"),
            ("image: ghcr.io/acme/shop:1.3\n", "image: ghcr.io/acme/shop:1.3\n"),
            ("image: docker.io/library/db:latest\n", "image: docker.io/library/db:latest@sha256:bb\n"),
            ("image: &i coracle://db\nother: *i\n", "image: &i db:latest@sha256:bb\nother: *i\n"),
            (
                "# only\r\n---\r\nimage:\tcoracle://db\r\n...\r\n",
                "# only\r\n---\r\nimage:\tdb:latest@sha256:bb\r\n...\r\n",
            ),
            ("image: placeholder\n", "image: 127.0.0.1:5088/mine:1.0@sha256:cc\n"),
            ("image: coracle://placeholder\n", "image: 127.0.0.1:5088/mine:1.0@sha256:cc\n"),
            ("image: coracle://shop:1.2@sha256:aa\n", "image: ghcr.io/acme/shop:1.2@sha256:aa\n"),
            (
                "kind: ConfigMap\nmetadata: {image: db}\ndata: {image: db, reference: db}\n",
                "kind: ConfigMap\nmetadata: {image: db}\ndata: {image: db, reference: db}\n",
            ),
            (
                "items: [{kind: Secret, stringData: {image: db}}, {kind: Pod, spec: {image: db}}]\n",
                "items: [{kind: Secret, stringData: {image: db}}, {kind: Pod, spec: {image: db:latest@sha256:bb}}]\n",
            ),
            (
                "kind: ConfigMap\ndata: {image: coracle://db}\n",
                "kind: ConfigMap\ndata: {image: db:latest@sha256:bb}\n",
            ),
            ("text: see coracle://db\ncoracle://db: 1\n", "text: see coracle://db\ncoracle://db: 1\n"),
            ("", ""),
        ] {
            assert_eq!(resolved(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn finds_unpinned_images() {
        let text = "\
spec:
  initContainers: [{image: setup:1}]
  containers:
    - {name: a, image: db}
    - {name: b, image: redis}
    - {name: c, image: 'redis:7@sha256:aa'}
    - {name: d, image: coracle://shop}
  volumes: [{image: {reference: docker.io/library/data:2}}, {configMap: {name: x}}]
image: elsewhere
---
items: [{spec: {template: {spec: {containers: [{image: last}]}}}}]
";
        let found =
            find_unpinned_images(&ManifestFile { name: "a.yaml".into(), text: text.into() }, &known())
                .unwrap();
        let found: Vec<String> =
            found.iter().map(|found| format!("{}:{} {}", found.line, found.column, found.text)).collect();
        assert_eq!(found, ["2:28 setup:1", "5:24 redis", "8:33 docker.io/library/data:2", "11:56 last"]);
    }

    #[test]
    fn reports_positions_of_unresolved_references() {
        for (text, expected) in [
            ("a: 1\nimage: coracle://nobody\n", "a.yaml:2:8: no known image is named `coracle://nobody`"),
            (
                "image: coracle://shop:9.9\n",
                "a.yaml:1:8: `coracle://shop:9.9` is another version than the known image `ghcr.io/acme/shop:1.2@sha256:aa`",
            ),
            (
                "image: coracle://shop@sha256:00\n",
                "a.yaml:1:8: `coracle://shop@sha256:00` is another version than the known image `ghcr.io/acme/shop:1.2@sha256:aa`",
            ),
            (
                "image: |-\n  coracle://db\n",
                "a.yaml:2:3: cannot replace `coracle://db` in place: write it on one line, without escapes",
            ),
            ("a: 1\na: 2\n", "a.yaml:2:1: duplicate mapping key: a"),
        ] {
            assert_eq!(resolved(text), Err(expected.into()), "{text}");
        }
    }
}
