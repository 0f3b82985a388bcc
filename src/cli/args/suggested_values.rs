//! A clap value parser whose possible values serve shell completion only.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command};

/// Offers these values for completion and accepts any value. The recipe validates it, so that a
/// flag and a recipe key give the same error.
#[derive(Clone)]
pub(super) struct SuggestedValues(pub(super) &'static [&'static str]);

/// The values of `--certificates`, `--nss`, `--openssl` and `--libgcc`.
pub(super) const WHEN_VALUES: SuggestedValues = SuggestedValues(&["auto", "true", "false"]);

impl TypedValueParser for SuggestedValues {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}
