//! The source of a template: its text, path and delimiters, and the templates that it includes.
//!
//! IncludedTemplates are found in the text. Nothing else can be included, so the keys that a template uses are
//! known without rendering it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::values::KeyPath;

/// A template and its syntax.
#[derive(Clone, Debug)]
pub struct TemplateSource {
    /// The path, for messages; includes are read from its directory and below.
    pub path: PathBuf,
    /// The text of the template.
    pub text: String,
    /// The delimiters and the treatment of white space.
    pub syntax: TemplateSyntax,
}

/// The syntax of a template.
#[derive(Clone, PartialEq, Eq, Default, Debug, Hash)]
pub struct TemplateSyntax {
    /// The delimiters of values, blocks and comments.
    pub delimiters: Delimiters,
    /// `true` if the line feed behind a block is removed.
    pub trim_blocks: bool,
    /// `true` if spaces and tabs between the start of a line and a block are removed.
    pub lstrip_blocks: bool,
}

/// Delimiters of a template, each a start and an end.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Delimiters {
    /// Around values: `{{ }}`.
    pub variable: (String, String),
    /// Around blocks: `{% %}`.
    pub block: (String, String),
    /// Around comments: `{# #}`.
    pub comment: (String, String),
}

impl Default for Delimiters {
    fn default() -> Self {
        let pair = |start: &str, end: &str| (start.to_owned(), end.to_owned());
        Self { variable: pair("{{", "}}"), block: pair("{%", "%}"), comment: pair("{#", "#}") }
    }
}

impl From<[String; 6]> for Delimiters {
    /// Takes start and end of the delimiters of values, blocks and comments.
    fn from(delimiters: [String; 6]) -> Self {
        let [variable, variable_end, block, block_end, comment, comment_end] = delimiters;
        Self {
            variable: (variable, variable_end),
            block: (block, block_end),
            comment: (comment, comment_end),
        }
    }
}

impl From<Delimiters> for [String; 6] {
    fn from(delimiters: Delimiters) -> Self {
        let Delimiters { variable, block, comment } = delimiters;
        [variable.0, variable.1, block.0, block.1, comment.0, comment.1]
    }
}

impl TemplateSource {
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Returns the name by which includes refer to this template.
    pub(super) fn file_name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Returns the path of the template or include of this name.
    pub(super) fn path_of(&self, name: &str) -> String {
        self.directory().join(name).display().to_string()
    }
}

/// The keys that a template and its includes may use; a table's key represents all of its contents.
pub type UsedKeys = BTreeSet<KeyPath>;

/// The largest template, in bytes.
const MAX_TEMPLATE_BYTES: u64 = 4 << 20;
/// The most templates that are included.
const MAX_INCLUDES: usize = 256;
/// Tags that include templates.
const INCLUDE_TAGS: [&str; 4] = ["include", "import", "from", "extends"];

/// Included texts by name; `None` for a missing file, an error for one that may not be read.
pub(super) type IncludedTemplates = BTreeMap<String, Result<Option<String>, String>>;

/// Reads the includes of `template`, recursively.
pub(super) fn read_includes(template: &TemplateSource) -> IncludedTemplates {
    let mut found = IncludedTemplates::new();
    let mut pending = included_names(&template.text, &template.syntax.delimiters);
    while let Some(name) = pending.pop() {
        if found.contains_key(&name) || found.len() == MAX_INCLUDES {
            continue;
        }
        let text = read_include(template.directory(), &name);
        if let Ok(Some(text)) = &text {
            pending.extend(included_names(text, &template.syntax.delimiters));
        }
        found.insert(name, text);
    }
    found
}

/// Converts texts that are already in memory.
pub(super) fn from_texts(texts: &BTreeMap<String, String>) -> IncludedTemplates {
    texts.iter().map(|(name, text)| (name.clone(), Ok(Some(text.clone())))).collect()
}

/// Returns the string literals in tags that include templates.
fn included_names(text: &str, delimiters: &Delimiters) -> Vec<String> {
    let (start, end) = &delimiters.block;
    let blocks =
        text.split(start.as_str()).skip(1).map(|rest| rest.split(end.as_str()).next().unwrap_or(rest));
    let naming = blocks.filter(|block| {
        let block = block.trim_start_matches(['-', '+']).trim_start();
        INCLUDE_TAGS.iter().any(|tag| {
            block
                .strip_prefix(tag)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    });
    naming.flat_map(string_literals).collect()
}

fn string_literals(block: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = block;
    while let Some(start) = rest.find(['"', '\'']) {
        let (quote, after) = rest.split_at(start).1.split_at(1);
        let Some(end) = after.find(quote) else { break };
        let (word, after) = after.split_at(end);
        words.push(word.to_owned());
        rest = after.get(1..).unwrap_or_default();
    }
    words
}

/// Reads a template below `folder`, following symbolic links; `None` if there is none.
fn read_include(folder: &Path, name: &str) -> Result<Option<String>, String> {
    let is_below = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_below {
        return Err(format!("`{name}` is outside of the template's directory"));
    }
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let (Ok(real), Ok(above)) = (std::fs::canonicalize(folder.join(name)), std::fs::canonicalize(folder))
    else {
        return Ok(None);
    };
    if !real.starts_with(above) {
        return Err(format!("`{name}` is a symbolic link to a file outside of the template's directory"));
    }
    if std::fs::metadata(&real).is_ok_and(|metadata| metadata.len() > MAX_TEMPLATE_BYTES) {
        return Err(format!("`{name}` is larger than {MAX_TEMPLATE_BYTES} bytes"));
    }
    std::fs::read_to_string(&real).map(Some).map_err(|error| format!("cannot read `{name}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_in_tags() {
        for (text, expected) in [
            ("{% include 'a.j2' %}", vec!["a.j2"]),
            ("{%- extends \"b\" -%}{{ 'c' }}{% if x == 'd' %}", vec!["b"]),
            ("{% include ['a', 'b'] ignore missing %}", vec!["a", "b"]),
            ("{% from 'm' import f %}{%import 'n' as n%}", vec!["m", "n"]),
            ("{% included 'a' %}{% include 'a", vec![]),
        ] {
            assert_eq!(included_names(text, &Delimiters::default()), expected, "{text}");
        }
    }
}
