//! Merges the raw values of file and flags, parses each, and builds the recipe.

mod allow;
mod base;
mod budget;
mod config;
mod destinations;
mod kubernetes;
mod mounts;
mod placed;
mod places;
mod roots;
mod runtime;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::document::RecipeDocument;
use super::error::{RecipeError, RecipeProblem};
use super::linkage::ParseLinkageError;
use super::schema::{self, IntOrString, Spanned};
use super::{Recipe, RecipeOverrides, user};
use coracle_core::path::{ParseImagePathError, escape_bytes};
use coracle_oci::layer::ParseCompressionError;

/// A raw value and its origin.
struct RawValue<T = String> {
    value: T,
    origin: ValueOrigin,
}

/// Where a raw value is from.
#[derive(Clone)]
enum ValueOrigin {
    Flag(&'static str),
    File(Range<usize>),
}

/// Builds the recipe of `document` and `flags`. Fails with all problems of both.
pub(super) fn build_recipe(
    document: Option<&RecipeDocument<'_>>,
    flags: &RecipeOverrides,
) -> Result<Recipe, RecipeError> {
    let none = schema::RecipeFile::default();
    let file = document.map_or(&none, |document| &document.file);
    let folder = document.map_or_else(|| PathBuf::from("."), RecipeDocument::folder);
    let mut check = Validator { document, problems: Vec::new() };
    if let Some(version) = file.version.as_ref().filter(|version| *version.get_ref() != 1) {
        let message = format!("recipe version {} is not supported", version.get_ref());
        check.report(&ValueOrigin::File(version.span()), message, Some("the only version is 1".into()));
    }
    let (allow, allow_words) = check.allow(file, flags);
    let recipe = Recipe {
        names: check.image_names(file, flags),
        base: check.base(file, flags, &folder),
        programs: check.programs(file, flags, &folder)?,
        args: check.args(file, flags),
        user: check.user(file, flags),
        expose: {
            let ports = flags_or_file(&file.image.0.expose, &flags.expose, "--expose");
            ports
                .iter()
                .filter_map(|port| {
                    check.parse_value(port, |e: &coracle_core::port::ParsePortError| Some(e.hint()))
                })
                .collect()
        },
        env: check.string_map(&file.image.0.env, &flags.env, "--env"),
        working_dir: {
            let path = flag_or_file(&file.image.0.working_dir, &flags.working_dir, "--working-dir");
            path.and_then(|path| check.parse_value(&path, |_: &ParseImagePathError| None))
        },
        stop_signal: {
            let signal = flag_or_file(&file.image.0.stop_signal, &flags.stop_signal, "--stop-signal");
            signal.and_then(|signal| {
                check.parse_value(&signal, |e: &coracle_core::signal::ParseSignalError| Some(e.hint()))
            })
        },
        labels: check.string_map(&file.image.0.labels, &flags.labels, "--label"),
        annotations: check.string_map(&file.image.0.annotations, &flags.annotations, "--annotation"),
        includes: check.includes(file, flags, &folder)?,
        implicit: check.runtime(&file.runtime.0, &flags.runtime),
        hwcaps: check.hwcaps(&file.runtime.0, &flags.runtime),
        config: check.config(file, &flags.config, &folder)?,
        compression: {
            let word = flag_or_file(&file.image.0.compression, &flags.compression, "--compression");
            let hint = |error: &ParseCompressionError| Some(error.hint());
            word.and_then(|word| check.parse_value(&word, hint)).unwrap_or_default()
        },
        kubernetes: check.kubernetes(&file.kubernetes.0),
        strip: flags.strip || file.image.0.strip.unwrap_or_default(),
        linkage: {
            let word = flag_or_file(&file.image.0.linkage, &flags.linkage, "--linkage");
            let hint = |error: &ParseLinkageError| Some(error.hint());
            word.and_then(|word| check.parse_value(&word, hint)).unwrap_or_default()
        },
        platform: {
            let platform = flag_or_file(&file.image.0.platform, &flags.platform, "--platform");
            platform.and_then(|text| {
                check.parse_value(&text, |e: &coracle_core::platform::ParsePlatformError| Some(e.hint()))
            })
        },
        root_overrides: check.root_overrides(file, flags, &folder)?,
        destinations: check.destinations(flags)?,
        push: check.push(file, flags),
        load_engine: None,
        publish_contract: check.publish_contract(file, flags, &folder),
        allowed_paths: allow,
        allowed_config_values: allow_words,
        budget: check.budget(&file.budget.0, flags),
        strict: flags.strict,
        source_positions: document
            .map(|document| places::source_positions(document, &flags.config))
            .unwrap_or_default(),
        recipe_dir: folder,
    };
    for variable in &file.variable {
        let name = variable.0.name.get_ref();
        if recipe.env.contains_key(name) {
            let message =
                format!("the variable `{}` has a value in `env` already", escape_bytes(name.as_bytes()));
            check.report(
                &ValueOrigin::File(variable.0.name.span()),
                message,
                Some("remove one of them".into()),
            );
        }
    }
    if recipe.labels.contains_key(coracle_kube::contract::CONTRACT_LABEL) {
        let message =
            format!("`{}` is a reserved label, which Coracle writes", coracle_kube::contract::CONTRACT_LABEL);
        let in_file = file.image.0.labels.get(coracle_kube::contract::CONTRACT_LABEL);
        let origin = in_file.map_or(ValueOrigin::Flag("--label"), |label| ValueOrigin::File(label.span()));
        check.report(&origin, message, Some("remove the label".into()));
    }
    check.check_contract_not_empty(file, flags, &recipe.config);
    check.into_result()?;
    Ok(recipe)
}

/// Parses the roots of flags alone.
pub(super) fn root_overrides_from_flags(
    flags: &RecipeOverrides,
) -> Result<Vec<super::RootOverride>, RecipeError> {
    let mut check = Validator { document: None, problems: Vec::new() };
    let roots = check.root_overrides(&schema::RecipeFile::default(), flags, Path::new("."))?;
    check.into_result()?;
    Ok(roots)
}

/// Parses raw values and collects problems, so that all are reported together.
struct Validator<'a> {
    document: Option<&'a RecipeDocument<'a>>,
    problems: Vec<RecipeProblem>,
}

impl Validator<'_> {
    fn image_names(
        &mut self,
        file: &schema::RecipeFile,
        flags: &RecipeOverrides,
    ) -> Vec<coracle_core::reference::ImageReference> {
        let from_file: Vec<RawValue> = file.image.0.name.iter().map(RawValue::from_file).collect();
        let words = if flags.names.is_empty() { from_file } else { from_flag(&flags.names, "--tag") };
        let mut names = Vec::new();
        for word in words {
            let name = self
                .parse_value(&word, |e: &coracle_core::reference::ParseImageReferenceError| Some(e.hint()));
            names.extend(name.filter(|name| !names.contains(name)));
        }
        names
    }

    fn args(&mut self, file: &schema::RecipeFile, flags: &RecipeOverrides) -> Vec<String> {
        let words = flags_or_file(&file.image.0.args, &flags.args, "--arg");
        words.into_iter().filter_map(|word| self.without_nul("an argument", &word)).collect()
    }

    fn user(&mut self, file: &schema::RecipeFile, flags: &RecipeOverrides) -> Option<crate::rootfs::Owner> {
        let user = flag_or_file(&file.image.0.user, &flags.user, "--user");
        // A group in `--user` replaces the file's.
        let whole = flags.user.as_ref().is_some_and(|user| user.contains(':'));
        let group = file.image.0.group.as_ref().filter(|_| !whole).map(RawValue::from_file);
        let text = |word: &Option<RawValue>| word.as_ref().map(|word| word.value.clone());
        let result = user::parse_user(text(&user).as_deref(), text(&group).as_deref());
        let word = user.or(group)?;
        self.ok_or_report(result, &word.origin, user::ParseUserError::hint)
    }

    /// Merges the flags' `NAME=VALUE` into the file's map.
    fn string_map(
        &mut self,
        file: &BTreeMap<String, Spanned<String>>,
        flags: &[String],
        flag: &'static str,
    ) -> BTreeMap<String, String> {
        let mut words: Vec<(String, RawValue)> =
            file.iter().map(|(name, value)| (name.clone(), RawValue::from_file(value))).collect();
        for word in from_flag(flags, flag) {
            match word.value.split_once('=') {
                Some((name, value)) => {
                    words.push((name.into(), RawValue { value: value.into(), origin: word.origin }));
                }
                None => {
                    let message = format!("`{}` has no value", escape_bytes(word.value.as_bytes()));
                    self.report(&word.origin, message, Some(format!("write it as `{flag} NAME=VALUE`")));
                }
            }
        }
        let mut map = BTreeMap::new();
        for (name, word) in words {
            let name_word = RawValue { value: name, origin: word.origin.clone() };
            if name_word.value.is_empty() {
                self.report(&word.origin, "a name is empty".into(), None);
            } else if flag == "--env" && name_word.value.contains('=') {
                let message = format!(
                    "`{}` is not a variable name: it contains `=`",
                    escape_bytes(name_word.value.as_bytes())
                );
                self.report(&word.origin, message, None);
            } else if let Some(name) = self.without_nul("a name", &name_word) {
                map.extend(self.without_nul("a value", &word).map(|value| (name, value)));
            }
        }
        map
    }

    /// Returns the value. Reports a problem if it contains NUL, which ends arguments and variables
    /// of a process.
    fn without_nul(&mut self, what: &str, word: &RawValue) -> Option<String> {
        if word.value.contains('\0') {
            self.report(&word.origin, format!("{what} contains a NUL byte"), None);
            return None;
        }
        Some(word.value.clone())
    }

    fn parse_value<T: std::str::FromStr<Err: Display>>(
        &mut self,
        word: &RawValue,
        hint: impl FnOnce(&T::Err) -> Option<String>,
    ) -> Option<T> {
        self.ok_or_report(word.value.parse(), &word.origin, hint)
    }

    fn ok_or_report<T, E: Display>(
        &mut self,
        result: Result<T, E>,
        origin: &ValueOrigin,
        hint: impl FnOnce(&E) -> Option<String>,
    ) -> Option<T> {
        result.map_err(|error| self.report(origin, error.to_string(), hint(&error))).ok()
    }

    fn report(&mut self, origin: &ValueOrigin, message: String, hint: Option<String>) {
        self.problems.push(match origin {
            ValueOrigin::Flag(flag) => {
                RecipeProblem { message: format!("`{flag}`: {message}"), hint, position: None }
            }
            ValueOrigin::File(span) => RecipeProblem {
                message,
                hint,
                position: self.document.and_then(|document| document.position(span)),
            },
        });
    }

    fn into_result(self) -> Result<(), RecipeError> {
        let Self { document, mut problems } = self;
        let of_document = document.map(|document| document.problems.as_slice()).unwrap_or_default();
        problems.extend(of_document.iter().map(|(_, problem)| problem.clone()));
        problems.sort_by_key(RecipeProblem::sort_key);
        if problems.is_empty() { Ok(()) } else { Err(RecipeError::Invalid(problems)) }
    }
}

/// A value of the file that has a textual form.
trait AsText {
    fn text(&self) -> &str;
}

impl AsText for String {
    fn text(&self) -> &str {
        self
    }
}

impl AsText for schema::BoolOrString {
    fn text(&self) -> &str {
        &self.0
    }
}

impl AsText for IntOrString {
    fn text(&self) -> &str {
        &self.0
    }
}

impl RawValue {
    fn from_file(value: &Spanned<impl AsText>) -> Self {
        Self { value: value.get_ref().text().to_owned(), origin: ValueOrigin::File(value.span()) }
    }
}

fn from_flag(values: &[String], flag: &'static str) -> Vec<RawValue> {
    values.iter().map(|value| RawValue { value: value.clone(), origin: ValueOrigin::Flag(flag) }).collect()
}

/// Returns the flag's values, or the file's if there are none.
fn flags_or_file(file: &[Spanned<impl AsText>], flags: &[String], flag: &'static str) -> Vec<RawValue> {
    if flags.is_empty() { file.iter().map(RawValue::from_file).collect() } else { from_flag(flags, flag) }
}

/// Returns the flag's value, or the file's.
fn flag_or_file(
    file: &Option<Spanned<impl AsText>>,
    value: &Option<String>,
    flag: &'static str,
) -> Option<RawValue> {
    let value =
        value.as_ref().map(|value| RawValue { value: value.clone(), origin: ValueOrigin::Flag(flag) });
    value.or_else(|| file.as_ref().map(RawValue::from_file))
}
