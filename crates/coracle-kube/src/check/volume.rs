//! Volumes: which key of which ConfigMap or Secret is at a path.

use super::map::Map;
use super::objects::Object;
use super::workload::Container;
use crate::yaml::{Kind as NodeKind, Node, Place};

/// The content of a volume.
#[derive(Debug)]
pub(super) enum Volume<'a> {
    /// Files of ConfigMaps and Secrets; read-only. `has_others`: with further parts, such as a
    /// token.
    Files { sources: Vec<Source<'a>>, has_others: bool },
    /// A directory that is deleted with the pod.
    Scratch,
    /// A directory that outlives the pod.
    Persistent,
    /// Read-only, with unknown content.
    Foreign,
}

/// A ConfigMap or Secret in a volume.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) is_secret: bool,
    pub(super) name: &'a str,
    pub(super) place: Place,
    pub(super) is_optional: bool,
    /// The mounted keys and their paths; `None` if every key is mounted at its own name.
    pub(super) items: Option<&'a [Node]>,
    /// The node with the default mode of the files.
    mode: Option<&'a Node>,
}

/// The result of looking up a path in a volume.
#[derive(Debug)]
pub(super) enum Found<'a, 'b> {
    /// A key of an object in the manifests.
    Key { map: &'b Map<'a>, key: &'a str, source: &'b Source<'a>, mode: Option<&'a Node> },
    /// A key of an object that is not in the manifests; it may exist.
    Elsewhere { source: &'b Source<'a>, key: String },
    /// No known file.
    Nothing,
}

impl<'a> Volume<'a> {
    /// Returns the volume of this name, from the pod's volumes or claim templates.
    pub(super) fn of(container: &Container<'a>, name: &str) -> Option<Self> {
        let has_name = |node: &&Node| node.text_of("name") == Some(name);
        if let Some(node) = container.pod.at(&["volumes"]).items().iter().find(has_name) {
            return Some(Self::read(node));
        }
        let claims = container.object.node.at(&["spec", "volumeClaimTemplates"]).items();
        let has_claim = claims.iter().any(|claim| claim.at(&["metadata"]).text_of("name") == Some(name));
        has_claim.then_some(Self::Persistent)
    }

    fn read(node: &'a Node) -> Self {
        if let Some(map) = node.get("configMap") {
            return Self::Files {
                sources: vec![Source::read(map, false, "name", map.get("defaultMode"))],
                has_others: false,
            };
        }
        if let Some(secret) = node.get("secret") {
            let source = Source::read(secret, true, "secretName", secret.get("defaultMode"));
            return Self::Files { sources: vec![source], has_others: false };
        }
        if let Some(projected) = node.get("projected") {
            let mode = projected.get("defaultMode");
            let parts = projected.at(&["sources"]).items();
            let sources = parts.iter().filter_map(|part| {
                let map = part.get("configMap").map(|map| Source::read(map, false, "name", mode));
                map.or_else(|| part.get("secret").map(|secret| Source::read(secret, true, "name", mode)))
            });
            let sources: Vec<Source<'a>> = sources.collect();
            return Self::Files { has_others: sources.len() < parts.len(), sources };
        }
        let has = |kinds: &[&str]| kinds.iter().any(|kind| node.member(kind).is_some());
        if has(&["persistentVolumeClaim", "hostPath", "nfs", "iscsi", "fc", "rbd", "cephfs"]) {
            Self::Persistent
        } else if has(&["image", "downwardAPI", "csi"]) {
            Self::Foreign
        } else {
            // `emptyDir`, `ephemeral`, or no type, which means `emptyDir`.
            Self::Scratch
        }
    }

    /// Looks up a relative path. If several sources have it, the last one wins.
    pub(super) fn find<'b>(&'b self, path: &str, object: &Object<'_>, maps: &'b [Map<'a>]) -> Found<'a, 'b> {
        let Self::Files { sources, .. } = self else { return Found::Nothing };
        let mut found = Found::Nothing;
        for source in sources {
            let (key, mode) = match source.items {
                None => (path.to_owned(), source.mode),
                Some(items) => {
                    let item =
                        items.iter().find(|item| item.text_of("path").is_some_and(|to| same(to, path)));
                    let Some(item) = item else { continue };
                    (item.text_of("key").unwrap_or_default().to_owned(), item.get("mode").or(source.mode))
                }
            };
            match source.map(object, maps) {
                Some(map) => {
                    if let Some(entry) = map.entry(&key) {
                        found = Found::Key { map, key: entry.key, source, mode };
                    }
                }
                None if !key.contains('/') => found = Found::Elsewhere { source, key },
                None => {}
            }
        }
        found
    }
}

impl<'a> Source<'a> {
    fn read(node: &'a Node, is_secret: bool, name: &str, mode: Option<&'a Node>) -> Self {
        let named = node.get(name);
        Self {
            is_secret,
            name: named.and_then(Node::text).unwrap_or_default(),
            place: named.map_or(node.place, |name| name.place),
            is_optional: node.is("optional"),
            items: node.get("items").map(Node::items),
            mode,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.is_secret { "Secret" } else { "ConfigMap" }
    }

    /// Returns the ConfigMap or Secret, if it is in the manifests.
    pub(super) fn map<'b>(&self, object: &Object<'_>, maps: &'b [Map<'a>]) -> Option<&'b Map<'a>> {
        find(self.is_secret, self.name, object, maps)
    }
}

/// Returns the ConfigMap or Secret of this name in the namespace of `object`.
pub(super) fn find<'a, 'b>(
    is_secret: bool,
    name: &str,
    object: &Object<'_>,
    maps: &'b [Map<'a>],
) -> Option<&'b Map<'a>> {
    let is_it = |map: &&Map<'_>| map.is_secret == is_secret && map.object.name == name;
    maps.iter().find(|map| is_it(map) && map.object.is_beside(object))
}

fn same(one: &str, other: &str) -> bool {
    one.trim_start_matches("./") == other
}

/// Parses a file mode as Kubernetes does, in YAML 1.1, where a leading 0 means octal.
pub(super) fn mode(node: &Node, text: &str) -> Option<u32> {
    let NodeKind::Plain(_) = node.kind else { return None };
    let text = text.get(node.defined.start..node.defined.end)?.trim();
    match text.strip_prefix("0o").or_else(|| text.strip_prefix('0').filter(|rest| !rest.is_empty())) {
        Some(octal) => u32::from_str_radix(octal, 8).ok(),
        None => text.parse().ok(),
    }
}
