//! Finds the containers of the image: by digest, by name, or by `coracle://NAME`; else the only
//! container.

use super::Expected;
use super::finding::{Finding, Report, Rule};
use super::objects::Input;
use super::workload::Container;
use coracle_core::reference::familiar;

/// The scheme of image names in manifests that are not resolved yet.
pub const SCHEME: &str = "coracle://";

/// Returns the containers of the image; adds a finding if there is none.
pub(super) fn choose<'a>(
    containers: &[Container<'a>],
    expected: &Expected<'_>,
    inputs: &[Input],
    report: &mut Report,
) -> Vec<Container<'a>> {
    let named =
        |name: &str| containers.iter().copied().filter(|found| found.name() == name).collect::<Vec<_>>();
    let by = |test: &dyn Fn(&str) -> bool| -> Vec<Container<'a>> {
        containers.iter().copied().filter(|found| test(found.image())).collect()
    };
    let chosen = match &expected.container {
        Some(name) => named(name),
        None => {
            let has_digest = |image: &str| {
                digest(image).is_some_and(|digest| expected.digests.contains(&digest.to_owned()))
            };
            let steps: [&dyn Fn(&str) -> bool; 3] =
                [&has_digest, &|image| expected.names.iter().any(|name| is_of(image, name)), &|image| {
                    image.starts_with(SCHEME)
                }];
            let found = steps.iter().map(|test| by(test)).find(|found| !found.is_empty());
            found.unwrap_or_else(|| if containers.len() == 1 { containers.to_vec() } else { Vec::new() })
        }
    };
    // A file with a YAML error may have the container.
    let is_unread = report.findings.iter().any(|finding| finding.rule == Rule::Yaml);
    if chosen.is_empty() && !(is_unread && containers.is_empty()) {
        report.findings.push(nobody(containers, expected, inputs));
    }
    for container in &chosen {
        if let Some(other) =
            digest(container.image()).filter(|digest| !expected.digests.contains(&(*digest).to_owned()))
            && !expected.digests.is_empty()
        {
            let place = container.node.at(&["image"]).place;
            let message = format!("the container has another image, `{other}`");
            report.notes.push(container.finding(Rule::OtherImage, place, message));
        }
    }
    chosen
}

/// Returns the part after `@`.
fn digest(image: &str) -> Option<&str> {
    image.split_once('@').map(|(_, digest)| digest)
}

/// Returns whether `image` is in the repository of the full name `name`, with any tag. After
/// `coracle://`, the last part of the name suffices.
fn is_of(image: &str, name: &str) -> bool {
    let repository = repository(name);
    match image.strip_prefix(SCHEME) {
        Some(short) => {
            let short = self::repository(short);
            short == repository || repository.rsplit('/').next() == Some(short.as_str())
        }
        None => self::repository(image) == repository,
    }
}

/// Returns a name without digest and tag, in its short form.
pub(super) fn repository(image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let slash = name.rfind('/').map_or(0, |slash| slash + 1);
    let colon = name.get(slash..).and_then(|last| last.find(':'));
    familiar(name.get(..colon.map_or(name.len(), |colon| slash + colon)).unwrap_or(name)).to_owned()
}

fn nobody(containers: &[Container<'_>], expected: &Expected<'_>, inputs: &[Input]) -> Finding {
    let known: Vec<String> = containers.iter().take(10).map(|found| format!("`{}`", found.name())).collect();
    let message = match (&expected.container, known.is_empty()) {
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
        Some(first) => first.object.finding(Rule::NoContainer, first.object.node.place, message),
        None => Finding::about(file, Rule::NoContainer, message),
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
            assert_eq!(is_of(image, name), expected, "{image}");
        }
    }
}
