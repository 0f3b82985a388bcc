//! The error of an image that exceeds its budget.

use std::collections::BTreeSet;
use std::fmt;

use super::image_plan::Plan;
use super::previous_image::ReadPreviousImage;
use super::recipe::{BudgetLimit, SourcePosition};
use super::rootfs::{Entry, EntryNode, LayerKind};
use coracle_core::byte_size::ByteSize;
use coracle_core::digest::Digest;
use coracle_core::hint::Hint;
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use coracle_oci::image::Image;
use coracle_oci::layout::LayoutError;

/// The maximum number of files listed.
const MAX_LISTED_FILES: usize = 8;

/// The error of an image that exceeds its budget. Lists its layers, and the files that are new or have grown, or
/// else the largest.
#[derive(Debug)]
pub struct OverBudgetError {
    exceeded_limits: Vec<ExceededLimit>,
    breakdowns: Vec<SizeBreakdown>,
}

/// A limit that the image of one platform exceeds.
#[derive(Debug)]
pub(crate) struct ExceededLimit {
    message: String,
    is_growth: bool,
    setting: String,
    position: Option<SourcePosition>,
}

/// Layers and files of the image of one platform.
#[derive(Debug)]
pub(crate) struct SizeBreakdown {
    platform: Platform,
    layers: Vec<(ByteSize, String)>,
    /// Lists of files with their headings.
    files: Vec<(String, Vec<(ByteSize, String)>)>,
}

impl ExceededLimit {
    pub(crate) fn of_size<T>(message: String, limit: &BudgetLimit<T>) -> Self {
        Self { message, is_growth: false, setting: limit.setting.clone(), position: limit.position.clone() }
    }

    pub(crate) fn of_growth<T>(message: String, limit: &BudgetLimit<T>) -> Self {
        Self { is_growth: true, ..Self::of_size(message, limit) }
    }

    pub(crate) fn is_growth(&self) -> bool {
        self.is_growth
    }
}

impl SizeBreakdown {
    /// Lists the layers of `image`, and the files of its plan that are new or have grown since `previous`; the
    /// largest files if none are, or if the image is too large whatever it was before.
    pub(crate) fn new(
        image: &Image,
        plan: Option<&Plan>,
        previous: Option<&ReadPreviousImage>,
        has_grown_too_much: bool,
    ) -> Self {
        let had_layer = |digest: &Digest| previous.is_some_and(|previous| previous.summary.has_layer(digest));
        let describe = |description: String, digest: &Digest| {
            if had_layer(digest) { format!("{description}, as before") } else { description }
        };
        let below = image
            .base_layers()
            .iter()
            .map(|layer| (ByteSize(layer.size), describe("of the base".into(), &layer.digest)));
        let own = image
            .packed_layers()
            .iter()
            .map(|layer| (ByteSize(layer.size), describe(layer.kind.to_string(), &layer.digest)));
        let mut files = Vec::new();
        if let (Some(plan), Some(previous)) = (plan, previous) {
            match grown_files(image, plan, previous) {
                Ok(grown) if grown.is_empty() => {}
                Ok(grown) => {
                    files.push((
                        format!("growth of files since `{}`, before compression", previous.summary.location),
                        grown,
                    ));
                }
                Err(error) => {
                    files.push((format!("its files cannot be compared, {error}; instead"), Vec::new()));
                }
            }
        }
        if !has_grown_too_much || files.iter().all(|(_, list)| list.is_empty()) {
            files.push((
                "largest files, before compression".into(),
                plan.map(largest_files).unwrap_or_default(),
            ));
        }
        Self { platform: image.platform().clone(), layers: below.chain(own).collect(), files }
    }
}

/// Returns the files of layers that `previous` lacks and that are new or have grown, the greatest growth first.
fn grown_files(
    image: &Image,
    plan: &Plan,
    previous: &ReadPreviousImage,
) -> Result<Vec<(ByteSize, String)>, LayoutError> {
    let layers: Vec<&Digest> = image
        .base_layers()
        .iter()
        .map(|layer| &layer.digest)
        .chain(image.packed_layers().iter().map(|layer| &layer.digest))
        .collect();
    let before = previous.file_sizes(image.platform(), |digest| layers.contains(&digest))?;
    let is_kept = |kind: LayerKind| {
        let packed = image.packed_layers().iter().find(|layer| layer.kind == kind);
        packed.is_some_and(|layer| previous.summary.has_layer(&layer.digest))
    };
    let files = planned_files(plan).filter(|(_, _, entry)| !is_kept(entry.layer_kind));
    let grown = files.filter_map(|(path, size, entry)| {
        let (more, what) = match before.get(path) {
            None => (size, "new".to_owned()),
            Some(old) => (size.checked_sub(*old)?, format!("{} before", ByteSize(*old))),
        };
        (more > 0).then(|| (ByteSize(more), format!("{path}  {what}, {}", entry.reason)))
    });
    Ok(first_by_size(grown.collect()))
}

fn largest_files(plan: &Plan) -> Vec<(ByteSize, String)> {
    let files = planned_files(plan);
    first_by_size(
        files.map(|(path, size, entry)| (ByteSize(size), format!("{path}  {}", entry.reason))).collect(),
    )
}

fn planned_files(plan: &Plan) -> impl Iterator<Item = (&ImagePath, u64, &Entry)> {
    plan.rootfs.iter().filter_map(|(path, entry)| match &entry.node {
        EntryNode::File(content) => Some((path, content.size(), entry)),
        EntryNode::Directory | EntryNode::Symlink(_) | EntryNode::HardLink(_) => None,
    })
}

fn first_by_size(mut files: Vec<(ByteSize, String)>) -> Vec<(ByteSize, String)> {
    files.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    files.truncate(MAX_LISTED_FILES);
    files
}

impl OverBudgetError {
    pub(crate) fn new(exceeded_limits: Vec<ExceededLimit>, breakdowns: Vec<SizeBreakdown>) -> Self {
        Self { exceeded_limits, breakdowns }
    }
}

impl Hint for OverBudgetError {
    fn hint(&self) -> Option<String> {
        let settings: BTreeSet<&str> =
            self.exceeded_limits.iter().map(|limit| limit.setting.as_str()).collect();
        let settings = settings.into_iter().collect::<Vec<_>>().join(" and ");
        Some(format!(
            "leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: \
             {settings}"
        ))
    }
}

impl fmt::Display for OverBudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, ExceededLimit { message, position, .. }) in self.exceeded_limits.iter().enumerate() {
            f.write_str(if number > 0 { "\n" } else { "" })?;
            f.write_str(message)?;
            position.iter().try_for_each(|position| write!(f, "\n{position}"))?;
        }
        for SizeBreakdown { platform, layers, files } in &self.breakdowns {
            write!(f, "\n  layers for {platform}:")?;
            layers.iter().try_for_each(|(size, description)| write!(f, "\n  {size:>11}  {description}"))?;
            for (heading, files) in files {
                write!(f, "\n  {heading}:")?;
                files
                    .iter()
                    .try_for_each(|(size, description)| write!(f, "\n  {size:>11}  {description}"))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for OverBudgetError {}
