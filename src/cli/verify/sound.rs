//! Checks that an image works by itself: its programs find their loader and libraries in it, its contract
//! can be read, and its layers delete nothing that is not there.

use std::collections::BTreeSet;
use std::path::Path;

use coracle_core::path::ImagePath;
use coracle_core::progress::Progress;
use coracle_inspect::{DependencyGraph, ImageContents, ReadDepth, RunConfigReport};
use coracle_kube::contract::{CONTRACT_LABEL, Contract};
use coracle_oci::layout::{ParsedImage, ParsedPlatform, UnpackedLayer};

use super::report::CheckReport;
use crate::cli::error::CliError;

/// The prefix of whiteouts, and the name that hides all of a directory. Source: image-spec, `layer.md`.
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Checks the image of each platform.
pub(super) fn check(
    image: &ParsedImage,
    temp_dir: &Path,
    progress: &dyn Progress,
) -> Result<CheckReport, CliError> {
    let mut findings = Vec::new();
    for platform in &image.images {
        let contents = ImageContents::read(
            image,
            platform,
            ReadDepth { contents: true, digests: false },
            temp_dir,
            progress,
        )
        .map_err(coracle::Error::from)?;
        let found = check_platform(platform, &contents);
        // With a single platform, its name says nothing.
        let prefix = if image.images.len() > 1 { format!("{}: ", platform.platform) } else { String::new() };
        findings.extend(found.into_iter().map(|finding| format!("{prefix}{finding}")));
    }
    if image.images.is_empty() {
        findings.push("it contains no image".into());
    }
    Ok(CheckReport::new("sound", findings))
}

fn check_platform(platform: &ParsedPlatform, contents: &ImageContents) -> Vec<String> {
    let mut findings: Vec<String> = contents
        .unpacked
        .layers
        .iter()
        .enumerate()
        .filter_map(|(index, layer)| Some(format!("layer {}: {}", index + 1, layer.problem.as_ref()?.why)))
        .collect();
    findings.extend(whiteout_findings(&contents.unpacked.layers));
    let config = RunConfigReport::new(&platform.config);
    // What is missing from a layer that cannot be read says nothing about the image.
    if findings.is_empty() {
        findings.extend(loader_findings(contents, &config));
    }
    if let Some(label) = config.labels.get(CONTRACT_LABEL)
        && let Err(error) = Contract::parse(label)
    {
        findings.push(format!("its contract can't be read: {error}"));
    }
    findings
}

/// Returns the libraries that the loader would not find, and an entrypoint that does not exist.
fn loader_findings(contents: &ImageContents, config: &RunConfigReport) -> Vec<String> {
    let file_system = &contents.unpacked.file_system;
    let graph = DependencyGraph::resolve(file_system, config);
    let mut findings: Vec<String> = graph
        .missing
        .iter()
        .filter_map(|(index, name)| {
            Some(format!("`{}` needs `{name}`, which is missing", graph.nodes.get(*index)?.path))
        })
        .collect();
    let has_entrypoint =
        graph.nodes.iter().any(|node| node.root == Some(coracle_inspect::RootKind::Entrypoint));
    if let Some(program) = config.program().filter(|_| !has_entrypoint) {
        findings.push(format!("its program `{program}` can't be started: it or its loader is missing"));
    }
    findings
}

/// Returns whiteouts that hide nothing: engines differ in what they do with them, and a file with such a
/// name was probably meant to be one.
fn whiteout_findings(layers: &[UnpackedLayer]) -> Vec<String> {
    let (mut below, mut findings): (BTreeSet<ImagePath>, Vec<String>) = (BTreeSet::new(), Vec::new());
    for (index, layer) in layers.iter().enumerate() {
        for member in &layer.members {
            let Some(name) = member.path.file_name().filter(|name| name.starts_with(WHITEOUT)) else {
                continue;
            };
            let directory = member.path.parent().unwrap_or_else(ImagePath::root);
            let hidden = match name == OPAQUE {
                true => Some(directory),
                false => name.strip_prefix(WHITEOUT).map(|name| directory.join(name)),
            };
            if hidden.is_none_or(|hidden| !below.contains(&hidden)) {
                findings.push(format!(
                    "layer {}: `{}` is a whiteout that hides nothing",
                    index + 1,
                    member.path
                ));
            }
        }
        for member in &layer.members {
            below.extend(member.path.ancestors());
            below.insert(member.path.clone());
        }
    }
    findings
}
