//! Size limits: `[budget]` and its flags.

use std::fmt::Display;
use std::str::FromStr;

use super::super::budget::{Growth, ParseGrowthError};
use super::super::schema::{self, Scalar, Spanned};
use super::super::{Budget, Limit, Overrides};
use super::{Check, Origin, Word, one};
use coracle_core::size::{ParseSizeError, Size};
use coracle_oci::copy::Place;

impl Check<'_> {
    pub(super) fn budget(&mut self, file: &schema::Budget, flags: &Overrides) -> Budget {
        let hint = |error: &ParseSizeError| Some(error.hint().to_owned());
        let image = self.limit::<Size>("image", &file.image, &flags.budget_image, "--budget-image", hint);
        let hint = |error: &ParseGrowthError| Some(error.hint().to_owned());
        let growth =
            self.limit::<Growth>("growth", &file.growth, &flags.budget_growth, "--budget-growth", hint);
        Budget { image, growth, previous: self.previous(flags) }
    }

    fn limit<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        file: &Option<Spanned<Scalar>>,
        value: &Option<String>,
        flag: &'static str,
        hint: impl FnOnce(&T::Err) -> Option<String>,
    ) -> Option<Limit<T>> {
        let word = one(file, value, flag)?;
        let value = self.parsed(&word, hint)?;
        Some(match &word.origin {
            Origin::Flag(flag) => Limit { value, setting: format!("`{flag}`"), place: None },
            Origin::File(span) => {
                let header = self.document.map(|document| document.header(span, "budget"));
                let table = header.unwrap_or_else(|| "budget".into());
                let place = self.document.and_then(|document| document.place(span));
                Limit { value, setting: format!("`{key}` below `[{table}]`"), place }
            }
        })
    }

    /// Parses the location of the previous image.
    fn previous(&mut self, flags: &Overrides) -> Option<Place> {
        let word: Word = one(&None::<Spanned<String>>, &flags.previous, "--previous")?;
        match self.image(&word)? {
            Place::Engine(named) => {
                let message =
                    format!("cannot compare with `{named}`: it must be in an image layout or at a registry");
                let hint = format!("copy it here first: `coracle copy {named} oci:DIR`, then name `oci:DIR`");
                self.problem(&word.origin, message, Some(hint));
                None
            }
            place => Some(place),
        }
    }
}
