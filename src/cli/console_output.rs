//! Output of the command line: data on stdout, messages (`error:`, `warning:`, `hint:`) on stderr.
//! Errors of writing messages are ignored. Reports escape untrusted text where they format it. What
//! reaches a terminal is escaped once more, except for styles and line ends.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use coracle_core::escape::{escape_json, escape_text, push_escaped};
use coracle_core::note::{DependencyNote, Note};
use serde::Serialize;

use super::error::{CliError, CliExit};
use super::line_wrap::wrap;
use super::missing_dependencies;
use super::recipe_tables::with_table_names_of_recipe;

/// The minimum width of a terminal for which text is wrapped.
const MIN_WIDTH: usize = 40;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// Emphasized text.
pub(super) const BOLD: Style = Style::new().bold();
/// Less important text.
pub(super) const DIM: Style = Style::new().dimmed();

/// Writes `text` to stdout. A broken pipe is not an error.
pub(super) fn print_data(text: &str) -> Result<(), CliError> {
    write_and_flush(anstream::stdout().lock(), escape_except_styles(text).as_bytes())
}

/// Writes a report for people to stdout, wrapped between words on a terminal.
pub(super) fn print_report(text: &str) -> Result<(), CliError> {
    print_wrapped(text, None)
}

/// Writes a table for people to stdout. On a terminal, rows are wrapped between words and continue in `column`.
pub(super) fn print_table(text: &str, column: usize) -> Result<(), CliError> {
    print_wrapped(text, Some(column))
}

fn print_wrapped(text: &str, indent: Option<usize>) -> Result<(), CliError> {
    match terminal_width(&io::stdout()) {
        Some(width) => print_data(&wrap(text, width, indent)),
        None => print_data(text),
    }
}

/// Writes bytes to stdout unchanged. A broken pipe is not an error.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    write_and_flush(io::stdout().lock(), bytes)
}

fn write_and_flush(mut stdout: impl io::Write, bytes: &[u8]) -> Result<(), CliError> {
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::stdout_error(&error)),
        _ => Ok(()),
    }
}

/// Writes `report` to stdout as one line of JSON.
pub(super) fn print_json(report: &impl Serialize) -> Result<(), CliError> {
    print_data(&json_line(report)?)
}

/// Formats `report` as one line of JSON with sorted keys.
pub(super) fn json_line(report: &impl Serialize) -> Result<String, CliError> {
    let bytes = coracle_core::json::to_bytes(report)
        .map_err(|error| CliError::internal(&format!("cannot write the report as JSON: {error}")))?;
    Ok(escape_json(&String::from_utf8_lossy(&bytes)) + "\n")
}

/// Prints a command's error, and its hints after an empty line.
pub(super) fn print_error(failure: &CliError) {
    let mut text = with_label(ERROR, "error", &failure.message);
    for (index, hint) in failure.hint.iter().flat_map(|hint| hint.lines()).enumerate() {
        text.push_str(if index == 0 { "\n" } else { "" });
        text.push_str(&with_label(HINT, "hint", hint));
    }
    print_message(&text);
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
        print_message("\n");
    }
    last
}

/// Prints notes; only warnings if `quiet`. Of missing dependencies, only the most likely are
/// printed.
pub(super) fn print_notes(notes: &[Note], quiet: bool) {
    print_notes_with(notes, quiet, missing_dependencies::to_summary);
}

/// Prints notes like [`print_notes`], with everything that the image may lack and the arguments that add it.
pub(super) fn print_all_notes(notes: &[Note], quiet: bool) {
    print_notes_with(notes, quiet, missing_dependencies::to_list);
}

fn print_notes_with(notes: &[Note], quiet: bool, format: fn(&[&DependencyNote]) -> String) {
    let dependencies: Vec<&DependencyNote> = notes.iter().filter_map(Note::dependency).collect();
    for note in notes {
        match note {
            Note::Warning(message) => print_message(&with_label(WARNING, "warning", message)),
            Note::Hint(message) if !quiet => print_message(&with_label(HINT, "hint", message)),
            Note::Hint(_) | Note::Dependency(_) => {}
        }
    }
    if !dependencies.is_empty() && !quiet {
        print_message(&with_label(HINT, "hint", &format(&dependencies)));
    }
}

/// Prints text to stderr, wrapped between words on a terminal.
pub(super) fn print_message(text: &str) {
    let text = escape_except_styles(text);
    let _ = match terminal_width(&io::stderr()) {
        Some(width) => anstream::stderr().write_all(wrap(&text, width, None).as_bytes()),
        None => anstream::stderr().write_all(text.as_bytes()),
    };
}

/// Prints text to stderr unchanged, such as what is to be copied.
pub(super) fn print_unwrapped(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// Returns the width of the terminal, or `None` if the stream is not a terminal.
fn terminal_width(stream: &impl io::IsTerminal) -> Option<usize> {
    let (terminal_size::Width(width), _) = stream.is_terminal().then(terminal_size::terminal_size)??;
    Some(usize::from(width).max(MIN_WIDTH))
}

/// Prints text of a child process that may show progress in the last line, which is erased.
pub(super) fn print_over_progress(text: &str) {
    let erase = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
    print_unwrapped(&format!("{erase}{text}"));
}

fn with_label(style: Style, label: &str, message: &str) -> String {
    format!("{style}{label}:{style:#} {}\n", indent_and_escape(&with_table_names_of_recipe(message)))
}

/// Indents all lines except the first, and escapes them.
fn indent_and_escape(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for (index, line) in message.lines().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if index > 0 && !line.is_empty() && !line.starts_with(' ') {
            text.push_str("  ");
        }
        text.push_str(&escape_text(line));
    }
    text
}

/// Escapes everything except line ends, tabs and styles, `ESC [ NUMBERS m`. Styles in untrusted text were
/// escaped before.
fn escape_except_styles(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((style, after)) = split_style(rest) {
            escaped.push_str(style);
            rest = after;
            continue;
        }
        if matches!(c, '\n' | '\t') {
            escaped.push(c);
        } else {
            push_escaped(&mut escaped, c);
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    escaped
}

/// Splits a style off the start of `text`.
fn split_style(text: &str) -> Option<(&str, &str)> {
    let numbers = text.strip_prefix("\x1b[")?;
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    numbers.get(end..)?.starts_with('m').then(|| text.split_at_checked("\x1b[".len() + end + 1))?
}

/// Returns a number with its noun: `1 file`, `2 files`, `2 directories`.
pub(super) fn count_noun(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indents_lines_and_escapes_control_characters() {
        assert_eq!(indent_and_escape("a\nb\n  c\n\nd\x1b[2J"), "a\n  b\n  c\n\n  d\\u{1b}[2J");
    }

    #[test]
    fn only_styles_reach_the_terminal() {
        let styled = format!("{BOLD}a{BOLD:#}\n{ERROR}b{ERROR:#}");
        assert_eq!(escape_except_styles(&styled), styled);
        assert_eq!(
            escape_except_styles("\x1b[2Ja\x1b]8;;x\x07\r\u{202e}\x1b[1"),
            "\\u{1b}[2Ja\\u{1b}]8;;x\\u{7}\\r\\u{202e}\\u{1b}[1"
        );
    }

    #[test]
    fn forms_plurals() {
        for (number, noun, expected) in [
            (1, "file", "1 file"),
            (0, "file", "0 files"),
            (1, "directory", "1 directory"),
            (2, "directory", "2 directories"),
        ] {
            assert_eq!(count_noun(number, noun), expected);
        }
    }
}
