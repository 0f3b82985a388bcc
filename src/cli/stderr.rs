//! Messages on stderr: `error:`, `warning:`, `hint:` and others. Errors of writing them are
//! ignored.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use coracle_core::note::Note;

use super::error::{CliError, CliExit};
use super::text::escape_control;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// Emphasized text.
pub(super) const BOLD: Style = Style::new().bold();
/// Less important text.
pub(super) const DIM: Style = Style::new().dimmed();

/// Prints a command's error, and its hints after an empty line.
pub(super) fn print_error(failure: &CliError) {
    let mut text = with_label(ERROR, "error", &failure.message);
    for (index, hint) in failure.hint.iter().flat_map(|hint| hint.lines()).enumerate() {
        text.push_str(if index == 0 { "\n" } else { "" });
        text.push_str(&with_label(HINT, "hint", hint));
    }
    write(&text);
}

/// Prints all failures except the last, which is returned with the exit code of the first.
/// Repeated interruptions count once.
pub(super) fn print_all_but_last(mut failures: Vec<CliError>) -> Option<CliError> {
    let exit = failures.first()?.exit;
    failures
        .dedup_by(|later, earlier| later.exit == CliExit::Interrupted && later.message == earlier.message);
    let mut failures = failures.into_iter().rev();
    let last = failures.next().map(|failure| CliError { exit, ..failure });
    for failure in failures.rev() {
        print_error(&failure);
        print("\n");
    }
    last
}

/// Prints notes; only warnings if `quiet`.
pub(super) fn print_notes(notes: &[Note], quiet: bool) {
    for note in notes {
        match note {
            Note::Warning(message) => write(&with_label(WARNING, "warning", message)),
            Note::Hint(message) if !quiet => write(&with_label(HINT, "hint", message)),
            Note::Hint(_) => {}
        }
    }
}

/// Prints text unchanged.
pub(super) fn print(text: &str) {
    write(text);
}

/// Prints text of a child process that may show progress in the last line, which is erased.
pub(super) fn print_over_progress(text: &str) {
    let erase = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
    write(&format!("{erase}{text}"));
}

fn with_label(style: Style, label: &str, message: &str) -> String {
    format!("{style}{label}:{style:#} {}\n", indent_and_escape(message))
}

/// Indents all lines except the first. Control characters are escaped, because file names are
/// untrusted and must not control the terminal.
fn indent_and_escape(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for (index, line) in message.lines().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if index > 0 && !line.is_empty() && !line.starts_with(' ') {
            text.push_str("  ");
        }
        text.push_str(&escape_control(line));
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
    fn indents_lines_and_escapes_control_characters() {
        assert_eq!(indent_and_escape("a\nb\n  c\n\nd\x1b[2J"), "a\n  b\n  c\n\n  d\\u{1b}[2J");
    }
}
