//! Finds where a comment, a tag or a block begins that is not closed. The engine reports the end of
//! the template.

use super::template_source::Delimiters;

/// Block tags that an `end` tag closes.
const CLOSED_TAGS: [&str; 9] = ["for", "if", "with", "set", "block", "autoescape", "filter", "macro", "call"];

/// A part of a template that is not closed.
pub(super) struct UnclosedPart {
    /// What it is, as in the template.
    pub(super) name: String,
    /// The line where it begins, from 1.
    pub(super) line: usize,
}

/// Returns the unclosed part of a template, from the engine's message about its end.
pub(super) fn find_unclosed_part(text: &str, delimiters: &Delimiters, message: &str) -> Option<UnclosedPart> {
    let (variable, block, comment) = (&delimiters.variable, &delimiters.block, &delimiters.comment);
    let (name, offset) = if message.contains("unexpected end of comment") {
        let closed = text.rfind(comment.1.as_str()).map_or(0, |at| at + comment.1.len());
        (comment.0.clone(), closed + text.get(closed..)?.find(comment.0.as_str())?)
    } else if message.contains("unexpected end of raw block") {
        let raw = block_tags(text, delimiters).find(|tag| tag.name == "raw")?;
        (raw.to_text(delimiters), raw.offset)
    } else if message.contains("unexpected end of input, expected end of variable block") {
        (variable.0.clone(), text.rfind(variable.0.as_str())?)
    } else if message.contains("unexpected end of input") || message.contains("unexpected end of string") {
        let tag = unclosed_block(text, delimiters).or_else(|| block_tags(text, delimiters).last())?;
        // A tag that is itself not closed is the last one.
        let is_tag_open = !text.get(tag.offset..)?.contains(block.1.as_str());
        (if is_tag_open { block.0.clone() } else { tag.to_text(delimiters) }, tag.offset)
    } else {
        return None;
    };
    let line = text.get(..offset)?.matches('\n').count() + 1;
    Some(UnclosedPart { name, line })
}

/// A block tag: `{% NAME … %}`.
struct BlockTag<'t> {
    name: &'t str,
    /// `true` if it is a `set` with a value, which has no end.
    has_value: bool,
    offset: usize,
}

impl BlockTag<'_> {
    fn to_text(&self, delimiters: &Delimiters) -> String {
        format!("{} {} {}", delimiters.block.0, self.name, delimiters.block.1)
    }
}

/// Returns the innermost block that has no end.
fn unclosed_block<'t>(text: &'t str, delimiters: &'t Delimiters) -> Option<BlockTag<'t>> {
    let mut open: Vec<BlockTag<'_>> = Vec::new();
    for tag in block_tags(text, delimiters) {
        if CLOSED_TAGS.contains(&tag.name) && !tag.has_value {
            open.push(tag);
        } else if tag.name.strip_prefix("end").is_some_and(|name| CLOSED_TAGS.contains(&name)) {
            open.pop();
        }
    }
    open.pop()
}

fn block_tags<'t>(text: &'t str, delimiters: &'t Delimiters) -> impl Iterator<Item = BlockTag<'t>> {
    let (start, end) = &delimiters.block;
    text.match_indices(start.as_str()).map(move |(offset, _)| {
        let content = text.get(offset + start.len()..).unwrap_or_default();
        let content = content.split(end.as_str()).next().unwrap_or_default();
        let content = content.trim_start_matches(['-', '+']).trim_start();
        let name = content.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let has_value = name == "set" && content.contains('=');
        BlockTag { name, has_value, offset }
    })
}
