//! Finds the containers of the image: by digest, by name, or by `coracle://NAME`; else the only
//! container.

use super::Expectations;
use super::containers::Container;
use super::finding::{CheckFinding, CheckReport, CheckRule};
use super::objects::ManifestFile;
use coracle_core::reference::familiar_name;

/// The scheme of image names in manifests that are not resolved yet.
pub const IMAGE_SCHEME: &str = "coracle://";

/// Returns the containers of the image; adds a finding if there is none.
pub(super) fn choose_containers<'a>(
    containers: &[Container<'a>],
    expected: &Expectations<'_>,
    inputs: &[ManifestFile],
    report: &mut CheckReport,
) -> Vec<Container<'a>> {
    let named =
        |name: &str| containers.iter().copied().filter(|found| found.name() == name).collect::<Vec<_>>();
    let by = |test: &dyn Fn(&str) -> bool| -> Vec<Container<'a>> {
        containers.iter().copied().filter(|found| test(found.image())).collect()
    };
    let chosen = match &expected.container_name {
        Some(name) => named(name),
        None => {
            let has_digest = |image: &str| {
                image_digest(image).is_some_and(|digest| expected.digests.contains(&digest.to_owned()))
            };
            let steps: [&dyn Fn(&str) -> bool; 3] = [
                &has_digest,
                &|image| expected.names.iter().any(|name| is_in_repository(image, name)),
                &|image| image.starts_with(IMAGE_SCHEME),
            ];
            let found = steps.iter().map(|test| by(test)).find(|found| !found.is_empty());
            found.unwrap_or_else(|| if containers.len() == 1 { containers.to_vec() } else { Vec::new() })
        }
    };
    // A file with a YAML error may have the container.
    let is_unread = report.findings.iter().any(|finding| finding.rule == CheckRule::InvalidYaml);
    if chosen.is_empty() && !(is_unread && containers.is_empty()) {
        report.findings.push(no_container_finding(containers, expected, inputs));
    }
    for container in &chosen {
        if let Some(other) =
            image_digest(container.image()).filter(|digest| !expected.digests.contains(&(*digest).to_owned()))
            && !expected.digests.is_empty()
        {
            let place = container.node.at_path(&["image"]).span;
            let message = format!("the container has another image, `{other}`");
            report.notes.push(container.finding(CheckRule::OtherImage, place, message));
        }
    }
    chosen
}

/// Returns the part after `@`.
fn image_digest(image: &str) -> Option<&str> {
    image.split_once('@').map(|(_, digest)| digest)
}

/// Returns whether `image` is in the repository of the full name `name`, with any tag. After
/// `coracle://`, the last part of the name suffices.
fn is_in_repository(image: &str, name: &str) -> bool {
    let repository = repository_name(name);
    match image.strip_prefix(IMAGE_SCHEME) {
        Some(short) => {
            let short = self::repository_name(short);
            short == repository || repository.rsplit('/').next() == Some(short.as_str())
        }
        None => self::repository_name(image) == repository,
    }
}

/// Returns a name without digest and tag, in its short form.
pub(super) fn repository_name(image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let slash = name.rfind('/').map_or(0, |slash| slash + 1);
    let colon = name.get(slash..).and_then(|last| last.find(':'));
    familiar_name(name.get(..colon.map_or(name.len(), |colon| slash + colon)).unwrap_or(name)).to_owned()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_repositories_with_any_tag() {
        for (image, name, expected) in [
            ("shop", "docker.io/library/shop:latest", true),
            ("docker.io/library/shop:1@sha256:ab", "docker.io/library/shop:latest", true),
            ("coracle://shop", "ghcr.io/acme/shop:1", true),
            ("coracle://ghcr.io/acme/shop", "ghcr.io/acme/shop:1", true),
            ("localhost:5000/shop", "localhost:5000/shop:2", true),
            ("ghcr.io/acme/shop2", "ghcr.io/acme/shop:1", false),
            ("shop", "ghcr.io/acme/shop:1", false),
        ] {
            assert_eq!(is_in_repository(image, name), expected, "{image}");
        }
    }
}
