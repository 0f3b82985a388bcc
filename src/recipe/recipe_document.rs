//! A parsed recipe file: its values with their positions, and all unknown keys and wrong types.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{RecipeError, RecipeProblem, SourcePosition};
use super::known_keys::{KeyPathStep, key_path, known_keys, known_keys_of, span_of_key};
use super::schema::{self, RecipeFile};
use super::toml_source::TomlSource;
use coracle_core::hint::most_similar;

/// Tables that need the feature `kube`.
#[cfg(not(feature = "kube"))]
const KUBE_TABLES: [&str; 7] =
    ["config", "environments", "kubernetes", "secret", "state", "values", "variable"];

/// A recipe's source text and its deserialized values.
pub(super) struct RecipeDocument<'a> {
    /// The recipe's own text, then those that it inherits from; their spans do not overlap.
    sources: Vec<TomlSource<'a>>,
    /// The values of the right type.
    pub(super) file: RecipeFile,
    /// Unknown keys and wrong types.
    pub(super) problems: Vec<(Range<usize>, RecipeProblem)>,
}

impl<'a> RecipeDocument<'a> {
    /// Parses the text of the recipe at `path`. Fails if it is not TOML.
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, RecipeError> {
        let source = TomlSource::new(path, bytes)?;
        let tree = source.parse()?;
        Ok(Self::from_sources(vec![source], tree))
    }

    /// Deserializes `tree`, which was merged from `sources`; the first source is the recipe's own.
    pub(super) fn from_sources(sources: Vec<TomlSource<'a>>, tree: Spanned<DeTable<'a>>) -> Self {
        let mut document = Self { sources, file: RecipeFile::default(), problems: Vec::new() };
        document.deserialize(tree);
        document
    }

    /// Returns the directory that relative paths start at.
    pub(super) fn recipe_dir(&self) -> PathBuf {
        super::recipe_paths::recipe_dir_of(self.sources.first().map_or(Path::new(""), |source| source.path))
    }

    /// Returns the position of `span`.
    pub(super) fn position(&self, span: &Range<usize>) -> Option<SourcePosition> {
        self.source_of(span).map(|source| source.position(span))
    }

    /// Returns the full header of the table `name`, such as `package.metadata.coracle.image`, in
    /// the source of `span`.
    pub(super) fn table_header(&self, span: &Range<usize>, name: &str) -> String {
        self.source_of(span).map_or_else(|| name.to_owned(), |source| source.table_header(name))
    }

    fn source_of(&self, span: &Range<usize>) -> Option<&TomlSource<'a>> {
        self.sources.iter().rfind(|source| source.span_offset <= span.start)
    }

    /// Deserializes `tree`. Serde stops at the first value of a wrong type. That value is recorded
    /// as a problem and removed, and serde runs again, so that all problems are found.
    fn deserialize(&mut self, mut tree: Spanned<DeTable<'a>>) {
        loop {
            let mut unknown = Vec::new();
            let result: Result<RecipeFile, toml::de::Error> =
                serde_ignored::deserialize(toml::de::Deserializer::from(tree.clone()), |path| {
                    unknown.push(key_path(&path));
                });
            for path in unknown {
                self.report_unknown_key(tree.get_ref(), &path);
            }
            match result {
                Ok(file) => {
                    self.file = file;
                    return;
                }
                Err(error) => {
                    let span = error.span().unwrap_or(0..0);
                    self.add_problem(span.clone(), error.message().to_owned(), None);
                    if !remove_value(tree.get_mut(), &span) {
                        return;
                    }
                }
            }
        }
    }

    pub(super) fn add_problem(&mut self, span: Range<usize>, message: String, hint: Option<String>) {
        // Skip what an earlier round has found, and tables that lack a key only because it was
        // removed.
        if !self.problems.iter().any(|(known, _)| span.start <= known.start && known.end <= span.end) {
            let position = self.position(&span);
            self.problems.push((span, RecipeProblem { message, hint, position }));
        }
    }

    fn report_unknown_key(&mut self, tree: &DeTable<'_>, path: &[KeyPathStep]) {
        let Some((KeyPathStep::Key(key), parent)) = path.split_last() else { return };
        let Some(span) = span_of_key(tree, parent, key) else { return };
        #[cfg(not(feature = "kube"))]
        if parent.is_empty() && KUBE_TABLES.contains(&key.as_str()) {
            let message = format!("`{key}` cannot be used: Coracle was built without the feature `kube`");
            let hint = "remove the table, or build Coracle with the feature `kube`";
            return self.add_problem(span, message, Some(hint.into()));
        }
        let known = known_keys(parent);
        let header = |name: &str| self.table_header(&span, name);
        let (top, image) = match header("") {
            top if top.is_empty() => ("the recipe".to_owned(), "`[image]`".to_owned()),
            top => (format!("`[{top}]`"), format!("`[{}]`", header("image"))),
        };
        let table = match parent {
            [] => top.clone(),
            [KeyPathStep::Key(name), KeyPathStep::Index(_)] => format!("`[[{}]]`", header(name)),
            [KeyPathStep::Key(name)] => format!("`[{}]`", header(name)),
            [KeyPathStep::Key(name), KeyPathStep::Key(key)] if name == "platform" => {
                format!("`[{}.\"{}\"]`", header(name), coracle_core::path::escape_bytes(key.as_bytes()))
            }
            [KeyPathStep::Key(name), KeyPathStep::Key(key)] if name == "environments" => {
                format!("`[{}.{}]`", header(name), coracle_core::path::escape_bytes(key.as_bytes()))
            }
            [KeyPathStep::Key(name), KeyPathStep::Key(table)] if name == "kubernetes" => {
                format!("`{name}.{table}`")
            }
            [KeyPathStep::Key(name), KeyPathStep::Key(table), KeyPathStep::Key(probe)]
                if name == "kubernetes" =>
            {
                format!("`{name}.{table}.{probe}`")
            }
            _ => "this table".to_owned(),
        };
        let below_image: &[&str] =
            if parent.is_empty() { known_keys_of::<schema::ImageTable>() } else { &[] };
        let (advice, hint) = if below_image.contains(&key.as_str()) {
            (format!("; it belongs below {image}"), None)
        } else if known_keys_of::<RecipeFile>().contains(&key.as_str()) {
            let top =
                if top.starts_with('`') { format!("below {top}") } else { format!("to the top of {top}") };
            (format!("; it belongs {top}"), None)
        } else if let Some(near) = most_similar(key, known.iter().copied()) {
            (format!("; did you mean `{near}`?"), None)
        } else if let Some(near) = most_similar(key, below_image.iter().copied()) {
            (format!("; did you mean `{near}` below {image}?"), None)
        } else {
            let keys: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
            (String::new(), Some(format!("keys of {table}: {}", keys.join(", "))))
        };
        let key = coracle_core::path::escape_bytes(key.as_bytes());
        self.add_problem(span, format!("unknown key `{key}` in {table}{advice}"), hint);
    }
}

/// Removes the value at exactly `span` from `tree`. Returns whether there was one.
fn remove_value(tree: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let key = tree.iter().find(|(_, value)| value.span() == *span).map(|(key, _)| key.get_ref().clone());
    match key {
        Some(key) => tree.remove(key.as_ref()).is_some(),
        None => tree.iter_mut().any(|(_, value)| remove_below(value.get_mut(), span)),
    }
}

fn remove_below(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => remove_value(table, span),
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
