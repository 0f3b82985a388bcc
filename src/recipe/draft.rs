//! From words to a recipe: the file's and the command line's, merged, then checked one by one.

mod allow;
mod config;
mod kubernetes;
mod mounts;
mod roots;
mod runtime;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::error::{Error, Problem};
use super::schema::{self, Scalar, Spanned};
use super::{Include, Overrides, Program, Recipe, from_folder, user};
use crate::fs;
use crate::layer::ParseCompressionError;
use crate::path::{ImagePath, ParsePathError, Spelled, printable};
use crate::store::{Destination, Kind, ParseDestinationError};

/// A word and where it stands.
struct Word<T = String> {
    value: T,
    origin: Origin,
}

/// Where a word stands.
#[derive(Clone)]
enum Origin {
    Flag(&'static str),
    File(Range<usize>),
}

/// A program or an include: where it is, and where it goes.
struct Placed {
    from: PathBuf,
    to: Option<Vec<u8>>,
}

/// The recipe that `document` and `flags` make, or everything that is wrong with them.
pub(super) fn finish(document: Option<&Document<'_>>, flags: &Overrides) -> Result<Recipe, Error> {
    let none = schema::File::default();
    let file = document.map_or(&none, |document| &document.file);
    let folder = document.map_or_else(|| PathBuf::from("."), Document::folder);
    let mut check = Check { document, problems: Vec::new() };
    if let Some(version) = file.version.as_ref().filter(|version| *version.get_ref() != 1) {
        let message = format!("version {} of the recipe is not known", version.get_ref());
        check.problem(&Origin::File(version.span()), message, Some("the only version is 1".into()));
    }
    let (allow, allow_words) = check.allow(file, flags);
    let recipe = Recipe {
        names: check.references(file, flags),
        programs: check.programs(file, flags, &folder)?,
        args: check.args(file, flags),
        user: check.user(file, flags),
        expose: {
            let ports = either(&file.image.0.expose, &flags.expose, "--expose");
            ports
                .iter()
                .filter_map(|port| check.parsed(port, |e: &crate::port::ParsePortError| Some(e.hint())))
                .collect()
        },
        env: check.map(&file.image.0.env, &flags.env, "--env"),
        working_dir: {
            let path = one(&file.image.0.working_dir, &flags.working_dir, "--working-dir");
            path.and_then(|path| check.parsed(&path, |_: &ParsePathError| None))
                .unwrap_or_else(ImagePath::root)
        },
        stop_signal: {
            let signal = one(&file.image.0.stop_signal, &flags.stop_signal, "--stop-signal");
            signal.and_then(|signal| {
                check.parsed(&signal, |e: &crate::signal::ParseSignalError| Some(e.hint()))
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
        platform: {
            let platform = one(&file.image.0.platform, &flags.platform, "--platform");
            platform.and_then(|text| {
                check.parsed(&text, |e: &crate::platform::ParsePlatformError| Some(e.hint()))
            })
        },
        roots: check.roots(file, flags, &folder)?,
        destinations: check.destinations(flags)?,
        publish_contract: check.publish_contract(file, flags, &folder),
        allow,
        allow_words,
        strict: flags.strict,
        folder,
    };
    if recipe.labels.contains_key(crate::contract::LABEL) {
        let message = format!("`{}` is written by Coracle itself", crate::contract::LABEL);
        let in_file = file.image.0.labels.get(crate::contract::LABEL);
        let origin = in_file.map_or(Origin::Flag("--label"), |label| Origin::File(label.span()));
        check.problem(&origin, message, Some("leave the label out".into()));
    }
    check.finish()?;
    Ok(recipe)
}

/// The roots that flags alone name.
pub(super) fn roots(flags: &Overrides) -> Result<Vec<super::Root>, Error> {
    let mut check = Check { document: None, problems: Vec::new() };
    let roots = check.roots(&schema::File::default(), flags, Path::new("."))?;
    check.finish()?;
    Ok(roots)
}

/// Collects what is wrong, so that all of it is reported together.
struct Check<'a> {
    document: Option<&'a Document<'a>>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn references(&mut self, file: &schema::File, flags: &Overrides) -> Vec<crate::reference::Reference> {
        let from_file: Vec<Word> = file.image.0.name.iter().map(Word::of).collect();
        let words = if flags.names.is_empty() { from_file } else { of_flag(&flags.names, "--tag") };
        let mut names = Vec::new();
        for word in words {
            let name = self.parsed(&word, |e: &crate::reference::ParseReferenceError| Some(e.hint()));
            names.extend(name.filter(|name| !names.contains(name)));
        }
        names
    }

    fn programs(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
        folder: &Path,
    ) -> fs::Result<Vec<Program>> {
        let mut words = Vec::new();
        for text in &flags.programs {
            let Placed { from, to } = split_program(text)?;
            if to.is_none()
                && let Some(hint) = half_placed(&from)?
            {
                let message = format!("`{}` is no file, and has no place in the image", from.display());
                self.problem(&Origin::Flag("PROGRAM"), message, Some(hint));
                continue;
            }
            let value = Placed { from: from_folder(folder, from)?, to };
            words.push(Word { value, origin: Origin::Flag("PROGRAM") });
        }
        if words.is_empty() {
            words.extend(file.image.0.programs.iter().map(|program| {
                let value = match program.get_ref() {
                    schema::Program::Path(from) => Placed { from: from.into(), to: None },
                    schema::Program::Placed(placed) => Placed {
                        from: placed.from.get_ref().into(),
                        to: placed.to.as_ref().map(|to| to.get_ref().clone().into_bytes()),
                    },
                };
                Word { value, origin: Origin::File(program.span()) }
            }));
        }
        Ok(words.into_iter().filter_map(|word| self.program(word)).collect())
    }

    fn program(&mut self, Word { value: Placed { from, to }, origin }: Word<Placed>) -> Option<Program> {
        self.from(&from, &origin)?;
        let Some(mut to) = to else { return Some(Program { from, to: None }) };
        if to.ends_with(b"/") {
            to.extend(from.file_name().map(|name| fs::bytes_of(Path::new(name))).unwrap_or_default());
        }
        let path = self.legal(ImagePath::parse(&to), &origin, |_| None)?;
        if path.name().is_none() {
            self.problem(&origin, "a program can't be the root directory".into(), None);
            return None;
        }
        Some(Program { from, to: Some(path) })
    }

    fn includes(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
        folder: &Path,
    ) -> fs::Result<Vec<Include>> {
        let mut words = Vec::new();
        for text in &flags.includes {
            let Placed { from, to } = split_placed(&fs::bytes_of(Path::new(text)));
            let value = Placed { from: from_folder(folder, from)?, to };
            words.push(Word { value, origin: Origin::Flag("--include") });
        }
        if words.is_empty() {
            words.extend(file.include.iter().map(|schema::Table(include)| {
                let to = include.to.get_ref().clone().into_bytes();
                let value = Placed { from: include.from.get_ref().into(), to: Some(to) };
                Word { value, origin: Origin::File(include.to.span()) }
            }));
        }
        Ok(words.into_iter().filter_map(|word| self.include(word)).collect())
    }

    fn include(&mut self, Word { value: Placed { from, to }, origin }: Word<Placed>) -> Option<Include> {
        self.from(&from, &origin)?;
        let Some(to) = to else {
            let message = format!("`{}` has no place in the image", from.display());
            let hint = "write it as `FROM:TO` with an absolute TO, such as `assets/:/srv/assets`";
            self.problem(&origin, message, Some(hint.into()));
            return None;
        };
        self.legal(ImagePath::parse(&to), &origin, |_| None)?;
        Some(Include { from, to: Spelled::new(to) })
    }

    fn from(&mut self, from: &Path, origin: &Origin) -> Option<()> {
        if from.as_os_str().is_empty() {
            self.problem(origin, "the path of a file is empty".into(), None);
            return None;
        }
        Some(())
    }

    fn args(&mut self, file: &schema::File, flags: &Overrides) -> Vec<String> {
        let words = either(&file.image.0.args, &flags.args, "--arg");
        words.into_iter().filter_map(|word| self.without_nul("an argument", &word)).collect()
    }

    fn user(&mut self, file: &schema::File, flags: &Overrides) -> crate::rootfs::Owner {
        let user = one(&file.image.0.user, &flags.user, "--user");
        // A group that the flag names replaces the file's.
        let whole = flags.user.as_ref().is_some_and(|user| user.contains(':'));
        let group = file.image.0.group.as_ref().filter(|_| !whole).map(Word::of);
        let text = |word: &Option<Word>| word.as_ref().map(|word| word.value.clone());
        let result = user::parse(text(&user).as_deref(), text(&group).as_deref());
        let origin = user.or(group).map_or(Origin::Flag("--user"), |word| word.origin);
        self.legal(result, &origin, user::ParseUserError::hint).unwrap_or(super::DEFAULT_USER)
    }

    /// The file's map with the flags' `NAME=VALUE` merged into it.
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
                    "`{}` is not the name of a variable: it holds `=`",
                    printable(name_word.value.as_bytes())
                );
                self.problem(&word.origin, message, None);
            } else if let Some(name) = self.without_nul("a name", &name_word) {
                map.extend(self.without_nul("a value", &word).map(|value| (name, value)));
            }
        }
        map
    }

    /// Layouts may share a directory, with a tag each; nothing else can be in a place that is taken.
    fn destinations(&mut self, flags: &Overrides) -> fs::Result<Vec<Destination>> {
        let mut found: Vec<(PathBuf, Destination)> = Vec::new();
        for word in of_flag(&flags.destinations, "--output") {
            let hint = |e: &ParseDestinationError| Some(e.hint());
            let Some(destination) = self.parsed::<Destination>(&word, hint) else { continue };
            let place = fs::absolute(&destination.path)?;
            let both_layouts =
                |other: &Destination| (other.kind, destination.kind) == (Kind::Layout, Kind::Layout);
            match found.iter().find(|(taken, other)| *taken == place && !both_layouts(other)) {
                Some((_, other)) => {
                    let message = format!("`{destination}` is the same place as `{other}`");
                    self.problem(&word.origin, message, Some("give each destination its own path".into()));
                }
                None => found.push((place, destination)),
            }
        }
        Ok(found.into_iter().map(|(_, destination)| destination).collect())
    }

    /// A layout, from the recipe's folder on where the recipe names it.
    fn publish_contract(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
        folder: &Path,
    ) -> Option<Destination> {
        let word = one(&file.image.0.publish_contract, &flags.publish_contract, "--publish-contract")?;
        let mut destination =
            self.parsed::<Destination>(&word, |error: &ParseDestinationError| Some(error.hint()))?;
        if let (Origin::File(_), false) = (&word.origin, folder == Path::new(".")) {
            destination.path = folder.join(destination.path);
        }
        if destination.kind != Kind::Layout {
            let message = format!("`{destination}` can't hold an artifact");
            self.problem(&word.origin, message, Some("write a layout: `oci:DIR`".into()));
        }
        Some(destination)
    }

    /// A program can't be given a NUL byte: its arguments and variables end there.
    fn without_nul(&mut self, what: &str, word: &Word) -> Option<String> {
        if word.value.contains('\0') {
            self.problem(&word.origin, format!("{what} holds a NUL byte"), None);
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
                Problem { message, hint, place: self.document.map(|document| document.place(span)) }
            }
        });
    }

    fn finish(self) -> Result<(), Error> {
        let Self { document, mut problems } = self;
        let of_document = document.map(|document| document.problems.as_slice()).unwrap_or_default();
        problems.extend(of_document.iter().map(|(_, problem)| problem.clone()));
        problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
        if problems.is_empty() { Ok(()) } else { Err(Error::Illegal(problems)) }
    }
}

/// What a file's word is, as text.
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

/// The flag's values, or the file's when there are none.
fn either(file: &[Spanned<impl Text>], flags: &[String], flag: &'static str) -> Vec<Word> {
    if flags.is_empty() { file.iter().map(Word::of).collect() } else { of_flag(flags, flag) }
}

/// The flag's value, or the file's.
fn one(file: &Option<Spanned<impl Text>>, value: &Option<String>, flag: &'static str) -> Option<Word> {
    let value = value.as_ref().map(|value| Word { value: value.clone(), origin: Origin::Flag(flag) });
    value.or_else(|| file.as_ref().map(Word::of))
}

/// `PROGRAM[:TO]`; a file whose name looks like that is just that file.
fn split_program(text: &OsStr) -> fs::Result<Placed> {
    let path = Path::new(text);
    let placed = split_placed(&fs::bytes_of(path));
    if placed.to.is_some() && matches!(fs::look(path)?, Some(fs::Found::File(_) | fs::Found::Link(_))) {
        return Ok(Placed { from: path.to_owned(), to: None });
    }
    Ok(placed)
}

/// What somebody meant who wrote `FROM:TO` with a relative TO.
fn half_placed(path: &Path) -> fs::Result<Option<String>> {
    let text = fs::bytes_of(path);
    let Some(colon) = text.iter().rposition(|&byte| byte == b':') else { return Ok(None) };
    let (from, to) = (text.get(..colon).unwrap_or_default(), text.get(colon + 1..).unwrap_or_default());
    if fs::look(path)?.is_some() || !matches!(fs::look(&fs::path_of(from))?, Some(fs::Found::File(_))) {
        return Ok(None);
    }
    Ok(Some(format!("write it with an absolute TO, as in `{}:/{}`", printable(from), printable(to))))
}

/// `FROM:TO`, divided at the last colon before a slash; a colon elsewhere belongs to a name.
fn split_placed(text: &[u8]) -> Placed {
    match text.windows(2).rposition(|pair| pair == b":/") {
        Some(colon) => {
            let (from, to) = text.split_at(colon);
            Placed { from: fs::path_of(from), to: to.get(1..).map(<[u8]>::to_vec) }
        }
        None => Placed { from: fs::path_of(text), to: None },
    }
}
