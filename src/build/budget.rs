//! Checks the size of an image against its budget.

use std::collections::BTreeSet;
use std::fmt;

use super::comparison::{Comparison, Weight};
use super::{Built, Plan};
use coracle_core::digest::Digest;
use coracle_oci::image::{Image, Root};
use coracle_core::platform::Platform;
use crate::recipe::{Limit, Place};
use crate::rootfs::Node;
use coracle_core::size::Size;

/// The maximum number of files listed.
const LISTED: usize = 8;

/// The error of an image that exceeds its budget. Lists its layers and largest files.
#[derive(Debug)]
pub struct OverBudget {
    findings: Vec<Finding>,
    contents: Vec<Contents>,
}

/// A limit that the image of one platform exceeds.
#[derive(Debug)]
struct Finding {
    message: String,
    setting: String,
    place: Option<Place>,
}

/// Layers and largest files of the image of one platform.
#[derive(Debug)]
struct Contents {
    platform: Platform,
    layers: Vec<(Size, String)>,
    files: Vec<(Size, String)>,
}

impl Comparison<'_> {
    /// Whether `built` is within its budget.
    pub(super) fn holds(&self, built: &Built) -> bool {
        built.weights.iter().all(|weight| self.findings(weight).is_empty())
    }

    /// Checks the packed image against its budget.
    ///
    /// # Errors
    /// Fails with all exceeded limits.
    pub(super) fn judge(&self, root: &Root, plans: &[Plan]) -> Result<(), OverBudget> {
        let (mut all, mut contents) = (Vec::new(), Vec::new());
        for (weight, image) in self.weigh(root).iter().zip(root.images()) {
            let findings = self.findings(weight);
            if !findings.is_empty() {
                contents.push(contents_of(image, self, plans));
            }
            all.extend(findings);
        }
        if all.is_empty() { Ok(()) } else { Err(OverBudget { findings: all, contents }) }
    }

    fn findings(&self, weight: &Weight) -> Vec<Finding> {
        let has = format!("the image for {} has {}", weight.platform, Size(weight.size));
        let image = self.budget.image.as_ref().filter(|limit| weight.size > limit.value.0);
        let image =
            image.map(|limit| Finding::new(format!("{has}: over the budget of {}", limit.value), limit));
        let grown = weight.change().zip(weight.before.as_ref()).zip(self.budget.growth.as_ref());
        let grown = grown.filter(|((change, _), limit)| change.now > limit.value.limit(change.before));
        let growth = grown.map(|((change, before), limit)| {
            let than = change.than(&format!("`{}`", before.place));
            Finding::new(format!("{has}, {than}: over the budget of {}", limit.value), limit)
        });
        image.into_iter().chain(growth).collect()
    }
}

impl Finding {
    fn new<T>(message: String, limit: &Limit<T>) -> Self {
        Self { message, setting: limit.setting.clone(), place: limit.place.clone() }
    }
}

fn contents_of(image: &Image, comparison: &Comparison<'_>, plans: &[Plan]) -> Contents {
    let describe = |what: String, digest: &Digest| {
        if comparison.has(digest) { format!("{what}, as before") } else { what }
    };
    let below =
        image.below().iter().map(|layer| (Size(layer.size), describe("of the base".into(), &layer.digest)));
    let own = image
        .layers()
        .iter()
        .map(|layer| (Size(layer.size), describe(layer.stratum.to_string(), &layer.digest)));
    let plan = plans.iter().find(|plan| plan.platform == *image.platform());
    let entries = plan.into_iter().flat_map(|plan| plan.rootfs.iter());
    let mut files: Vec<(Size, String)> = entries
        .filter_map(|(path, entry)| match &entry.node {
            Node::File(content) => Some((Size(content.size()), format!("{path}  {}", entry.reason))),
            Node::Directory | Node::Link(_) | Node::HardLink(_) => None,
        })
        .collect();
    files.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    files.truncate(LISTED);
    Contents { platform: image.platform().clone(), layers: below.chain(own).collect(), files }
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
        for (number, Finding { message, place, .. }) in self.findings.iter().enumerate() {
            f.write_str(if number > 0 { "\n" } else { "" })?;
            f.write_str(message)?;
            place.iter().try_for_each(|place| write!(f, "\n{place}"))?;
        }
        for Contents { platform, layers, files } in &self.contents {
            write!(f, "\n  layers for {platform}:")?;
            layers.iter().try_for_each(|(size, what)| write!(f, "\n  {size:>11}  {what}"))?;
            f.write_str("\n  largest files, before compression:")?;
            files.iter().try_for_each(|(size, what)| write!(f, "\n  {size:>11}  {what}"))?;
        }
        Ok(())
    }
}

impl std::error::Error for OverBudget {}
