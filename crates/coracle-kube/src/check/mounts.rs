//! The volume mounts of a container, and the lookup of a path in them.

use super::finding::{Report, Rule};
use super::map::{Map, shown};
use super::volume::{Found, Volume};
use super::workload::Container;
use coracle_core::path::ImagePath;
use crate::yaml::{Node, Place};

/// A volume mounted at a path of a container.
#[derive(Debug)]
pub(super) struct Mount<'a> {
    pub(super) path: ImagePath,
    pub(super) place: Place,
    pub(super) sub_path: Option<&'a Node>,
    pub(super) is_read_only: bool,
    pub(super) volume: Volume<'a>,
    /// Whether `subPathExpr` is used, whose variables are unknown here.
    pub(super) is_computed: bool,
}

/// Returns the mounts of a container; adds those that Kubernetes rejects to `report`.
pub(super) fn mounts<'a>(container: &Container<'a>, report: &mut Report) -> Vec<Mount<'a>> {
    let mut mounts: Vec<Mount<'a>> = Vec::new();
    for node in container.node.at(&["volumeMounts"]).items() {
        let Some(at) = node.get("mountPath") else {
            report.findings.push(container.finding(
                Rule::BadMount,
                node.place,
                "the mount has no `mountPath`".into(),
            ));
            continue;
        };
        let text = at.text().unwrap_or_default();
        let absolute = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
        let Ok(path) = absolute.trim_end_matches('/').parse::<ImagePath>().or_else(|_| {
            match absolute.trim_end_matches('/') {
                "" => Ok(ImagePath::root()),
                path => path.parse(),
            }
        }) else {
            let message = format!("`{}` is not a valid mount path", shown(text));
            report.findings.push(container.finding(Rule::BadMount, at.place, message));
            continue;
        };
        if mounts.iter().any(|mount| mount.path == path) {
            let message = format!("two volumes are mounted at `{path}`, which Kubernetes rejects");
            report.findings.push(container.finding(Rule::BadMount, at.place, message));
            continue;
        }
        let name = node.text_of("name").unwrap_or_default();
        let Some(volume) = Volume::of(container, name) else {
            let place = node.get("name").map_or(node.place, |name| name.place);
            let message = format!("the pod has no volume `{}`", shown(name));
            report.findings.push(container.finding(Rule::BadMount, place, message));
            continue;
        };
        mounts.push(Mount {
            path,
            place: at.place,
            sub_path: node.get("subPath").filter(|path| path.text() != Some("")),
            is_read_only: node.is("readOnly") || matches!(volume, Volume::Files { .. } | Volume::Foreign),
            volume,
            is_computed: node.get("subPathExpr").is_some(),
        });
    }
    mounts
}

impl<'a> Mount<'a> {
    /// Returns the content of the volume at `path`, which is within this mount.
    pub(super) fn find<'b>(
        &'b self,
        path: &ImagePath,
        container: &Container<'a>,
        maps: &'b [Map<'a>],
    ) -> Found<'a, 'b> {
        let rest: Vec<String> = path
            .strip_prefix(&self.path)
            .into_iter()
            .flatten()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        let sub_path = self.sub_path.and_then(Node::text).map(|path| path.trim_matches('/').to_owned());
        let names: Vec<String> = sub_path.into_iter().chain(rest).collect();
        self.volume.find(&names.join("/"), &container.object, maps)
    }

    /// Returns whether a single file is mounted.
    pub(super) fn is_file(&self, container: &Container<'a>, maps: &[Map<'a>]) -> bool {
        self.sub_path.is_some() && !matches!(self.find(&self.path, container, maps), Found::Nothing)
    }
}

/// Returns the innermost mount that contains `path`.
pub(super) fn covering<'a, 'b>(mounts: &'b [Mount<'a>], path: &ImagePath) -> Option<&'b Mount<'a>> {
    mounts.iter().filter(|mount| path.is_within(&mount.path)).max_by_key(|mount| mount.path.names().count())
}
