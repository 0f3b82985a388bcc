//! Stanzas of a status file: `deb822(5)`.

use crate::database_file::lines;

/// The fields of one package.
#[derive(Clone, Copy)]
pub(super) struct Stanza<'a> {
    pub(super) text: &'a [u8],
    /// The offset in the file.
    pub(super) start: usize,
}

impl<'a> Stanza<'a> {
    /// Splits a file at empty lines.
    pub(super) fn split(text: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut rest = text;
        let all = std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = memchr::memmem::find(rest, b"\n\n").map_or(rest.len(), |end| end + 1);
            let start = text.len() - rest.len();
            let (stanza, after) = rest.split_at_checked(end)?;
            rest = after.strip_prefix(b"\n").unwrap_or(after);
            Some(Self { text: stanza, start })
        });
        all.filter(|stanza| !stanza.name().is_empty())
    }

    /// Returns the value of the first line of a field.
    pub(super) fn field(&self, name: &str) -> Option<&'a [u8]> {
        lines(self.text).find_map(|line| {
            let value = field_value(line, name)?;
            Some(value.trim_ascii())
        })
    }

    /// Returns the lines of a field after its first, without the leading space.
    pub(super) fn continuation_lines(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let after = lines(self.text).skip_while(move |line| field_value(line, name).is_none()).skip(1);
        after.map_while(|line| line.strip_prefix(b" "))
    }

    pub(super) fn name(&self) -> &'a [u8] {
        self.field("Package").unwrap_or_default()
    }

    /// Returns whether the package's files are there. A stanza of an image without dpkg may have no status.
    pub(super) fn is_installed(&self) -> bool {
        let Some(status) = self.field("Status") else { return true };
        let state = status.rsplit(u8::is_ascii_whitespace).next();
        !matches!(state, Some(b"not-installed" | b"config-files"))
    }

    /// Returns the names of the packages that this one depends on, with alternatives.
    pub(super) fn dependencies(&self) -> impl Iterator<Item = &'a [u8]> {
        let fields = ["Pre-Depends", "Depends"].map(|name| self.field(name).unwrap_or_default());
        let relations = fields.into_iter().flat_map(|value| value.split(|byte| b",|".contains(byte)));
        relations.map(|relation| {
            let relation = relation.trim_ascii();
            relation.split(|byte| b" (:".contains(byte)).next().unwrap_or(relation)
        })
    }
}

/// Returns the rest of `line` if it starts with the name of the field.
fn field_value<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    if start.eq_ignore_ascii_case(name.as_bytes()) { rest.strip_prefix(b":") } else { None }
}
