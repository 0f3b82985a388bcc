//! Accepted scanner findings and private paths: `[allow]` and `--allow`.

use std::collections::BTreeMap;

use super::super::{Overrides, schema};
use super::{Check, Origin, Word};
use coracle_core::path::{ImagePath, ParsePathError, printable};

/// Prefixes of the names that findings have in an image's config.
const WORDS: [&str; 4] = ["env:", "label:", "annotation:", "arg:"];

impl Check<'_> {
    /// Parses the allowed paths and the allowed config values, each with its reason.
    pub(super) fn allow(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
    ) -> (BTreeMap<ImagePath, String>, BTreeMap<String, String>) {
        let of_file = file.allow.iter().map(|(what, why)| {
            (what.clone(), Word { value: why.get_ref().clone(), origin: Origin::File(why.span()) })
        });
        // Both path and reason may contain `=`: split at the first one.
        let of_flags = flags.allow.iter().map(|text| {
            let (what, why) = text.split_once('=').unwrap_or((text, ""));
            (what.to_owned(), Word { value: why.to_owned(), origin: Origin::Flag("--allow") })
        });
        let (mut paths, mut words) = (BTreeMap::new(), BTreeMap::new());
        for (what, Word { value: why, origin }) in of_file.chain(of_flags) {
            let is_word = WORDS.iter().any(|kind| what.starts_with(kind));
            let hint = |_: &ParsePathError| Some("write an absolute path before the reason".into());
            let path =
                if is_word { None } else { self.legal(ImagePath::parse(what.as_bytes()), &origin, hint) };
            if path.is_none() && !is_word {
                continue;
            }
            if is_word && what.ends_with(':') {
                let what = printable(what.as_bytes());
                let hint = format!("write `{what}NAME`");
                self.problem(
                    &origin,
                    format!("`{what}` is not a complete entry of `[allow]`: the name is missing"),
                    Some(hint),
                );
                continue;
            }
            if why.trim().is_empty() {
                let message = format!("no reason is given for allowing `{}`", printable(what.as_bytes()));
                let hint = match origin {
                    Origin::Flag(_) => "write it as `--allow PATH=REASON`",
                    Origin::File(_) => "write the reason as its value",
                };
                self.problem(&origin, message, Some(hint.into()));
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
