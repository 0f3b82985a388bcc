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

use super::document::Document;
use super::error::{Error, Problem};
use super::linkage::ParseLinkageError;
use super::schema::{self, Scalar, Spanned};
use super::{Overrides, Recipe, user};
use coracle_oci::layer::ParseCompressionError;
use coracle_core::path::{ParsePathError, printable};

/// A raw value and its origin.
struct Word<T = String> {
    value: T,
    origin: Origin,
}

/// Where a raw value is from.
#[derive(Clone)]
enum Origin {
    Flag(&'static str),
    File(Range<usize>),
}

/// Builds the recipe of `document` and `flags`. Fails with all problems of both.
pub(super) fn finish(document: Option<&Document<'_>>, flags: &Overrides) -> Result<Recipe, Error> {
    let none = schema::File::default();
    let file = document.map_or(&none, |document| &document.file);
    let folder = document.map_or_else(|| PathBuf::from("."), Document::folder);
    let mut check = Check { document, problems: Vec::new() };
    if let Some(version) = file.version.as_ref().filter(|version| *version.get_ref() != 1) {
        let message = format!("recipe version {} is not supported", version.get_ref());
        check.problem(&Origin::File(version.span()), message, Some("the only version is 1".into()));
    }
    let (allow, allow_words) = check.allow(file, flags);
    let recipe = Recipe {
        names: check.references(file, flags),
        base: check.base(file, flags, &folder),
        programs: check.programs(file, flags, &folder)?,
        args: check.args(file, flags),
        user: check.user(file, flags),
        expose: {
            let ports = either(&file.image.0.expose, &flags.expose, "--expose");
            ports
                .iter()
                .filter_map(|port| check.parsed(port, |e: &coracle_core::port::ParsePortError| Some(e.hint())))
                .collect()
        },
        env: check.map(&file.image.0.env, &flags.env, "--env"),
        working_dir: {
            let path = one(&file.image.0.working_dir, &flags.working_dir, "--working-dir");
            path.and_then(|path| check.parsed(&path, |_: &ParsePathError| None))
        },
        stop_signal: {
            let signal = one(&file.image.0.stop_signal, &flags.stop_signal, "--stop-signal");
            signal.and_then(|signal| {
                check.parsed(&signal, |e: &coracle_core::signal::ParseSignalError| Some(e.hint()))
            })
        },
        labels: check.map(&file.image.0.labels, &flags.labels, "--label"),
        annotations: check.map(&file.image.0.annotations, &flags.annotations, "--annotation"),
        includes: check.includes(file, flags, &folder)?,
        runtime: check.runtime(&file.runtime.0, &flags.runtime),
        hwcaps: check.hwcaps(&file.runtime.0, &flags.runtime),
        config: check.config(file, &flags.config, &folder)?,
        compression: {
            let word = one(&file.image.0.compression, &flags.compression, "--compression");
            let hint = |error: &ParseCompressionError| Some(error.hint());
            word.and_then(|word| check.parsed(&word, hint)).unwrap_or_default()
        },
        kubernetes: check.kubernetes(&file.kubernetes.0),
        strip: flags.strip || file.image.0.strip.unwrap_or_default(),
        linkage: {
            let word = one(&file.image.0.linkage, &flags.linkage, "--linkage");
            let hint = |error: &ParseLinkageError| Some(error.hint());
            word.and_then(|word| check.parsed(&word, hint)).unwrap_or_default()
        },
        platform: {
            let platform = one(&file.image.0.platform, &flags.platform, "--platform");
            platform.and_then(|text| {
                check.parsed(&text, |e: &coracle_core::platform::ParsePlatformError| Some(e.hint()))
            })
        },
        roots: check.roots(file, flags, &folder)?,
        destinations: check.destinations(flags)?,
        push: check.push(file, flags),
        load: None,
        publish_contract: check.publish_contract(file, flags, &folder),
        allow,
        allow_words,
        budget: check.budget(&file.budget.0, flags),
        strict: flags.strict,
        places: document.map(|document| places::places(document, &flags.config)).unwrap_or_default(),
        folder,
    };
    for variable in &file.variable {
        let name = variable.0.name.get_ref();
        if recipe.env.contains_key(name) {
            let message =
                format!("the variable `{}` has a value in `env` already", printable(name.as_bytes()));
            check.problem(&Origin::File(variable.0.name.span()), message, Some("remove one of them".into()));
        }
    }
    if recipe.labels.contains_key(coracle_kube::contract::LABEL) {
        let message = format!("`{}` is a reserved label, which Coracle writes", coracle_kube::contract::LABEL);
        let in_file = file.image.0.labels.get(coracle_kube::contract::LABEL);
        let origin = in_file.map_or(Origin::Flag("--label"), |label| Origin::File(label.span()));
        check.problem(&origin, message, Some("remove the label".into()));
    }
    check.anything_to_publish(file, flags, &recipe.config);
    check.finish()?;
    Ok(recipe)
}

/// Parses the roots of flags alone.
pub(super) fn roots(flags: &Overrides) -> Result<Vec<super::Root>, Error> {
    let mut check = Check { document: None, problems: Vec::new() };
    let roots = check.roots(&schema::File::default(), flags, Path::new("."))?;
    check.finish()?;
    Ok(roots)
}

/// Parses raw values and collects problems, so that all are reported together.
struct Check<'a> {
    document: Option<&'a Document<'a>>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn references(&mut self, file: &schema::File, flags: &Overrides) -> Vec<coracle_core::reference::Reference> {
        let from_file: Vec<Word> = file.image.0.name.iter().map(Word::of).collect();
        let words = if flags.names.is_empty() { from_file } else { of_flag(&flags.names, "--tag") };
        let mut names = Vec::new();
        for word in words {
            let name = self.parsed(&word, |e: &coracle_core::reference::ParseReferenceError| Some(e.hint()));
            names.extend(name.filter(|name| !names.contains(name)));
        }
        names
    }

    fn args(&mut self, file: &schema::File, flags: &Overrides) -> Vec<String> {
        let words = either(&file.image.0.args, &flags.args, "--arg");
        words.into_iter().filter_map(|word| self.without_nul("an argument", &word)).collect()
    }

    fn user(&mut self, file: &schema::File, flags: &Overrides) -> Option<crate::rootfs::Owner> {
        let user = one(&file.image.0.user, &flags.user, "--user");
        // A group in `--user` replaces the file's.
        let whole = flags.user.as_ref().is_some_and(|user| user.contains(':'));
        let group = file.image.0.group.as_ref().filter(|_| !whole).map(Word::of);
        let text = |word: &Option<Word>| word.as_ref().map(|word| word.value.clone());
        let result = user::parse(text(&user).as_deref(), text(&group).as_deref());
        let word = user.or(group)?;
        self.legal(result, &word.origin, user::ParseUserError::hint)
    }

    /// Merges the flags' `NAME=VALUE` into the file's map.
    fn map(
        &mut self,
        file: &BTreeMap<String, Spanned<String>>,
        flags: &[String],
        flag: &'static str,
    ) -> BTreeMap<String, String> {
        let mut words: Vec<(String, Word)> =
            file.iter().map(|(name, value)| (name.clone(), Word::of(value))).collect();
        for word in of_flag(flags, flag) {
            match word.value.split_once('=') {
                Some((name, value)) => {
                    words.push((name.into(), Word { value: value.into(), origin: word.origin }));
                }
                None => {
                    let message = format!("`{}` has no value", printable(word.value.as_bytes()));
                    self.problem(&word.origin, message, Some(format!("write it as `{flag} NAME=VALUE`")));
                }
            }
        }
        let mut map = BTreeMap::new();
        for (name, word) in words {
            let name_word = Word { value: name, origin: word.origin.clone() };
            if name_word.value.is_empty() {
                self.problem(&word.origin, "a name is empty".into(), None);
            } else if flag == "--env" && name_word.value.contains('=') {
                let message = format!(
                    "`{}` is not a variable name: it contains `=`",
                    printable(name_word.value.as_bytes())
                );
                self.problem(&word.origin, message, None);
            } else if let Some(name) = self.without_nul("a name", &name_word) {
                map.extend(self.without_nul("a value", &word).map(|value| (name, value)));
            }
        }
        map
    }

    /// Returns the value. Reports a problem if it contains NUL, which ends arguments and variables
    /// of a process.
    fn without_nul(&mut self, what: &str, word: &Word) -> Option<String> {
        if word.value.contains('\0') {
            self.problem(&word.origin, format!("{what} contains a NUL byte"), None);
            return None;
        }
        Some(word.value.clone())
    }

    fn parsed<T: std::str::FromStr<Err: Display>>(
        &mut self,
        word: &Word,
        hint: impl FnOnce(&T::Err) -> Option<String>,
    ) -> Option<T> {
        self.legal(word.value.parse(), &word.origin, hint)
    }

    fn legal<T, E: Display>(
        &mut self,
        result: Result<T, E>,
        origin: &Origin,
        hint: impl FnOnce(&E) -> Option<String>,
    ) -> Option<T> {
        result.map_err(|error| self.problem(origin, error.to_string(), hint(&error))).ok()
    }

    fn problem(&mut self, origin: &Origin, message: String, hint: Option<String>) {
        self.problems.push(match origin {
            Origin::Flag(flag) => Problem { message: format!("`{flag}`: {message}"), hint, place: None },
            Origin::File(span) => {
                Problem { message, hint, place: self.document.and_then(|document| document.place(span)) }
            }
        });
    }

    fn finish(self) -> Result<(), Error> {
        let Self { document, mut problems } = self;
        let of_document = document.map(|document| document.problems.as_slice()).unwrap_or_default();
        problems.extend(of_document.iter().map(|(_, problem)| problem.clone()));
        problems.sort_by_key(Problem::order);
        if problems.is_empty() { Ok(()) } else { Err(Error::Illegal(problems)) }
    }
}

/// A value of the file that has a textual form.
trait Text {
    fn text(&self) -> &str;
}

impl Text for String {
    fn text(&self) -> &str {
        self
    }
}

impl Text for schema::Choice {
    fn text(&self) -> &str {
        &self.0
    }
}

impl Text for Scalar {
    fn text(&self) -> &str {
        &self.0
    }
}

impl Word {
    fn of(value: &Spanned<impl Text>) -> Self {
        Self { value: value.get_ref().text().to_owned(), origin: Origin::File(value.span()) }
    }
}

fn of_flag(values: &[String], flag: &'static str) -> Vec<Word> {
    values.iter().map(|value| Word { value: value.clone(), origin: Origin::Flag(flag) }).collect()
}

/// Returns the flag's values, or the file's if there are none.
fn either(file: &[Spanned<impl Text>], flags: &[String], flag: &'static str) -> Vec<Word> {
    if flags.is_empty() { file.iter().map(Word::of).collect() } else { of_flag(flags, flag) }
}

/// Returns the flag's value, or the file's.
fn one(file: &Option<Spanned<impl Text>>, value: &Option<String>, flag: &'static str) -> Option<Word> {
    let value = value.as_ref().map(|value| Word { value: value.clone(), origin: Origin::Flag(flag) });
    value.or_else(|| file.as_ref().map(Word::of))
}
