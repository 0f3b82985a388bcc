//! Why a path is in an image.

use coracle_core::hint::Hint;
use coracle_core::path::ImagePath;
use coracle_oci::layout::ImageEntryKind;
use serde::Serialize;

use crate::dependency_graph::{ChainStep, DependencyGraph};
use crate::image_contents::{FileReport, ImageContents, ImagePathEntry};

/// The chain of files that needs a path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WhyReport {
    /// The path.
    #[serde(flatten)]
    pub file: FileReport,
    /// The files from a program to the path, each needed by the one before. Empty if no program in
    /// the image is known to need it.
    pub chain: Vec<ChainStep>,
    /// Further files that need it directly.
    pub also_needed_by: Vec<String>,
    /// The links of the image that lead to it.
    pub links: Vec<String>,
}

/// Why there is no report.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WhyError {
    /// The image has no such path.
    #[error("the image has no `{0}`")]
    NotFound(ImagePath),
}

impl Hint for WhyError {
    fn hint(&self) -> Option<String> {
        Some("`coracle inspect IMAGE --files` lists its paths".into())
    }
}

impl WhyReport {
    /// Explains `path`, whose links are followed.
    ///
    /// # Errors
    /// Fails if the image has no such path.
    pub fn new(
        contents: &ImageContents,
        graph: &DependencyGraph,
        path: &ImagePath,
    ) -> Result<Self, WhyError> {
        let files = contents.unpacked.file_system.files();
        let target = files.resolve_links(path);
        let entries = contents.entries();
        let found = entries.iter().find(|entry| *entry.path == target);
        let found = found.ok_or_else(|| WhyError::NotFound(path.clone()))?;
        let index = graph.index_of(&target);
        let chain = index.and_then(|index| graph.chain_to(index)).unwrap_or_default();
        let shown = chain.len().checked_sub(2).and_then(|last| chain.get(last)).map(|step| step.path.clone());
        let others = graph.edges.iter().filter(|edge| Some(edge.to) == index);
        let others = others.filter_map(|edge| graph.nodes.get(edge.from)).map(|node| node.path.to_string());
        let links = entries.iter().filter(|entry| leads_to(contents, entry, &target));
        Ok(Self {
            file: FileReport {
                package: contents.packages.owner_of(&target).map(ToString::to_string),
                why: graph.reason(&target),
                ..FileReport::from(found)
            },
            chain,
            also_needed_by: others.filter(|other| Some(other) != shown.as_ref()).collect(),
            links: links.map(|entry| entry.path.to_string()).collect(),
        })
    }
}

fn leads_to(contents: &ImageContents, entry: &ImagePathEntry<'_>, target: &ImagePath) -> bool {
    matches!(entry.entry.node, ImageEntryKind::Link(_))
        && contents.unpacked.file_system.files().resolve_links(entry.path) == *target
}
