//! A parsed recipe file: its values with their positions, and all unknown keys and wrong types.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Error, Place, Problem};
use super::schema::{self, File};
use super::source::Source;
use coracle_core::suggest::nearest;

/// A recipe's source text and its deserialized values.
pub(super) struct Document<'a> {
    /// The recipe's own text, then those that it inherits from; their spans do not overlap.
    sources: Vec<Source<'a>>,
    /// The values of the right type.
    pub(super) file: File,
    /// Unknown keys and wrong types.
    pub(super) problems: Vec<(Range<usize>, Problem)>,
}

impl<'a> Document<'a> {
    /// Parses the text of the recipe at `path`. Fails if it is not TOML.
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, Error> {
        let source = Source::new(path, bytes)?;
        let tree = source.parse()?;
        Ok(Self::of(vec![source], tree))
    }

    /// Deserializes `tree`, which was merged from `sources`; the first source is the recipe's own.
    pub(super) fn of(sources: Vec<Source<'a>>, tree: Spanned<DeTable<'a>>) -> Self {
        let mut document = Self { sources, file: File::default(), problems: Vec::new() };
        document.read(tree);
        document
    }

    /// Returns the directory that relative paths start at.
    pub(super) fn folder(&self) -> PathBuf {
        super::folder_of(self.sources.first().map_or(Path::new(""), |source| source.path))
    }

    /// Returns the position of `span`.
    pub(super) fn place(&self, span: &Range<usize>) -> Option<Place> {
        self.source(span).map(|source| source.place(span))
    }

    /// Returns the full header of the table `name`, such as `package.metadata.coracle.image`, in
    /// the source of `span`.
    pub(super) fn header(&self, span: &Range<usize>, name: &str) -> String {
        self.source(span).map_or_else(|| name.to_owned(), |source| source.header(name))
    }

    fn source(&self, span: &Range<usize>) -> Option<&Source<'a>> {
        self.sources.iter().rfind(|source| source.start <= span.start)
    }

    /// Deserializes `tree`. Serde stops at the first value of a wrong type. That value is recorded
    /// as a problem and removed, and serde runs again, so that all problems are found.
    fn read(&mut self, mut tree: Spanned<DeTable<'a>>) {
        loop {
            let mut unknown = Vec::new();
            let result: Result<File, toml::de::Error> =
                serde_ignored::deserialize(toml::de::Deserializer::from(tree.clone()), |path| {
                    unknown.push(steps(&path));
                });
            for path in unknown {
                self.note_unknown(tree.get_ref(), &path);
            }
            match result {
                Ok(file) => {
                    self.file = file;
                    return;
                }
                Err(error) => {
                    let span = error.span().unwrap_or(0..0);
                    self.note(span.clone(), error.message().to_owned(), None);
                    if !remove(tree.get_mut(), &span) {
                        return;
                    }
                }
            }
        }
    }

    pub(super) fn note(&mut self, span: Range<usize>, message: String, hint: Option<String>) {
        // Skip what an earlier round has found, and tables that lack a key only because it was
        // removed.
        if !self.problems.iter().any(|(known, _)| span.start <= known.start && known.end <= span.end) {
            let place = self.place(&span);
            self.problems.push((span, Problem { message, hint, place }));
        }
    }

    fn note_unknown(&mut self, tree: &DeTable<'_>, path: &[Step]) {
        let Some((Step::Key(key), parent)) = path.split_last() else { return };
        let Some(span) = span_of_key(tree, parent, key) else { return };
        let known = known_keys(parent);
        let header = |name: &str| self.header(&span, name);
        let (top, image) = match header("") {
            top if top.is_empty() => ("the recipe".to_owned(), "`[image]`".to_owned()),
            top => (format!("`[{top}]`"), format!("`[{}]`", header("image"))),
        };
        let table = match parent {
            [] => top.clone(),
            [Step::Key(name), Step::Index(_)] => format!("`[[{}]]`", header(name)),
            [Step::Key(name)] => format!("`[{}]`", header(name)),
            [Step::Key(name), Step::Key(key)] if name == "platform" => {
                format!("`[{}.\"{}\"]`", header(name), coracle_core::path::printable(key.as_bytes()))
            }
            [Step::Key(name), Step::Key(key)] if name == "environments" => {
                format!("`[{}.{}]`", header(name), coracle_core::path::printable(key.as_bytes()))
            }
            [Step::Key(name), Step::Key(table)] if name == "kubernetes" => format!("`{name}.{table}`"),
            [Step::Key(name), Step::Key(table), Step::Key(probe)] if name == "kubernetes" => {
                format!("`{name}.{table}.{probe}`")
            }
            _ => "this table".to_owned(),
        };
        let below_image: &[&str] = if parent.is_empty() { schema::keys_of::<schema::Image>() } else { &[] };
        let (advice, hint) = if below_image.contains(&key.as_str()) {
            (format!("; it belongs below {image}"), None)
        } else if schema::keys_of::<File>().contains(&key.as_str()) {
            let top =
                if top.starts_with('`') { format!("below {top}") } else { format!("to the top of {top}") };
            (format!("; it belongs {top}"), None)
        } else if let Some(near) = nearest(key, known.iter().copied()) {
            (format!("; did you mean `{near}`?"), None)
        } else if let Some(near) = nearest(key, below_image.iter().copied()) {
            (format!("; did you mean `{near}` below {image}?"), None)
        } else {
            let keys: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
            (String::new(), Some(format!("keys of {table}: {}", keys.join(", "))))
        };
        let key = coracle_core::path::printable(key.as_bytes());
        self.note(span, format!("unknown key `{key}` in {table}{advice}"), hint);
    }
}

/// One step of the path to a value.
enum Step {
    Key(String),
    Index(usize),
}

fn steps(path: &serde_ignored::Path<'_>) -> Vec<Step> {
    use serde_ignored::Path as P;
    let (mut before, step) = match path {
        P::Root => return Vec::new(),
        P::Seq { parent, index } => (steps(parent), Some(Step::Index(*index))),
        // The internal keys of `Spanned`.
        P::Map { parent, key } if key.starts_with("$__serde_spanned") => (steps(parent), None),
        P::Map { parent, key } => (steps(parent), Some(Step::Key(key.clone()))),
        P::Some { parent } | P::NewtypeStruct { parent } | P::NewtypeVariant { parent } => {
            (steps(parent), None)
        }
    };
    before.extend(step);
    before
}

/// Returns the known keys of the table at `path`.
fn known_keys(path: &[Step]) -> &'static [&'static str] {
    match path {
        [] => schema::keys_of::<File>(),
        [Step::Key(name)] if name == "runtime" => schema::keys_of::<schema::Runtime>(),
        [Step::Key(name)] if name == "budget" => schema::keys_of::<schema::Budget>(),
        [Step::Key(name)] if name == "values" => schema::keys_of::<schema::Values>(),
        [Step::Key(name)] if name == "kubernetes" => schema::keys_of::<schema::Kubernetes>(),
        [Step::Key(name), Step::Key(table)] if name == "kubernetes" && table == "resources" => {
            schema::keys_of::<schema::Resources>()
        }
        [Step::Key(name), Step::Key(_)] if name == "kubernetes" => schema::keys_of::<schema::Probes>(),
        [Step::Key(name), Step::Key(_), Step::Key(_)] if name == "kubernetes" => {
            schema::keys_of::<schema::Probe>()
        }
        [Step::Key(_)] => schema::keys_of::<schema::Image>(),
        [Step::Key(name), Step::Index(_)] if name == "config" => schema::keys_of::<schema::Config>(),
        [Step::Key(name), Step::Index(_)] if name == "secret" => schema::keys_of::<schema::Secret>(),
        [Step::Key(name), Step::Index(_)] if name == "state" => schema::keys_of::<schema::State>(),
        [Step::Key(name), Step::Index(_)] if name == "variable" => schema::keys_of::<schema::Variable>(),
        [Step::Key(_), Step::Index(_)] => schema::keys_of::<schema::Include>(),
        [Step::Key(name), Step::Key(_)] if name == "platform" => schema::keys_of::<schema::Platform>(),
        [Step::Key(name), Step::Key(_)] if name == "environments" => schema::keys_of::<schema::Environment>(),
        [Step::Key(name), Step::Index(_), Step::Key(_), Step::Index(_)] if name == "config" => {
            schema::keys_of::<schema::TemplateTable>()
        }
        _ => schema::keys_of::<schema::Placed>(),
    }
}

fn span_of_key(tree: &DeTable<'_>, parent: &[Step], key: &str) -> Option<Range<usize>> {
    let mut table = tree;
    let mut value: Option<&DeValue<'_>> = None;
    for step in parent {
        let next = match (step, value) {
            (Step::Key(key), _) => table.get(key.as_str())?.get_ref(),
            (Step::Index(index), Some(value)) => value.get(*index)?.get_ref(),
            (Step::Index(_), None) => return None,
        };
        table = next.as_table().unwrap_or(table);
        value = Some(next);
    }
    table.iter().find(|(known, _)| known.get_ref() == key).map(|(known, _)| known.span())
}

/// Removes the value at exactly `span` from `tree`. Returns whether there was one.
fn remove(tree: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let key = tree.iter().find(|(_, value)| value.span() == *span).map(|(key, _)| key.get_ref().clone());
    match key {
        Some(key) => tree.remove(key.as_ref()).is_some(),
        None => tree.iter_mut().any(|(_, value)| remove_below(value.get_mut(), span)),
    }
}

fn remove_below(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => remove(table, span),
        DeValue::Array(array) => {
            let kept: Vec<_> = array.iter().filter(|value| value.span() != *span).cloned().collect();
            if kept.len() == array.len() {
                return array.iter_mut().any(|value| remove_below(value.get_mut(), span));
            }
            *array = kept.into_iter().collect();
            true
        }
        _ => false,
    }
}
