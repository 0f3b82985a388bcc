//! Volumes: which key of which ConfigMap or Secret is at a path.

use super::choose_containers::Container;
use super::manifest_object::ManifestObject;
use super::parsed_config_object::ParsedConfigObject;
use crate::kubernetes_limits::MountedContent;
use crate::yaml::{Node, NodeKind, Span};

/// The content of a volume.
#[derive(Debug)]
pub(super) enum ParsedVolume<'a> {
    /// Files of ConfigMaps and Secrets; read-only. `has_others`: with further parts, such as a
    /// token.
    Files { sources: Vec<ReferencedObject<'a>>, has_others: bool },
    /// A directory that is deleted with the pod.
    Ephemeral,
    /// A directory that outlives the pod.
    Persistent,
    /// Read-only, with unknown content.
    Opaque,
}

/// A ConfigMap or Secret in a volume.
#[derive(Debug)]
pub(super) struct ReferencedObject<'a> {
    pub(super) is_secret: bool,
    pub(super) name: &'a str,
    pub(super) name_span: Span,
    pub(super) is_optional: bool,
    /// The mounted keys and their paths; `None` if every key is mounted at its own name.
    pub(super) items: Option<&'a [Node]>,
    /// The node with the default mode of the files.
    mode: Option<&'a Node>,
}

/// The result of looking up a path in a volume.
#[derive(Debug)]
pub(super) enum FileLookup<'a, 'b> {
    /// A key of an object in the manifests.
    Key {
        config_object: &'b ParsedConfigObject<'a>,
        key: &'a str,
        source: &'b ReferencedObject<'a>,
        mode: Option<&'a Node>,
    },
    /// A key of an object that is not in the manifests; it may exist.
    OutsideManifests { source: &'b ReferencedObject<'a>, key: String, mode: Option<&'a Node> },
    /// No known file.
    NotFound,
}

impl<'a> ParsedVolume<'a> {
    /// Returns the volume of this name, from the pod's volumes or claim templates.
    pub(super) fn find_by_name(container: &Container<'a>, name: &str) -> Option<Self> {
        let has_name = |node: &&Node| node.text_of("name") == Some(name);
        if let Some(node) = container.pod.at_path(&["volumes"]).items().iter().find(has_name) {
            return Some(Self::parse(node));
        }
        let claims = container.object.node.at_path(&["spec", "volumeClaimTemplates"]).items();
        let has_claim = claims.iter().any(|claim| claim.at_path(&["metadata"]).text_of("name") == Some(name));
        has_claim.then_some(Self::Persistent)
    }

    fn parse(node: &'a Node) -> Self {
        if let Some(config_object) = node.get("configMap") {
            return Self::Files {
                sources: vec![ReferencedObject::read(
                    config_object,
                    false,
                    "name",
                    config_object.get("defaultMode"),
                )],
                has_others: false,
            };
        }
        if let Some(secret) = node.get("secret") {
            let source = ReferencedObject::read(secret, true, "secretName", secret.get("defaultMode"));
            return Self::Files { sources: vec![source], has_others: false };
        }
        if let Some(projected) = node.get("projected") {
            let mode = projected.get("defaultMode");
            let parts = projected.at_path(&["sources"]).items();
            let sources = parts.iter().filter_map(|part| {
                let config_object = part
                    .get("configMap")
                    .map(|config_object| ReferencedObject::read(config_object, false, "name", mode));
                config_object.or_else(|| {
                    part.get("secret").map(|secret| ReferencedObject::read(secret, true, "name", mode))
                })
            });
            let sources: Vec<ReferencedObject<'a>> = sources.collect();
            return Self::Files { has_others: sources.len() < parts.len(), sources };
        }
        let has = |kinds: &[&str]| kinds.iter().any(|kind| node.entry(kind).is_some());
        if has(&["persistentVolumeClaim", "hostPath", "nfs", "iscsi", "fc", "rbd", "cephfs"]) {
            Self::Persistent
        } else if has(&["image", "downwardAPI", "csi"]) {
            Self::Opaque
        } else {
            // `emptyDir`, `ephemeral`, or no type, which means `emptyDir`.
            Self::Ephemeral
        }
    }

    /// Returns the kind of content that is mounted, which decides at which paths a mount is rejected.
    pub(super) fn mounted_content(&self) -> MountedContent {
        match self {
            Self::Files { .. } => MountedContent::Files,
            Self::Ephemeral => MountedContent::Writable,
            Self::Persistent | Self::Opaque => MountedContent::External,
        }
    }

    /// Looks up a relative path. If several sources have it, the last one wins.
    pub(super) fn look_up<'b>(
        &'b self,
        path: &str,
        object: &ManifestObject<'_>,
        config_objects: &'b [ParsedConfigObject<'a>],
    ) -> FileLookup<'a, 'b> {
        let Self::Files { sources, .. } = self else { return FileLookup::NotFound };
        let mut found = FileLookup::NotFound;
        for source in sources {
            let (key, mode) = match source.items {
                None => (path.to_owned(), source.mode),
                Some(items) => {
                    let item = items
                        .iter()
                        .find(|item| item.text_of("path").is_some_and(|to| is_same_path(to, path)));
                    let Some(item) = item else { continue };
                    (item.text_of("key").unwrap_or_default().to_owned(), item.get("mode").or(source.mode))
                }
            };
            match source.find_object(object, config_objects) {
                Some(config_object) => {
                    if let Some(entry) = config_object.entry(&key) {
                        found = FileLookup::Key { config_object, key: entry.key, source, mode };
                    }
                }
                None if !key.contains('/') => found = FileLookup::OutsideManifests { source, key, mode },
                None => {}
            }
        }
        found
    }
}

impl<'a> ReferencedObject<'a> {
    fn read(node: &'a Node, is_secret: bool, name: &str, mode: Option<&'a Node>) -> Self {
        let named = node.get(name);
        Self {
            is_secret,
            name: named.and_then(Node::text).unwrap_or_default(),
            name_span: named.map_or(node.span, |name| name.span),
            is_optional: node.is_true("optional"),
            items: node.get("items").map(Node::items),
            mode,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.is_secret { "Secret" } else { "ConfigMap" }
    }

    /// Returns the ConfigMap or Secret, if it is in the manifests.
    pub(super) fn find_object<'b>(
        &self,
        object: &ManifestObject<'_>,
        config_objects: &'b [ParsedConfigObject<'a>],
    ) -> Option<&'b ParsedConfigObject<'a>> {
        find_config_object(self.is_secret, self.name, object, config_objects)
    }
}

/// Returns the ConfigMap or Secret of this name in the namespace of `object`.
pub(super) fn find_config_object<'a, 'b>(
    is_secret: bool,
    name: &str,
    object: &ManifestObject<'_>,
    config_objects: &'b [ParsedConfigObject<'a>],
) -> Option<&'b ParsedConfigObject<'a>> {
    let is_wanted = |config_object: &&ParsedConfigObject<'_>| {
        config_object.is_secret == is_secret && config_object.object.name == name
    };
    config_objects
        .iter()
        .find(|config_object| is_wanted(config_object) && config_object.object.can_share_namespace(object))
}

fn is_same_path(written: &str, normalized: &str) -> bool {
    written.trim_start_matches("./") == normalized
}

/// Parses a file mode as Kubernetes does, in YAML 1.1, where a leading 0 means octal.
pub(super) fn parse_mode(node: &Node, text: &str) -> Option<u32> {
    let NodeKind::Scalar(_) = node.kind else { return None };
    let text = text.get(node.defined_span.start..node.defined_span.end)?.trim();
    match text.strip_prefix("0o").or_else(|| text.strip_prefix('0').filter(|rest| !rest.is_empty())) {
        Some(octal) => u32::from_str_radix(octal, 8).ok(),
        None => text.parse().ok(),
    }
}
