//! The checks that can fail a build: `linkage`, `[allow]`, `[budget]`, `--strict` and their flags.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use super::validator::{RawValue, Validator, ValueOrigin, flag_or_file};
use crate::recipe::budget::{Budget, BudgetLimit, ParseGrowthLimitError};
use crate::recipe::flag_overrides::RecipeOverrides;
use crate::recipe::recipe_settings::{BuildChecks, Linkage, ParseLinkageError};
use crate::recipe::schema::{BudgetTable, RecipeFile, Spanned};
use coracle_core::byte_size::ParseByteSizeError;
use coracle_core::hint::Hint as _;
use coracle_core::path::{ImagePath, ParseImagePathError, escape_bytes};
use coracle_oci::copy::ImageLocation;

/// Prefixes of the names that findings have in an image's config.
const CONFIG_VALUE_PREFIXES: [&str; 4] = ["env:", "label:", "annotation:", "arg:"];

impl Validator<'_> {
    /// Parses the required linkage, the accepted findings and the size limits.
    pub(super) fn parse_build_checks(&mut self, file: &RecipeFile, flags: &RecipeOverrides) -> BuildChecks {
        let (allowed_paths, allowed_config_values) = self.parse_allowed_findings(file, flags);
        BuildChecks {
            linkage: self.parse_linkage(file, flags),
            allowed_paths,
            allowed_config_values,
            budget: self.parse_budget(&file.budget.0, flags),
            strict: flags.strict,
            require_inventory: flags.require_inventory,
        }
    }

    fn parse_linkage(&mut self, file: &RecipeFile, flags: &RecipeOverrides) -> Linkage {
        let raw = flag_or_file(&file.image.0.linkage, &flags.linkage, "--linkage");
        let hint = |error: &ParseLinkageError| error.hint();
        raw.and_then(|raw| self.parse_value(&raw, hint)).unwrap_or_default()
    }

    /// Parses the allowed paths and the allowed config values, each with its reason.
    fn parse_allowed_findings(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
    ) -> (BTreeMap<ImagePath, String>, BTreeMap<String, String>) {
        let from_file = file.allow.iter().map(|(subject, reason)| {
            (
                subject.clone(),
                RawValue { value: reason.get_ref().clone(), origin: ValueOrigin::File(reason.span()) },
            )
        });
        // Both path and reason may contain `=`: split at the first one.
        let from_flags = flags.allow.iter().map(|text| {
            let (subject, reason) = text.split_once('=').unwrap_or((text, ""));
            (subject.to_owned(), RawValue { value: reason.to_owned(), origin: ValueOrigin::Flag("--allow") })
        });
        let (mut paths, mut config_values) = (BTreeMap::new(), BTreeMap::new());
        for (subject, RawValue { value: reason, origin }) in from_file.chain(from_flags) {
            let is_config_value = CONFIG_VALUE_PREFIXES.iter().any(|kind| subject.starts_with(kind));
            let hint = |_: &ParseImagePathError| Some("write an absolute path before the reason".into());
            let path = if is_config_value {
                None
            } else {
                self.ok_or_report(ImagePath::parse(subject.as_bytes()), &origin, hint)
            };
            if path.is_none() && !is_config_value {
                continue;
            }
            if is_config_value && subject.ends_with(':') {
                let subject = escape_bytes(subject.as_bytes());
                let hint = format!("write `{subject}NAME`");
                self.report(
                    &origin,
                    format!("`{subject}` is not a complete entry of `[allow]`: the name is missing"),
                    Some(hint),
                );
                continue;
            }
            if reason.trim().is_empty() {
                let message =
                    format!("no reason is given for allowing `{}`", escape_bytes(subject.as_bytes()));
                let hint = match origin {
                    ValueOrigin::Flag(_) => "write it as `--allow PATH=REASON`",
                    ValueOrigin::File(_) => "write the reason as its value",
                };
                self.report(&origin, message, Some(hint.into()));
                continue;
            }
            match path {
                Some(path) => drop(paths.insert(path, reason)),
                None => drop(config_values.insert(subject, reason)),
            }
        }
        (paths, config_values)
    }

    fn parse_budget(&mut self, file: &BudgetTable, flags: &RecipeOverrides) -> Budget {
        let image = flag_or_file(&file.image, &flags.budget_image, "--budget-image");
        let image = image.and_then(|raw| {
            self.parse_budget_limit("image", &raw, |error: &ParseByteSizeError| error.hint())
        });
        let growth = flag_or_file(&file.growth, &flags.budget_growth, "--budget-growth");
        let growth = growth.and_then(|raw| {
            self.parse_budget_limit("growth", &raw, |error: &ParseGrowthLimitError| error.hint())
        });
        Budget { image, growth, previous: self.parse_previous_location(flags) }
    }

    fn parse_budget_limit<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        raw: &RawValue,
        hint: impl FnOnce(&T::Err) -> Option<String>,
    ) -> Option<BudgetLimit<T>> {
        let value = self.parse_value(raw, hint)?;
        Some(match &raw.origin {
            ValueOrigin::Flag(flag) => BudgetLimit { value, setting: format!("`{flag}`"), position: None },
            ValueOrigin::File(span) => {
                let header = self.document.map(|document| document.table_header(span, "budget"));
                let table = header.unwrap_or_else(|| "budget".into());
                let position = self.document.and_then(|document| document.position(span));
                BudgetLimit { value, setting: format!("`{key}` below `[{table}]`"), position }
            }
        })
    }

    /// Parses the location of the previous image.
    fn parse_previous_location(&mut self, flags: &RecipeOverrides) -> Option<ImageLocation> {
        let raw: RawValue = flag_or_file(&None::<Spanned<String>>, &flags.previous, "--previous")?;
        match self.parse_image_location(&raw)? {
            ImageLocation::Engine(named) => {
                let message =
                    format!("cannot compare with `{named}`: it must be in an image layout or at a registry");
                let hint = format!("copy it here first: `coracle copy {named} oci:DIR`, then name `oci:DIR`");
                self.report(&raw.origin, message, Some(hint));
                None
            }
            location => Some(location),
        }
    }
}
