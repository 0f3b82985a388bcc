//! What is said on stderr: `error:`, `warning:` and `hint:`, and plain talk. Who can't hear it is no error.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use coracle_core::note::Note;

use super::failure::Failure;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// What stands out in talk.
pub(super) const STRONG: Style = Style::new().bold();
/// What only some readers need.
pub(super) const FAINT: Style = Style::new().dimmed();

/// Why a command failed; then, behind an empty line, what to do.
pub(super) fn failure(failure: &Failure) {
    let mut text = labelled(ERROR, "error", &failure.message);
    for (index, hint) in failure.hint.iter().flat_map(|hint| hint.lines()).enumerate() {
        text.push_str(if index == 0 { "\n" } else { "" });
        text.push_str(&labelled(HINT, "hint", hint));
    }
    write(&text);
}

/// What somebody should know; who wants quiet hears the warnings alone.
pub(super) fn notes(notes: &[Note], quiet: bool) {
    for note in notes {
        match note {
            Note::Warning(message) => write(&labelled(WARNING, "warning", message)),
            Note::Hint(message) if !quiet => write(&labelled(HINT, "hint", message)),
            Note::Hint(_) => {}
        }
    }
}

/// Talk, with its own styles.
pub(super) fn talk(text: &str) {
    write(text);
}

/// What another says, while it may show how far it is in the last line: that line gives way.
pub(super) fn beside_progress(text: &str) {
    let erase = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
    write(&format!("{erase}{text}"));
}

fn labelled(style: Style, label: &str, message: &str) -> String {
    format!("{style}{label}:{style:#} {}\n", indented(message))
}

/// The first line as it is, and what belongs to it below it and to its right. Control characters are escaped: names
/// of files are anybody's, and must not move the cursor.
fn indented(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for (index, line) in message.lines().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if index > 0 && !line.is_empty() && !line.starts_with(' ') {
            text.push_str("  ");
        }
        for c in line.chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
    }
    text
}

fn write(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_indented_and_can_not_reach_the_terminal() {
        assert_eq!(indented("a\nb\n  c\n\nd\x1b[2J"), "a\n  b\n  c\n\n  d\\u{1b}[2J");
    }
}
