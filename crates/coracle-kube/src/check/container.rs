//! Containers of every kind of workload.

use super::finding::{CheckFinding, CheckRule};
use super::manifest_object::ManifestObject;
use crate::yaml::{Node, Span};

/// A container with its pod and object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Container<'a> {
    pub(super) object: ManifestObject<'a>,
    /// The `spec` of its pod.
    pub(super) pod: &'a Node,
    pub(super) node: &'a Node,
}

/// Returns every container of an object, including init containers.
pub(super) fn containers_of<'a>(object: &ManifestObject<'a>) -> Vec<Container<'a>> {
    let path: &[&str] = match object.kind {
        "Pod" => &["spec"],
        "PodTemplate" => &["template", "spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" => {
            &["spec", "template", "spec"]
        }
        _ => return Vec::new(),
    };
    let pod = object.node.at_path(path);
    let lists = ["containers", "initContainers"].into_iter().flat_map(|list| pod.at_path(&[list]).items());
    lists.map(|node| Container { object: *object, pod, node }).collect()
}

impl<'a> Container<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.node.text_of("name").unwrap_or_default()
    }

    pub(super) fn image(&self) -> &'a str {
        self.node.text_of("image").unwrap_or_default()
    }

    /// Returns the position of the container's name.
    pub(super) fn name_span(&self) -> Span {
        self.node.get("name").map_or(self.node.span, |name| name.span)
    }

    pub(super) fn title(&self) -> String {
        format!("{}, container `{}`", self.object.title(), self.name())
    }

    /// Returns a finding about this container.
    pub(super) fn finding(&self, rule: CheckRule, span: Span, message: String) -> CheckFinding {
        CheckFinding { container: Some(self.name().to_owned()), ..self.object.finding(rule, span, message) }
    }

    /// Returns a field of the container's security context, else of the pod's.
    pub(super) fn security_field(&self, field: &str) -> Option<&'a Node> {
        let own = self.node.at_path(&["securityContext"]).get(field);
        own.or_else(|| self.pod.at_path(&["securityContext"]).get(field))
    }
}
