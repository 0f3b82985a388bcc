//! Checks the size of an image against its budget.

use std::collections::BTreeSet;
use std::fmt;

use super::size_comparison::{PlatformSize, SizeComparison};
use super::{Built, Plan};
use crate::recipe::{BudgetLimit, SourcePosition};
use crate::rootfs::EntryNode;
use coracle_core::byte_size::ByteSize;
use coracle_core::digest::Digest;
use coracle_core::platform::Platform;
use coracle_oci::image::{Image, ImageSet};

/// The maximum number of files listed.
const MAX_LISTED_FILES: usize = 8;

/// The error of an image that exceeds its budget. Lists its layers and largest files.
#[derive(Debug)]
pub struct OverBudget {
    findings: Vec<ExceededLimit>,
    contents: Vec<SizeBreakdown>,
}

/// A limit that the image of one platform exceeds.
#[derive(Debug)]
struct ExceededLimit {
    message: String,
    setting: String,
    place: Option<SourcePosition>,
}

/// Layers and largest files of the image of one platform.
#[derive(Debug)]
struct SizeBreakdown {
    platform: Platform,
    layers: Vec<(ByteSize, String)>,
    files: Vec<(ByteSize, String)>,
}

impl SizeComparison<'_> {
    /// Whether `built` is within its budget.
    pub(super) fn is_within_budget(&self, built: &Built) -> bool {
        built.platform_sizes.iter().all(|weight| self.exceeded_limits(weight).is_empty())
    }

    /// Checks the packed image against its budget.
    ///
    /// # Errors
    /// Fails with all exceeded limits.
    pub(super) fn check_budget(&self, root: &ImageSet, plans: &[Plan]) -> Result<(), OverBudget> {
        let (mut all, mut contents) = (Vec::new(), Vec::new());
        for (weight, image) in self.measure(root).iter().zip(root.images()) {
            let findings = self.exceeded_limits(weight);
            if !findings.is_empty() {
                contents.push(size_breakdown(image, self, plans));
            }
            all.extend(findings);
        }
        if all.is_empty() { Ok(()) } else { Err(OverBudget { findings: all, contents }) }
    }

    fn exceeded_limits(&self, weight: &PlatformSize) -> Vec<ExceededLimit> {
        let has = format!("the image for {} has {}", weight.platform, ByteSize(weight.size));
        let image = self.budget.image.as_ref().filter(|limit| weight.size > limit.value.0);
        let image = image
            .map(|limit| ExceededLimit::new(format!("{has}: over the budget of {}", limit.value), limit));
        let grown = weight.delta().zip(weight.previous.as_ref()).zip(self.budget.growth.as_ref());
        let grown = grown.filter(|((change, _), limit)| change.now > limit.value.max_size(change.before));
        let growth = grown.map(|((change, before), limit)| {
            let than = change.compared_with(&format!("`{}`", before.location));
            ExceededLimit::new(format!("{has}, {than}: over the budget of {}", limit.value), limit)
        });
        image.into_iter().chain(growth).collect()
    }
}

impl ExceededLimit {
    fn new<T>(message: String, limit: &BudgetLimit<T>) -> Self {
        Self { message, setting: limit.setting.clone(), place: limit.position.clone() }
    }
}

fn size_breakdown(image: &Image, comparison: &SizeComparison<'_>, plans: &[Plan]) -> SizeBreakdown {
    let describe = |what: String, digest: &Digest| {
        if comparison.had_layer(digest) { format!("{what}, as before") } else { what }
    };
    let below = image
        .base_layers()
        .iter()
        .map(|layer| (ByteSize(layer.size), describe("of the base".into(), &layer.digest)));
    let own = image
        .packed_layers()
        .iter()
        .map(|layer| (ByteSize(layer.size), describe(layer.kind.to_string(), &layer.digest)));
    let plan = plans.iter().find(|plan| plan.platform == *image.platform());
    let entries = plan.into_iter().flat_map(|plan| plan.rootfs.iter());
    let mut files: Vec<(ByteSize, String)> = entries
        .filter_map(|(path, entry)| match &entry.node {
            EntryNode::File(content) => Some((ByteSize(content.size()), format!("{path}  {}", entry.reason))),
            EntryNode::Directory | EntryNode::Symlink(_) | EntryNode::HardLink(_) => None,
        })
        .collect();
    files.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    files.truncate(MAX_LISTED_FILES);
    SizeBreakdown { platform: image.platform().clone(), layers: below.chain(own).collect(), files }
}

impl OverBudget {
    /// Returns the next step.
    pub fn hint(&self) -> String {
        let settings: BTreeSet<&str> = self.findings.iter().map(|finding| finding.setting.as_str()).collect();
        let settings = settings.into_iter().collect::<Vec<_>>().join(" and ");
        format!(
            "leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: \
             {settings}"
        )
    }
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, ExceededLimit { message, place, .. }) in self.findings.iter().enumerate() {
            f.write_str(if number > 0 { "\n" } else { "" })?;
            f.write_str(message)?;
            place.iter().try_for_each(|place| write!(f, "\n{place}"))?;
        }
        for SizeBreakdown { platform, layers, files } in &self.contents {
            write!(f, "\n  layers for {platform}:")?;
            layers.iter().try_for_each(|(size, what)| write!(f, "\n  {size:>11}  {what}"))?;
            f.write_str("\n  largest files, before compression:")?;
            files.iter().try_for_each(|(size, what)| write!(f, "\n  {size:>11}  {what}"))?;
        }
        Ok(())
    }
}

impl std::error::Error for OverBudget {}
