//! Compares the image with the previous one and with its budget.

use super::build_request::BuildRequest;
use super::build_result::Built;
use super::error::Error;
use super::image_plan::Plan;
use super::image_sizes::{PlatformSize, PreviousSize};
use super::over_budget::{ExceededLimit, OverBudgetError, SizeBreakdown};
use super::previous_image::{PreviousImage, ReadPreviousImage};
use super::recipe::Budget;
use coracle_core::byte_size::ByteSize;
use coracle_core::note::Note;
use coracle_core::platform::Platform;
use coracle_oci::image::ImageSet;
use coracle_oci::layout::LayoutError;

/// The budget of an image, and the images that it is compared with.
pub(crate) struct SizeComparison<'a> {
    budget: &'a Budget,
    /// The previous images. Each platform is compared with the first that has an image for it.
    previous: Vec<ReadPreviousImage>,
    /// Why the comparison that was requested is not possible.
    note: Option<Note>,
}

impl<'a> SizeComparison<'a> {
    /// Reads the previous image of each platform, if a comparison is requested.
    ///
    /// # Errors
    /// Fails if a budget needs the image and it cannot be read.
    pub(crate) fn read_previous_images<'p>(
        request: &BuildRequest<'a>,
        platforms: impl Iterator<Item = &'p Platform>,
    ) -> Result<Self, Error> {
        let budget = &request.recipe.checks.budget;
        let platforms: Vec<&Platform> = platforms.collect();
        let replaced = || ReadPreviousImage::read_replaced_images(request, &platforms);
        let (previous, note) = match (&budget.previous, &budget.growth) {
            (Some(location), _) => (vec![ReadPreviousImage::read_at(location, request.settings)?], None),
            (None, Some(_)) => (replaced().map_err(with_previous_hint)?, None),
            (None, None) if !request.settings.compare_with_previous => (Vec::new(), None),
            // Only for a report: no reason to fail.
            (None, None) => match replaced() {
                Ok(previous) => (previous, None),
                Err(error) => {
                    let why = format!("cannot compare with the image that is replaced: {error}");
                    (Vec::new(), Some(Note::Warning(why)))
                }
            },
        };
        Ok(Self { budget, previous, note })
    }

    /// Returns the sizes of `image_set`, compared with the previous image.
    fn compared_sizes(&self, image_set: &ImageSet) -> Vec<PlatformSize> {
        PlatformSize::sizes_of_all_platforms(image_set)
            .into_iter()
            .map(|size| self.with_previous(size))
            .collect()
    }

    /// Returns whether `built` is within its budget.
    pub(crate) fn is_within_budget(&self, built: &Built) -> bool {
        built.platform_sizes.iter().all(|size| self.exceeded_limits(size).is_empty())
    }

    /// Checks the packed image against its budget.
    ///
    /// # Errors
    /// Fails with all exceeded limits.
    pub(crate) fn check_budget(&self, image_set: &ImageSet, plans: &[Plan]) -> Result<(), OverBudgetError> {
        let (mut all, mut contents) = (Vec::new(), Vec::new());
        for (size, image) in self.compared_sizes(image_set).iter().zip(image_set.images()) {
            let findings = self.exceeded_limits(size);
            if !findings.is_empty() {
                let plan = plans.iter().find(|plan| plan.platform == *image.platform());
                let previous = self.previous_image_for(image.platform());
                let has_grown_too_much = findings.iter().any(ExceededLimit::is_growth);
                contents.push(SizeBreakdown::new(image, plan, previous, has_grown_too_much));
            }
            all.extend(findings);
        }
        if all.is_empty() { Ok(()) } else { Err(OverBudgetError::new(all, contents)) }
    }

    fn exceeded_limits(&self, size: &PlatformSize) -> Vec<ExceededLimit> {
        let has = format!("the image for {} has {}", size.platform, ByteSize(size.size));
        let image = self.budget.image.as_ref().filter(|limit| size.size > limit.value.0);
        let image = image
            .map(|limit| ExceededLimit::of_size(format!("{has}: over the budget of {}", limit.value), limit));
        let grown = size.delta().zip(size.previous.as_ref()).zip(self.budget.growth.as_ref());
        let grown = grown.filter(|((change, _), limit)| change.now > limit.value.max_size(change.before));
        let growth = grown.map(|((change, before), limit)| {
            let than = change.compared_with(&format!("`{}`", before.location));
            ExceededLimit::of_growth(format!("{has}, {than}: over the budget of {}", limit.value), limit)
        });
        image.into_iter().chain(growth).collect()
    }

    /// Adds the comparison with the previous image to `built`.
    pub(crate) fn add_comparison_to(&self, built: Built) -> Built {
        let sizes: Vec<PlatformSize> =
            built.platform_sizes.into_iter().map(|size| self.with_previous(size)).collect();
        let mut notes = built.notes;
        notes.extend(self.note.clone());
        notes.extend(self.unchecked_growth_warnings(&sizes));
        let previous = self.first_previous_image(&sizes).cloned();
        Built { platform_sizes: sizes, notes, previous, ..built }
    }

    /// Returns the previous image of the first platform that has one, else the first of all.
    fn first_previous_image(&self, sizes: &[PlatformSize]) -> Option<&PreviousImage> {
        let before = sizes.iter().find_map(|size| size.previous.as_ref());
        let counts =
            |previous: &&PreviousImage| before.is_some_and(|before| before.location == previous.location);
        let mut previous = self.previous.iter().map(|previous| &previous.summary);
        let first = previous.clone().next();
        previous.find(counts).or(first)
    }

    /// Returns the first previous image that has an image for the platform.
    fn previous_image_for(&self, platform: &Platform) -> Option<&ReadPreviousImage> {
        self.previous.iter().find(|previous| previous.summary.size_for(platform).is_some())
    }

    fn with_previous(&self, size: PlatformSize) -> PlatformSize {
        let before = self.previous_image_for(&size.platform).and_then(|previous| {
            Some(PreviousSize {
                location: previous.summary.location.clone(),
                size: previous.summary.size_for(&size.platform)?,
            })
        });
        PlatformSize { previous: before, ..size }
    }

    /// Warns about platforms whose growth could not be checked: a limit that is set was not applied.
    fn unchecked_growth_warnings(&self, sizes: &[PlatformSize]) -> Vec<Note> {
        let Some(limit) = &self.budget.growth else { return Vec::new() };
        let Some(previous) = self.previous.first() else {
            return vec![Note::Warning(format!(
                "no image exists at the destination yet, so {} was not checked; name one with `--previous IMAGE`",
                limit.setting
            ))];
        };
        let lacking = sizes.iter().filter(|size| size.previous.is_none());
        let warning = |size: &PlatformSize| {
            let (location, platform) = (&previous.summary.location, &size.platform);
            Note::Warning(format!(
                "`{location}` has no image for {platform}, so {} was not checked for it",
                limit.setting
            ))
        };
        lacking.map(warning).collect()
    }
}

/// Adds the hint that a damaged previous image can be replaced by `--previous`.
fn with_previous_hint(error: Error) -> Error {
    match error {
        Error::Layout(LayoutError::UnreadableImage { image, why, hint: None }) => {
            let hint = Some("name another image to compare with: `--previous IMAGE`".into());
            Error::Layout(LayoutError::UnreadableImage { image, why, hint })
        }
        error => error,
    }
}
