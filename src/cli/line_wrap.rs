//! Wraps text at the terminal's width, between words: a path, a digest or a command is never cut.

/// Wraps all lines that are wider than `width`. Continuations are indented by `indent` columns, or else by two more
/// than the line. Excerpts of files, which have a bar after the line number, keep their lines.
pub(super) fn wrap(text: &str, width: usize, indent: Option<usize>) -> String {
    let lines = text.split_inclusive('\n');
    lines
        .map(|line| {
            if column_count(line) <= width || is_excerpt(line) {
                line.to_owned()
            } else {
                wrap_line(line, width, indent)
            }
        })
        .collect()
}

fn wrap_line(line: &str, width: usize, indent: Option<usize>) -> String {
    let own = line.chars().take_while(|c| *c == ' ').count();
    let indent = indent.unwrap_or(own + 2);
    let (mut wrapped, mut column, mut has_word) = (String::new(), 0, false);
    for word in line.split_inclusive(' ') {
        let length = column_count(word.trim_end());
        if has_word && length > 0 && column + length > width {
            wrapped.truncate(wrapped.trim_end_matches(' ').len());
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            (column, has_word) = (indent, false);
        }
        wrapped.push_str(word);
        column += column_count(word);
        has_word |= length > 0;
    }
    wrapped
}

/// Returns the number of columns of `text`, without escape sequences and line ends.
fn column_count(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().filter(|c| !c.is_control()).count()
}

/// Returns whether the line is part of an excerpt: `  2 | name = …`.
fn is_excerpt(line: &str) -> bool {
    line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_between_words() {
        for (text, expected) in [
            ("short\n", "short\n"),
            ("one two three four five\n", "one two three\n  four five\n"),
            ("  a    1.0 kB sha256:0123456789\n", "  a    1.0 kB\n    sha256:0123456789\n"),
            ("a very-long-word-without-space\n", "a\n  very-long-word-without-space\n"),
            ("very-long-word-without-space\n", "very-long-word-without-space\n"),
            ("  2 | name = \"much too long\"\n", "  2 | name = \"much too long\"\n"),
            ("\x1b[1mbold\x1b[0m and not wrapped\n", "\x1b[1mbold\x1b[0m and not\n  wrapped\n"),
            ("\n\nx", "\n\nx"),
        ] {
            assert_eq!(wrap(text, 16, None), expected, "{text:?}");
        }
    }

    #[test]
    fn continues_rows_of_a_table_in_their_column() {
        let row = "  1 kB  /app/program  program of the recipe\n";
        assert_eq!(wrap(row, 24, Some(8)), "  1 kB  /app/program\n        program of the\n        recipe\n");
    }
}
