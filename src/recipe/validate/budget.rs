//! Size limits: `[budget]` and its flags.

use std::fmt::Display;
use std::str::FromStr;

use super::super::budget::{GrowthLimit, ParseGrowthError};
use super::super::schema::{self, IntOrString, Spanned};
use super::super::{Budget, BudgetLimit, RecipeOverrides};
use super::{RawValue, Validator, ValueOrigin, flag_or_file};
use coracle_core::byte_size::{ByteSize, ParseByteSizeError};
use coracle_oci::copy::ImageLocation;

impl Validator<'_> {
    pub(super) fn budget(&mut self, file: &schema::BudgetTable, flags: &RecipeOverrides) -> Budget {
        let hint = |error: &ParseByteSizeError| Some(error.hint().to_owned());
        let image = self.limit::<ByteSize>("image", &file.image, &flags.budget_image, "--budget-image", hint);
        let hint = |error: &ParseGrowthError| Some(error.hint().to_owned());
        let growth =
            self.limit::<GrowthLimit>("growth", &file.growth, &flags.budget_growth, "--budget-growth", hint);
        Budget { image, growth, previous: self.previous(flags) }
    }

    fn limit<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        file: &Option<Spanned<IntOrString>>,
        value: &Option<String>,
        flag: &'static str,
        hint: impl FnOnce(&T::Err) -> Option<String>,
    ) -> Option<BudgetLimit<T>> {
        let word = flag_or_file(file, value, flag)?;
        let value = self.parse_value(&word, hint)?;
        Some(match &word.origin {
            ValueOrigin::Flag(flag) => BudgetLimit { value, setting: format!("`{flag}`"), position: None },
            ValueOrigin::File(span) => {
                let header = self.document.map(|document| document.table_header(span, "budget"));
                let table = header.unwrap_or_else(|| "budget".into());
                let place = self.document.and_then(|document| document.position(span));
                BudgetLimit { value, setting: format!("`{key}` below `[{table}]`"), position: place }
            }
        })
    }

    /// Parses the location of the previous image.
    fn previous(&mut self, flags: &RecipeOverrides) -> Option<ImageLocation> {
        let word: RawValue = flag_or_file(&None::<Spanned<String>>, &flags.previous, "--previous")?;
        match self.image_location(&word)? {
            ImageLocation::Engine(named) => {
                let message =
                    format!("cannot compare with `{named}`: it must be in an image layout or at a registry");
                let hint = format!("copy it here first: `coracle copy {named} oci:DIR`, then name `oci:DIR`");
                self.report(&word.origin, message, Some(hint));
                None
            }
            place => Some(place),
        }
    }
}
