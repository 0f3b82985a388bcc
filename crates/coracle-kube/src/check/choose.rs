//! Which containers have the image: by its digest, by its name, by `coracle://NAME`; else the only one there is.

use super::Expected;
use super::finding::{Finding, Report, Rule};
use super::objects::Input;
use super::workload::Container;
use coracle_core::reference::familiar;

/// How names stand in manifests that are not resolved yet.
pub const SCHEME: &str = "coracle://";

/// The containers that have the image; when there is none, that is the finding.
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
    // Where a text can't be read, nobody knows what is in it.
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
            let message = format!("it has the image `{other}`, not this one");
            report.notes.push(container.finding(Rule::OtherImage, place, message));
        }
    }
    chosen
}

/// What stands behind `@`.
fn digest(image: &str) -> Option<&str> {
    image.split_once('@').map(|(_, digest)| digest)
}

/// Whether `image` is of the repository `name`, which is a full name, whatever the tag; `coracle://` names its last part.
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

/// A name without digest and tag, as people write it.
pub(super) fn repository(image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let slash = name.rfind('/').map_or(0, |slash| slash + 1);
    let colon = name.get(slash..).and_then(|last| last.find(':'));
    familiar(name.get(..colon.map_or(name.len(), |colon| slash + colon)).unwrap_or(name)).to_owned()
}

fn nobody(containers: &[Container<'_>], expected: &Expected<'_>, inputs: &[Input]) -> Finding {
    let known: Vec<String> = containers.iter().take(10).map(|found| format!("`{}`", found.name())).collect();
    let message = match (&expected.container, known.is_empty()) {
        (_, true) => "there is no workload in these manifests".to_owned(),
        (Some(name), false) => format!("no container is called `{name}`; there is {}", known.join(", ")),
        (None, false) => format!(
            "none of the containers has this image ({}): say which with `--container`",
            known.join(", ")
        ),
    };
    let file = match inputs {
        [only] => only.name.clone(),
        _ => "the manifests".to_owned(),
    };
    // With containers there is a place to look at.
    match containers.first() {
        Some(first) => first.object.finding(Rule::NoContainer, first.object.node.place, message),
        None => Finding::about(file, Rule::NoContainer, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_of_a_repository_whatever_its_tag() {
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
