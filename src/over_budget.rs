//! The error of an image that exceeds its budget.

use std::collections::BTreeSet;
use std::fmt;

use super::image_plan::Plan;
use super::recipe::{BudgetLimit, SourcePosition};
use super::rootfs::EntryNode;
use coracle_core::byte_size::ByteSize;
use coracle_core::digest::Digest;
use coracle_core::hint::Hint;
use coracle_core::platform::Platform;
use coracle_oci::image::Image;

/// The maximum number of files listed.
const MAX_LISTED_FILES: usize = 8;

/// The error of an image that exceeds its budget. Lists its layers and largest files.
#[derive(Debug)]
pub struct OverBudget {
    exceeded_limits: Vec<ExceededLimit>,
    breakdowns: Vec<SizeBreakdown>,
}

/// A limit that the image of one platform exceeds.
#[derive(Debug)]
pub(crate) struct ExceededLimit {
    message: String,
    setting: String,
    position: Option<SourcePosition>,
}

/// Layers and largest files of the image of one platform.
#[derive(Debug)]
pub(crate) struct SizeBreakdown {
    platform: Platform,
    layers: Vec<(ByteSize, String)>,
    files: Vec<(ByteSize, String)>,
}

impl ExceededLimit {
    pub(crate) fn new<T>(message: String, limit: &BudgetLimit<T>) -> Self {
        Self { message, setting: limit.setting.clone(), position: limit.position.clone() }
    }
}

impl SizeBreakdown {
    /// Lists the layers of `image` and the largest files of its plan. `had_layer` returns whether the
    /// previous image has a layer.
    pub(crate) fn new(image: &Image, plan: Option<&Plan>, had_layer: impl Fn(&Digest) -> bool) -> Self {
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
        let entries = plan.into_iter().flat_map(|plan| plan.rootfs.iter());
        let mut files: Vec<(ByteSize, String)> = entries
            .filter_map(|(path, entry)| match &entry.node {
                EntryNode::File(content) => {
                    Some((ByteSize(content.size()), format!("{path}  {}", entry.reason)))
                }
                EntryNode::Directory | EntryNode::Symlink(_) | EntryNode::HardLink(_) => None,
            })
            .collect();
        files.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
        files.truncate(MAX_LISTED_FILES);
        Self { platform: image.platform().clone(), layers: below.chain(own).collect(), files }
    }
}

impl OverBudget {
    pub(crate) fn new(exceeded_limits: Vec<ExceededLimit>, breakdowns: Vec<SizeBreakdown>) -> Self {
        Self { exceeded_limits, breakdowns }
    }
}

impl Hint for OverBudget {
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

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, ExceededLimit { message, position, .. }) in self.exceeded_limits.iter().enumerate() {
            f.write_str(if number > 0 { "\n" } else { "" })?;
            f.write_str(message)?;
            position.iter().try_for_each(|position| write!(f, "\n{position}"))?;
        }
        for SizeBreakdown { platform, layers, files } in &self.breakdowns {
            write!(f, "\n  layers for {platform}:")?;
            layers.iter().try_for_each(|(size, description)| write!(f, "\n  {size:>11}  {description}"))?;
            f.write_str("\n  largest files, before compression:")?;
            files.iter().try_for_each(|(size, description)| write!(f, "\n  {size:>11}  {description}"))?;
        }
        Ok(())
    }
}

impl std::error::Error for OverBudget {}
