//! A source text with keys of a recipe, and positions in it.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Error, Place, Problem};

/// Of a long line: characters shown before the position, and in all.
const SHOWN: (usize, usize) = (40, 96);

/// A TOML text whose root, or one of whose tables, has the keys of a recipe.
#[derive(Clone)]
pub(super) struct Source<'a> {
    /// The file.
    pub(super) path: &'a Path,
    text: &'a str,
    /// The table with the keys, such as `package.metadata.coracle`; empty for the root.
    pub(super) table: &'static str,
    /// The offset that is added to its spans, so that spans of several sources do not overlap.
    pub(super) start: usize,
}

impl<'a> Source<'a> {
    /// Wraps the bytes of the file at `path`. Fails if they are not UTF-8.
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { path, text, table: "", start: 0 }),
            Err(error) => Err(not_text(path, bytes, error.valid_up_to())),
        }
    }

    /// Sets the table with the keys, and moves the spans behind those of `other`.
    pub(super) fn below(self, table: &'static str, other: Option<&Self>) -> Self {
        Self { table, start: other.map_or(0, |other| other.start + other.text.len() + 1), ..self }
    }

    /// Parses the text. Fails if it is not TOML.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'a>>, Error> {
        let tree = DeTable::parse(self.text).map_err(|error| {
            let span = error.span().unwrap_or(self.text.len()..self.text.len());
            let message = format!("`{}` is not TOML: {}", self.path.display(), error.message());
            let place = Some(self.place(&shifted(&span, self.start)));
            Error::Illegal(vec![Problem { message, hint: None, place }])
        })?;
        let span = shifted(&tree.span(), self.start);
        Ok(Spanned::new(span, moved(tree.into_inner(), self.start)))
    }

    /// Returns the full header of the table `name` in this text.
    pub(super) fn header(&self, name: &str) -> String {
        let words = [self.table, name].into_iter().filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(".")
    }

    /// Returns the position of `span`, one of this source's spans.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let span = span.start.saturating_sub(self.start)..span.end.saturating_sub(self.start);
        place(self.path, self.text, &span)
    }
}

fn shifted(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

/// Shifts all spans in `table`.
fn moved(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    if by == 0 {
        return table;
    }
    let entry = |(key, value): (Spanned<_>, Spanned<_>)| {
        let span = shifted(&key.span(), by);
        (Spanned::new(span, key.into_inner()), moved_value(value, by))
    };
    table.into_iter().map(entry).collect()
}

fn moved_value(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = shifted(&value.span(), by);
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(moved(table, by)),
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|value| moved_value(value, by)).collect())
        }
        value => value,
    };
    Spanned::new(span, value)
}

fn not_text(path: &Path, bytes: &[u8], good: usize) -> Error {
    let text: String = bytes.utf8_chunks().map(|chunk| chunk.valid()).take(1).collect();
    let place = Some(place(path, &text, &(good..good)));
    let message = format!("`{}` is not UTF-8, which TOML requires", path.display());
    Error::Illegal(vec![Problem { message, hint: None, place }])
}

/// Returns the position of `span` in `text`.
fn place(path: &Path, text: &str, span: &Range<usize>) -> Place {
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
    let hidden = if column + line_end.chars().count() > SHOWN.1 { column.saturating_sub(SHOWN.0) } else { 0 };
    let shown = line_start.chars().chain(line_end.chars()).skip(hidden).take(SHOWN.1);
    Place {
        path: path.to_owned(),
        line: lines + 1,
        column: column + 1,
        // Control characters become spaces: the marker stays aligned, and a terminal does not act
        // on them.
        text: shown.map(|c| if c.is_control() { ' ' } else { c }).collect(),
        mark: (column - hidden, marked.min(SHOWN.1 - (column - hidden).min(SHOWN.1))),
    }
}
