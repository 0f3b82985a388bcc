//! Finds the containers of the image: by digest, by name, or by `coracle://NAME`; else the only
//! container.

use super::container::Container;
use super::expectations::Expectations;
use super::finding::{CheckFinding, CheckReport, CheckRule};
use super::image_name::{IMAGE_SCHEME, ImageName, is_in_repository};
use super::manifest_object::ManifestFile;

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
                ImageName::split(image)
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
        if let Some(other) = ImageName::split(container.image())
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
