//! Words that a shell offers.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command};

/// A flag that takes one of these words, or what else its recipe knows: that says what is wrong with a word, wherever it stands.
#[derive(Clone)]
pub(super) struct Words(pub(super) &'static [&'static str]);

/// What is added unless the recipe or a flag says something else.
pub(super) const WHEN: Words = Words(&["auto", "true", "false"]);

impl TypedValueParser for Words {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}
