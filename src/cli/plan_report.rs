//! The report of a plan, which `--dry-run` prints: every entry with its reason, as text and JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;
use coracle::Plan;
use coracle::recipe::Recipe;
use coracle::rootfs::{Entry, EntryNode, LayerKind};
use coracle_core::escape::{column_width, escape_text};
use coracle_core::note::{DependencyNote, Note};
use indicatif::DecimalBytes;
use serde::Serialize;

use super::console_output::{BOLD, DIM, count_noun};
use super::image_report::to_strings;
use super::recipe_tables::with_table_names_of_recipe;

/// The column in which the text has paths.
pub(super) const PATH_COLUMN: usize = 17;

/// The image of one platform that would be built. Fields that are skipped in JSON are only for text.
#[derive(Serialize)]
pub(super) struct PlanReport {
    references: Vec<String>,
    /// The only platform, as an array, like the platforms of a built image.
    platforms: [String; 1],
    entries: Vec<EntryReport>,
    layers: Vec<PlannedLayer>,
    warnings: Vec<String>,
    advice: Vec<String>,
    hints: Vec<DependencyNote>,
    #[serde(skip)]
    base: Option<PlannedBase>,
}

/// A file, directory or link of the image.
#[derive(Serialize)]
struct EntryReport {
    path: String,
    uid: u32,
    gid: u32,
    mode: String,
    reason: String,
    layer_kind: String,
    #[serde(rename = "type")]
    kind: EntryKind,
    /// The size in bytes; `None` for links.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// The target of a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

#[derive(Clone, Copy, Serialize)]
enum EntryKind {
    #[serde(rename = "directory")]
    Directory,
    #[serde(rename = "file")]
    File,
    #[serde(rename = "link")]
    Symlink,
    #[serde(rename = "hardlink")]
    HardLink,
}

/// The number of entries of each kind in one layer, and the files' size in bytes.
#[derive(Default, Serialize)]
struct PlannedLayer {
    layer_kind: String,
    files: usize,
    size: u64,
    #[serde(skip)]
    links: usize,
    #[serde(skip)]
    directories: usize,
}

struct PlannedBase {
    name: Option<String>,
    digest: String,
    /// The number of files that the base image already contains.
    shared_files: usize,
}

impl PlanReport {
    pub(super) fn new(recipe: &Recipe, plan: &Plan) -> Self {
        let (mut warnings, mut advice, mut hints) = (Vec::new(), Vec::new(), Vec::new());
        for note in &plan.notes {
            match note {
                Note::Warning(_) => warnings.push(with_table_names_of_recipe(&note.to_string()).into_owned()),
                Note::Hint(_) => advice.push(with_table_names_of_recipe(&note.to_string()).into_owned()),
                Note::Dependency(note) => hints.push(note.clone()),
            }
        }
        let entries = plan.rootfs.iter().map(|(path, entry)| EntryReport::new(path.to_string(), entry));
        Self {
            references: to_strings(&recipe.image.names),
            platforms: [plan.platform.to_string()],
            entries: entries.collect(),
            layers: planned_layers(plan),
            warnings,
            advice,
            hints,
            base: plan.base.as_ref().map(|base| PlannedBase {
                name: base.name.clone(),
                digest: base.digest.to_string(),
                shared_files: plan.shared_files,
            }),
        }
    }

    /// Formats the plan: every entry with its reason, then the sums.
    pub(super) fn to_text(&self) -> String {
        let rows: Vec<[String; 4]> = self.entries.iter().map(EntryReport::row).collect();
        let width = column_width(rows.iter().map(|[_, _, path, _]| path.as_str()));
        let heading = ["SIZE", "MODE", "PATH", "REASON"].map(String::from);
        let mut text = String::new();
        for (index, [size, mode, path, reason]) in std::iter::once(heading).chain(rows).enumerate() {
            let style = if index == 0 { BOLD } else { Style::new() };
            let _ = writeln!(text, "{style}{size:>9}  {mode:>4}  {path:<width$}  {reason}{style:#}");
        }
        let sum = |count: fn(&PlannedLayer) -> usize| -> usize { self.layers.iter().map(count).sum() };
        let [platform] = &self.platforms;
        let _ = writeln!(
            text,
            "\n{BOLD}{}{BOLD:#} for {platform}: {}, {}, {}, in {}",
            DecimalBytes(self.layers.iter().map(|layer| layer.size).sum()),
            count_noun(sum(|layer| layer.files), "file"),
            count_noun(sum(|layer| layer.links), "link"),
            count_noun(sum(|layer| layer.directories), "directory"),
            count_noun(self.layers.len(), "layer"),
        );
        if let Some(PlannedBase { name, digest, shared_files }) = &self.base {
            let name = escape_text(name.as_deref().unwrap_or("the base image"));
            let shared = count_noun(*shared_files, "file");
            let _ =
                writeln!(text, "  based on {name}, which already contains {shared}  {DIM}{digest}{DIM:#}");
        }
        for PlannedLayer { layer_kind, files, size, .. } in &self.layers {
            let (size, files) = (DecimalBytes(*size).to_string(), count_noun(*files, "file"));
            let _ = writeln!(text, "  {layer_kind:<9}  {size:>9}  {files}");
        }
        text
    }
}

impl EntryReport {
    fn new(path: String, entry: &Entry) -> Self {
        let (kind, size, target) = match &entry.node {
            EntryNode::Directory => (EntryKind::Directory, Some(0), None),
            EntryNode::File(content) => (EntryKind::File, Some(content.size()), None),
            EntryNode::Symlink(target) => (EntryKind::Symlink, None, Some(target.to_string())),
            EntryNode::HardLink(target) => (EntryKind::HardLink, None, Some(target.to_string())),
        };
        Self {
            path,
            uid: entry.owner.uid,
            gid: entry.owner.gid,
            mode: format!("{:04o}", entry.mode),
            reason: entry.reason.to_string(),
            layer_kind: entry.layer_kind.to_string(),
            kind,
            size,
            target,
        }
    }

    /// Returns the columns of a line of text.
    fn row(&self) -> [String; 4] {
        const NONE: &str = "-";
        let path = &self.path;
        let target = self.target.as_deref().unwrap_or_default();
        let (path, size, mode) = match self.kind {
            EntryKind::Directory if path == "/" => (path.clone(), None, &*self.mode),
            EntryKind::Directory => (format!("{path}/"), None, &*self.mode),
            EntryKind::File => (path.clone(), self.size, &*self.mode),
            EntryKind::Symlink => (format!("{path} -> {target}"), None, NONE),
            EntryKind::HardLink => (format!("{path} = {target}"), None, &*self.mode),
        };
        let size = size.map_or_else(|| NONE.to_owned(), |size| DecimalBytes(size).to_string());
        [size, mode.to_owned(), path, self.reason.clone()]
    }
}

/// Sums up the entries of each layer. A directory is counted only in the layer of its entry, not in other layers that have files below it.
fn planned_layers(plan: &Plan) -> Vec<PlannedLayer> {
    let kinds = plan.rootfs.layer_kinds().into_iter();
    let mut layers: BTreeMap<LayerKind, PlannedLayer> = kinds
        .map(|kind| (kind, PlannedLayer { layer_kind: kind.to_string(), ..PlannedLayer::default() }))
        .collect();
    for (_, entry) in plan.rootfs.iter() {
        let Some(layer) = layers.get_mut(&entry.layer_kind) else { continue };
        match &entry.node {
            EntryNode::Directory => layer.directories += 1,
            EntryNode::Symlink(_) | EntryNode::HardLink(_) => layer.links += 1,
            EntryNode::File(content) => {
                layer.files += 1;
                layer.size += content.size();
            }
        }
    }
    layers.into_values().collect()
}
