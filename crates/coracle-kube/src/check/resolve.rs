//! Replaces image names in YAML by references with digests, and leaves the rest of the text
//! unchanged.
//!
//! Like `ko resolve`: `coracle://NAME` is replaced wherever it is a whole string; other names of
//! known images are replaced in `image` and `reference` fields.

use super::choose::{SCHEME, repository};
use super::map::shown;
use super::objects::Input;
use crate::yaml::{self, Kind, Node, Place};

/// An image that references can be replaced by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// The name that manifests use.
    pub name: String,
    /// The name with tag that is written: `ghcr.io/acme/shop:1.2`.
    pub reference: String,
    /// The digest: `sha256:…`.
    pub digest: String,
}

/// A text with references by digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// The text.
    pub text: String,
    /// Indexes of the known images that were written.
    pub used: Vec<usize>,
}

/// A reference that cannot be resolved.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct Unresolved {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The reason.
    pub message: String,
}

/// An image of a container or volume without a digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unpinned {
    /// The reference in the source.
    pub text: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A replacement of a part of the text.
struct Edit {
    place: Place,
    text: String,
    known: usize,
}

/// Replaces image references in `input` by references with digests.
///
/// # Errors
/// Fails with every `coracle://NAME` without a unique known image, and every reference whose YAML
/// notation cannot be replaced in place.
pub fn resolve(input: &Input, known: &[Known]) -> Result<Resolved, Vec<Unresolved>> {
    let refuse = |line, column, message| Unresolved { file: input.name.clone(), line, column, message };
    let documents =
        yaml::nodes(&input.text).map_err(|error| vec![refuse(error.line, error.column, error.message)])?;
    let (mut edits, mut errors) = (Vec::new(), Vec::new());
    for document in &documents {
        visit(document, "", &mut |node, text, key| match target(text, key, known) {
            Ok(None) => {}
            Ok(Some((index, text))) => match quoted(&input.text, node, &text) {
                Ok(text) => edits.push(Edit { place: node.defined, text, known: index }),
                Err(message) => errors.push(refuse(node.defined.line, node.defined.column, message)),
            },
            Err(message) => errors.push(refuse(node.place.line, node.place.column, message)),
        });
    }
    if !errors.is_empty() {
        errors.dedup();
        return Err(errors);
    }
    // An anchored node is visited again for each alias.
    edits.sort_by_key(|edit| edit.place.start);
    edits.dedup_by_key(|edit| edit.place.start);
    Ok(applied(&input.text, &edits))
}

/// Returns the images in `input` that have no digest and are not among `known`.
///
/// # Errors
/// Fails if the text is not valid YAML.
pub fn unpinned(input: &Input, known: &[Known]) -> Result<Vec<Unpinned>, Unresolved> {
    let documents = yaml::nodes(&input.text).map_err(|error| Unresolved {
        file: input.name.clone(),
        line: error.line,
        column: error.column,
        message: error.message,
    })?;
    let mut found = Vec::new();
    for document in &documents {
        images(document, &mut |node, text| {
            let is_due = !text.contains('@') && matches!(target(text, "image", known), Ok(None));
            if is_due && !text.starts_with(SCHEME) {
                let Place { line, column, .. } = node.place;
                found.push(Unpinned { text: text.to_owned(), line, column });
            }
        });
    }
    Ok(found)
}

/// Visits the image references of containers and image volumes, at any depth.
fn images<'a>(node: &'a Node, seen: &mut dyn FnMut(&'a Node, &'a str)) {
    for item in node.items() {
        images(item, seen);
    }
    for (key, below) in node.members() {
        let path: &[&str] = match key.name.as_str() {
            "containers" | "initContainers" | "ephemeralContainers" => &["image"],
            "volumes" => &["image", "reference"],
            _ => &[],
        };
        let named = below.items().iter().map(|item| item.at(path)).filter(|_| !path.is_empty());
        named.filter_map(|image| Some((image, image.text()?))).for_each(|(image, text)| seen(image, text));
        images(below, seen);
    }
}

fn applied(text: &str, edits: &[Edit]) -> Resolved {
    let mut resolved = Resolved { text: String::with_capacity(text.len()), used: Vec::new() };
    let mut done = 0;
    for edit in edits {
        resolved.text.push_str(text.get(done..edit.place.start).unwrap_or_default());
        resolved.text.push_str(&edit.text);
        resolved.used.push(edit.known);
        done = edit.place.end;
    }
    resolved.text.push_str(text.get(done..).unwrap_or_default());
    resolved.used.sort_unstable();
    resolved.used.dedup();
    resolved
}

/// Visits every string with the key that it belongs to.
fn visit<'a>(node: &'a Node, key: &'a str, seen: &mut dyn FnMut(&'a Node, &'a str, &'a str)) {
    match &node.kind {
        Kind::Text(text) => seen(node, text, key),
        Kind::List(items) => items.iter().for_each(|item| visit(item, key, seen)),
        Kind::Table(members) => members.iter().for_each(|(key, node)| visit(node, &key.name, seen)),
        Kind::Plain(_) => {}
    }
}

/// Returns the index of the image that a text names, and the reference to write.
fn target(text: &str, key: &str, known: &[Known]) -> Result<Option<(usize, String)>, String> {
    if let Some(name) = text.strip_prefix(SCHEME) {
        let wanted = repository(name);
        let is_it = |known: &Known| {
            let repository = repository(&known.name);
            let own = self::repository(&known.reference);
            [&repository, &own]
                .iter()
                .any(|found| **found == wanted || found.rsplit('/').next() == Some(wanted.as_str()))
        };
        let found: Vec<usize> =
            known.iter().enumerate().filter(|(_, known)| is_it(known)).map(|(index, _)| index).collect();
        return match found.as_slice() {
            [index] => {
                Ok(known.get(*index).map(|known| (*index, format!("{}@{}", known.reference, known.digest))))
            }
            [] => Err(format!("no known image is named `{}`", shown(text))),
            _ => Err(format!("several known images match `{}`", shown(text))),
        };
    }
    if key != "image" && key != "reference" {
        return Ok(None);
    }
    let is_exact = |known: &Known| known.name == text;
    let index = known.iter().position(is_exact).or_else(|| {
        known.iter().position(|known| {
            let same =
                [&known.name, &known.reference].iter().any(|name| repository(name) == repository(text));
            same && tag(text).is_none_or(|written| tag(&known.reference) == Some(written))
        })
    });
    let found = index.and_then(|index| Some((index, known.get(index)?)));
    Ok(found.map(|(index, known)| {
        let name = text.split('@').next().unwrap_or(text);
        let tag = if tag(text).is_some() { None } else { tag(&known.reference) };
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        (index, format!("{name}{tag}@{}", known.digest))
    }))
}

/// Returns the tag of a reference.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next().unwrap_or(image);
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split_once(':').map(|(_, tag)| tag)
}

/// Returns `new` in the quotes of the text that it replaces. Fails for multi-line and escaped
/// strings.
fn quoted(text: &str, node: &Node, new: &str) -> Result<String, String> {
    let old = node.text().unwrap_or_default();
    let written = text.get(node.defined.start..node.defined.end).unwrap_or_default();
    for quote in ["", "'", "\""] {
        if written == format!("{quote}{old}{quote}") {
            return Ok(format!("{quote}{new}{quote}"));
        }
    }
    Err(format!("cannot replace `{}` in place: write it on one line, without escapes", shown(old.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Known> {
        let known = |name: &str, reference: &str, digest: &str| Known {
            name: name.into(),
            reference: reference.into(),
            digest: digest.into(),
        };
        vec![known("shop", "ghcr.io/acme/shop:1.2", "sha256:aa"), known("db", "db:latest", "sha256:bb")]
    }

    fn resolved(text: &str) -> Result<String, String> {
        let input = Input { name: "a.yaml".into(), text: text.into() };
        resolve(&input, &known())
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
        let found = unpinned(&Input { name: "a.yaml".into(), text: text.into() }, &known()).unwrap();
        let found: Vec<String> =
            found.iter().map(|found| format!("{}:{} {}", found.line, found.column, found.text)).collect();
        assert_eq!(found, ["2:28 setup:1", "5:24 redis", "8:33 docker.io/library/data:2", "11:56 last"]);
    }

    #[test]
    fn reports_positions_of_unresolved_references() {
        for (text, expected) in [
            ("a: 1\nimage: coracle://nobody\n", "a.yaml:2:8: no known image is named `coracle://nobody`"),
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
