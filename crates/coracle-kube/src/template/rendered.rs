//! What a template made, and which of its lines made what.

use std::ops::Range;

use minijinja::OutputSpan;

use super::{Template, Uses};

/// The text that a template made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// Byte for byte.
    pub text: String,
    /// The values that may be in it.
    pub uses: Uses,
    spans: Vec<Origin>,
}

/// A part of the text and the place in a template that it is from.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Origin {
    output: Range<usize>,
    file: String,
    source: Range<usize>,
    line: usize,
}

pub(super) fn of(template: &Template, text: String, spans: &[OutputSpan], uses: Uses) -> Rendered {
    let origin = |span: &OutputSpan| Origin {
        output: span.output_range(),
        file: template.file(span.name()),
        source: span.source_range(),
        line: span.line(),
    };
    Rendered { text, uses, spans: spans.iter().map(origin).collect() }
}

impl Rendered {
    /// The template and its line behind the byte at `offset`; nothing for a text that nobody made.
    pub fn origin(&self, offset: usize) -> Option<(&str, usize)> {
        let at = self.spans.iter().rev().find(|origin| origin.output.start <= offset)?;
        // Text that stands in the template as it is may have many lines.
        let is_plain = at.output.len() == at.source.len();
        let before = self.text.get(at.output.start..offset.min(at.output.end)).unwrap_or_default();
        Some((&at.file, at.line + if is_plain { before.matches('\n').count() } else { 0 }))
    }
}
