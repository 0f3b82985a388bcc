//! Rendered text, with the template line that each part comes from.

use std::ops::Range;

use minijinja::OutputSpan;

use super::source::{Template, UsedKeys};

/// The output of a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenderedText {
    /// The rendered text.
    pub text: String,
    /// The keys whose values may be in the text.
    pub used_keys: UsedKeys,
    spans: Vec<SpanOrigin>,
}

/// A part of the output and the part of a template that it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
struct SpanOrigin {
    output: Range<usize>,
    file: String,
    source: Range<usize>,
    line: usize,
}

pub(super) fn from_spans(
    template: &Template,
    text: String,
    spans: &[OutputSpan],
    uses: UsedKeys,
) -> RenderedText {
    let span_origin = |span: &OutputSpan| SpanOrigin {
        output: span.output_range(),
        file: template.path_of(span.name()),
        source: span.source_range(),
        line: span.line(),
    };
    RenderedText { text, used_keys: uses, spans: spans.iter().map(span_origin).collect() }
}

impl RenderedText {
    /// Returns the template and line that the byte at `offset` comes from; `None` for an empty
    /// template.
    pub fn template_line(&self, offset: usize) -> Option<(&str, usize)> {
        let span = self.spans.iter().rev().find(|origin| origin.output.start <= offset)?;
        // Literal text may span several lines.
        let is_literal = span.output.len() == span.source.len();
        let before = self.text.get(span.output.start..offset.min(span.output.end)).unwrap_or_default();
        Some((&span.file, span.line + if is_literal { before.matches('\n').count() } else { 0 }))
    }
}
