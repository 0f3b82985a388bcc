//! A source text with keys of a recipe, and positions in it.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{RecipeError, RecipeProblem, SourcePosition};
use coracle_core::escape::is_unsafe;
use coracle_core::fs::Context;

/// The maximum size of a recipe, in bytes.
const MAX_RECIPE_SIZE: u64 = 1 << 20;

/// Of a long line: characters shown before the position, and in all.
const SHOWN_COLUMNS: (usize, usize) = (40, 96);

/// A TOML text whose root, or one of whose tables, has the keys of a recipe.
#[derive(Clone)]
pub(super) struct TomlSource<'a> {
    /// The file.
    pub(super) path: &'a Path,
    text: &'a str,
    /// The table with the keys, such as `package.metadata.coracle`; empty for the root.
    pub(super) table: &'static str,
    /// The offset that is added to its spans, so that spans of several sources do not overlap.
    pub(super) span_offset: usize,
}

impl<'a> TomlSource<'a> {
    /// Wraps the bytes of the file at `path`. Fails if they are not UTF-8.
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, RecipeError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { path, text, table: "", span_offset: 0 }),
            Err(error) => Err(not_utf8_error(path, bytes, error.valid_up_to())),
        }
    }

    /// Sets the table with the keys, and moves the spans behind those of `other`.
    pub(super) fn with_table(self, table: &'static str, other: Option<&Self>) -> Self {
        Self { table, span_offset: other.map_or(0, |other| other.span_offset + other.text.len() + 1), ..self }
    }

    /// Parses the text. Fails if it is not TOML.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'a>>, RecipeError> {
        let tree = DeTable::parse(self.text).map_err(|error| {
            let span = error.span().unwrap_or(self.text.len()..self.text.len());
            let message = format!("`{}` is not TOML: {}", self.path.display(), error.message());
            let position = Some(self.position(&shift_span(&span, self.span_offset)));
            let is_toml = self.path.extension().is_some_and(|extension| extension == "toml");
            let hint = (!is_toml).then(|| {
                "a recipe is a TOML file, not a Dockerfile: `coracle init PROGRAM` writes one".to_owned()
            });
            RecipeError::Invalid(vec![RecipeProblem { message, hint, position }])
        })?;
        let span = shift_span(&tree.span(), self.span_offset);
        Ok(Spanned::new(span, shift_table_spans(tree.into_inner(), self.span_offset)))
    }

    /// Returns the full header of the table `name` in this text.
    pub(super) fn table_header(&self, name: &str) -> String {
        let words = [self.table, name].into_iter().filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(".")
    }

    /// Returns the position of `span`, one of this source's spans.
    pub(super) fn position(&self, span: &Range<usize>) -> SourcePosition {
        let span = span.start.saturating_sub(self.span_offset)..span.end.saturating_sub(self.span_offset);
        position_in_text(self.path, self.text, &span)
    }
}

/// Reads the recipe at `path`. Fails if it is larger than [`MAX_RECIPE_SIZE`].
pub(super) fn read_recipe_bytes(path: &Path) -> Result<Vec<u8>, RecipeError> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).context("read", path)?;
    file.take(MAX_RECIPE_SIZE + 1).read_to_end(&mut bytes).context("read", path)?;
    if bytes.len() as u64 > MAX_RECIPE_SIZE {
        return Err(RecipeError::TooLarge { path: path.to_owned(), limit: MAX_RECIPE_SIZE });
    }
    Ok(bytes)
}

fn shift_span(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

/// Shifts all spans in `table`.
fn shift_table_spans(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    if by == 0 {
        return table;
    }
    let entry = |(key, value): (Spanned<_>, Spanned<_>)| {
        let span = shift_span(&key.span(), by);
        (Spanned::new(span, key.into_inner()), shift_value_spans(value, by))
    };
    table.into_iter().map(entry).collect()
}

fn shift_value_spans(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = shift_span(&value.span(), by);
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table_spans(table, by)),
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|value| shift_value_spans(value, by)).collect())
        }
        value => value,
    };
    Spanned::new(span, value)
}

fn not_utf8_error(path: &Path, bytes: &[u8], good: usize) -> RecipeError {
    let text: String = bytes.utf8_chunks().map(|chunk| chunk.valid()).take(1).collect();
    let position = Some(position_in_text(path, &text, &(good..good)));
    let message = format!("`{}` is not UTF-8, which TOML requires", path.display());
    RecipeError::Invalid(vec![RecipeProblem { message, hint: None, position }])
}

/// Returns the position of `span` in `text`.
fn position_in_text(path: &Path, text: &str, span: &Range<usize>) -> SourcePosition {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let (before, after) = text.split_at(start);
    let (lines, line_start) = match before.rsplit_once('\n') {
        Some((lines, line_start)) => (lines.matches('\n').count() + 1, line_start),
        None => (0, before),
    };
    let line_end = after.lines().next().unwrap_or_default();
    let column = line_start.chars().count();
    let marked =
        text.get(start..span.end).unwrap_or_default().lines().next().unwrap_or_default().chars().count();
    let hidden = if column + line_end.chars().count() > SHOWN_COLUMNS.1 {
        column.saturating_sub(SHOWN_COLUMNS.0)
    } else {
        0
    };
    let shown = line_start.chars().chain(line_end.chars()).skip(hidden).take(SHOWN_COLUMNS.1);
    SourcePosition {
        path: path.to_owned(),
        line: lines + 1,
        column: column + 1,
        // Unsafe characters become spaces: the marker stays aligned, and a terminal does not act
        // on them.
        text: shown.map(|c| if is_unsafe(c) { ' ' } else { c }).collect(),
        marker: (column - hidden, marked.min(SHOWN_COLUMNS.1 - (column - hidden).min(SHOWN_COLUMNS.1))),
    }
}
