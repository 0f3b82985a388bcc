//! Containers of every kind of workload, and the choice of those that run the image: by digest, by
//! name, or by `coracle://NAME`; else the only container.

use super::expectations::Expectations;
use super::finding::{CheckFinding, CheckReport, CheckRule};
use super::manifest_object::{ManifestFile, ManifestObject};
use super::match_image_names::{IMAGE_SCHEME, ImageNameParts, is_in_repository};
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

/// Returns the containers of the image; adds a finding if there is none.
pub(super) fn choose_containers<'a>(
    containers: &[Container<'a>],
    expected: &Expectations<'_>,
    inputs: &[ManifestFile],
    report: &mut CheckReport,
) -> Vec<Container<'a>> {
    let with_image = |is_wanted: &dyn Fn(&str) -> bool| -> Vec<Container<'a>> {
        containers.iter().copied().filter(|container| is_wanted(container.image())).collect()
    };
    let chosen = match &expected.container_name {
        Some(name) => containers.iter().copied().filter(|container| container.name() == name).collect(),
        None => {
            let has_digest = |image: &str| {
                ImageNameParts::split(image)
                    .digest
                    .is_some_and(|digest| expected.digests.contains(&digest.to_owned()))
            };
            // The first criterion that any container meets decides.
            let criteria: [&dyn Fn(&str) -> bool; 3] = [
                &has_digest,
                &|image| expected.names.iter().any(|name| is_in_repository(image, name)),
                &|image| image.starts_with(IMAGE_SCHEME),
            ];
            let matching = criteria.iter().map(|is_wanted| with_image(is_wanted));
            matching
                .into_iter()
                .find(|found| !found.is_empty())
                .unwrap_or_else(|| if containers.len() == 1 { containers.to_vec() } else { Vec::new() })
        }
    };
    // A file with a YAML error may have the container.
    let is_incomplete = report.findings.iter().any(|finding| finding.rule == CheckRule::InvalidYaml);
    if chosen.is_empty() && !(is_incomplete && containers.is_empty()) {
        report.findings.push(no_container_finding(containers, expected, inputs));
    }
    for container in &chosen {
        if let Some(other) = ImageNameParts::split(container.image())
            .digest
            .filter(|digest| !expected.digests.contains(&(*digest).to_owned()))
            && !expected.digests.is_empty()
        {
            let span = container.node.at_path(&["image"]).span;
            let message = format!("the container has another image, `{other}`");
            report.notes.push(container.finding(CheckRule::OtherImage, span, message));
        }
    }
    chosen
}

/// Returns the finding that no container has the image.
fn no_container_finding(
    containers: &[Container<'_>],
    expected: &Expectations<'_>,
    inputs: &[ManifestFile],
) -> CheckFinding {
    let known: Vec<String> = containers.iter().take(10).map(|found| format!("`{}`", found.name())).collect();
    let message = match (&expected.container_name, known.is_empty()) {
        (_, true) => "no workload found".to_owned(),
        (Some(name), false) => {
            format!("no container is named `{name}`; the containers are {}", known.join(", "))
        }
        (None, false) => {
            format!("no container has this image; choose one with `--container`: {}", known.join(", "))
        }
    };
    let file = match inputs {
        [only] => only.name.clone(),
        _ => "the manifests".to_owned(),
    };
    // Point at the first workload, if any.
    match containers.first() {
        Some(first) => first.object.finding(CheckRule::ContainerNotFound, first.object.node.span, message),
        None => CheckFinding::for_file(file, CheckRule::ContainerNotFound, message),
    }
}
