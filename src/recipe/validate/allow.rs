//! Accepted scanner findings and private paths: `[allow]` and `--allow`.

use std::collections::BTreeMap;

use super::super::{RecipeOverrides, schema};
use super::{RawValue, Validator, ValueOrigin};
use coracle_core::path::{ImagePath, ParseImagePathError, escape_bytes};

/// Prefixes of the names that findings have in an image's config.
const CONFIG_VALUE_PREFIXES: [&str; 4] = ["env:", "label:", "annotation:", "arg:"];

impl Validator<'_> {
    /// Parses the allowed paths and the allowed config values, each with its reason.
    pub(super) fn allow(
        &mut self,
        file: &schema::RecipeFile,
        flags: &RecipeOverrides,
    ) -> (BTreeMap<ImagePath, String>, BTreeMap<String, String>) {
        let of_file = file.allow.iter().map(|(what, why)| {
            (what.clone(), RawValue { value: why.get_ref().clone(), origin: ValueOrigin::File(why.span()) })
        });
        // Both path and reason may contain `=`: split at the first one.
        let of_flags = flags.allow.iter().map(|text| {
            let (what, why) = text.split_once('=').unwrap_or((text, ""));
            (what.to_owned(), RawValue { value: why.to_owned(), origin: ValueOrigin::Flag("--allow") })
        });
        let (mut paths, mut words) = (BTreeMap::new(), BTreeMap::new());
        for (what, RawValue { value: why, origin }) in of_file.chain(of_flags) {
            let is_word = CONFIG_VALUE_PREFIXES.iter().any(|kind| what.starts_with(kind));
            let hint = |_: &ParseImagePathError| Some("write an absolute path before the reason".into());
            let path = if is_word {
                None
            } else {
                self.ok_or_report(ImagePath::parse(what.as_bytes()), &origin, hint)
            };
            if path.is_none() && !is_word {
                continue;
            }
            if is_word && what.ends_with(':') {
                let what = escape_bytes(what.as_bytes());
                let hint = format!("write `{what}NAME`");
                self.report(
                    &origin,
                    format!("`{what}` is not a complete entry of `[allow]`: the name is missing"),
                    Some(hint),
                );
                continue;
            }
            if why.trim().is_empty() {
                let message = format!("no reason is given for allowing `{}`", escape_bytes(what.as_bytes()));
                let hint = match origin {
                    ValueOrigin::Flag(_) => "write it as `--allow PATH=REASON`",
                    ValueOrigin::File(_) => "write the reason as its value",
                };
                self.report(&origin, message, Some(hint.into()));
                continue;
            }
            match path {
                Some(path) => drop(paths.insert(path, why)),
                None => drop(words.insert(what, why)),
            }
        }
        (paths, words)
    }
}
