//! The volume mounts of a container, and the lookup of a path in them.

use std::collections::BTreeSet;

use super::choose_containers::Container;
use super::finding::{CheckReport, CheckRule, printable_text};
use super::parsed_config_object::ParsedConfigObject;
use super::parsed_volume::{FileLookup, ParsedVolume};
use crate::yaml::{Node, Span};
use coracle_core::path::ImagePath;

/// A volume mounted at a path of a container.
#[derive(Debug)]
pub(super) struct ContainerMount<'a> {
    pub(super) path: ImagePath,
    pub(super) path_span: Span,
    pub(super) sub_path: Option<&'a Node>,
    pub(super) is_read_only: bool,
    pub(super) volume: ParsedVolume<'a>,
    /// `true` if `subPathExpr` is used, whose variables are unknown here.
    pub(super) has_path_variables: bool,
}

/// Returns the mounts of a container; adds those that Kubernetes rejects to `report`.
pub(super) fn container_mounts<'a>(
    container: &Container<'a>,
    report: &mut CheckReport,
) -> Vec<ContainerMount<'a>> {
    let mut mounts: Vec<ContainerMount<'a>> = Vec::new();
    report_duplicate_volumes(container, report);
    for node in container.node.at_path(&["volumeMounts"]).items() {
        let Some(at) = node.get("mountPath") else {
            report.findings.push(container.finding(
                CheckRule::InvalidMount,
                node.span,
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
            let message = format!("`{}` is not a valid mount path", printable_text(text));
            report.findings.push(container.finding(CheckRule::InvalidMount, at.span, message));
            continue;
        };
        if mounts.iter().any(|mount| mount.path == path) {
            let message = format!("two volumes are mounted at `{path}`, which Kubernetes rejects");
            report.findings.push(container.finding(CheckRule::InvalidMount, at.span, message));
            continue;
        }
        let name = node.text_of("name").unwrap_or_default();
        let Some(volume) = ParsedVolume::find_by_name(container, name) else {
            let span = node.get("name").map_or(node.span, |name| name.span);
            let message = format!("the pod has no volume `{}`", printable_text(name));
            report.findings.push(container.finding(CheckRule::InvalidMount, span, message));
            continue;
        };
        mounts.push(ContainerMount {
            path,
            path_span: at.span,
            sub_path: node.get("subPath").filter(|path| path.text() != Some("")),
            is_read_only: node.is_true("readOnly")
                || matches!(volume, ParsedVolume::Files { .. } | ParsedVolume::Opaque),
            volume,
            has_path_variables: node.get("subPathExpr").is_some(),
        });
    }
    mounts
}

/// Reports volumes whose name an earlier one has.
fn report_duplicate_volumes(container: &Container<'_>, report: &mut CheckReport) {
    let mut names = BTreeSet::new();
    for volume in container.pod.at_path(&["volumes"]).items() {
        let Some(name) = volume.get("name") else { continue };
        if !names.insert(name.text().unwrap_or_default()) {
            let shown = printable_text(name.text().unwrap_or_default());
            let message = format!("two volumes have the name `{shown}`, which Kubernetes rejects");
            report.findings.push(container.finding(CheckRule::InvalidMount, name.span, message));
        }
    }
}

impl<'a> ContainerMount<'a> {
    /// Returns the content of the volume at `path`, which is within this mount.
    pub(super) fn look_up<'b>(
        &'b self,
        path: &ImagePath,
        container: &Container<'a>,
        config_objects: &'b [ParsedConfigObject<'a>],
    ) -> FileLookup<'a, 'b> {
        let rest: Vec<String> = path
            .strip_prefix(&self.path)
            .into_iter()
            .flatten()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        let sub_path = self.sub_path.and_then(Node::text).map(|path| path.trim_matches('/').to_owned());
        let names: Vec<String> = sub_path.into_iter().chain(rest).collect();
        self.volume.look_up(&names.join("/"), &container.object, config_objects)
    }

    /// Returns whether a single file is mounted.
    pub(super) fn is_single_file(
        &self,
        container: &Container<'a>,
        config_objects: &[ParsedConfigObject<'a>],
    ) -> bool {
        self.sub_path.is_some()
            && !matches!(self.look_up(&self.path, container, config_objects), FileLookup::NotFound)
    }
}

/// Returns the innermost mount that contains `path`.
pub(super) fn innermost_mount<'a, 'b>(
    mounts: &'b [ContainerMount<'a>],
    path: &ImagePath,
) -> Option<&'b ContainerMount<'a>> {
    mounts
        .iter()
        .filter(|mount| path.is_within(&mount.path))
        .max_by_key(|mount| mount.path.components().count())
}
