//! Additions to the recipe.

use serde::Serialize;

/// The lines that the recipe lacks.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub(super) struct RecipeProposals {
    /// `[image] programs`
    pub(super) programs: Vec<CopiedPath>,
    /// `[runtime] dlopen`
    pub(super) dlopen: Vec<String>,
    /// `[runtime] locales`
    pub(super) locales: Vec<String>,
    /// `[[include]]`
    pub(super) include: Vec<CopiedPath>,
    /// `[[state]]`
    pub(super) state: Vec<String>,
    /// Candidates for `[[config]]`.
    pub(super) config: Vec<String>,
    /// The things that no line of a recipe can add.
    pub(super) remarks: Vec<Remark>,
}

/// A file or directory of this machine, and its path in the image.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub(super) struct CopiedPath {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) reason: String,
}

/// A path in the image, and what to do about it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub(super) struct Remark {
    pub(super) path: String,
    pub(super) advice: &'static str,
}

impl RecipeProposals {
    /// Returns only the additions that change which libraries and data the plan finds.
    pub(super) fn without_files(&self) -> Self {
        let Self { programs, dlopen, locales, .. } = self.clone();
        Self { programs, dlopen, locales, ..Self::default() }
    }

    /// Adds `rest`: what is still missing once a recipe with [`Self::without_files`] has been
    /// planned.
    pub(super) fn completed_with(self, rest: Self) -> Self {
        let programs = self.programs.into_iter().chain(rest.programs).collect();
        let dlopen = self.dlopen.into_iter().chain(rest.dlopen).collect();
        let locales = self.locales.into_iter().chain(rest.locales).collect();
        Self { programs, dlopen, locales, ..rest }
    }

    /// Returns whether nothing is proposed.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
