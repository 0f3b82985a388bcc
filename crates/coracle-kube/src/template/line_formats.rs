//! Checks of formats that consist of lines: INI, Java properties and environment files.

use super::error::SyntaxError;

/// How strictly INI files are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IniSyntax {
    Strict,
    Lenient,
}

/// Checks INI: sections in brackets, `name = value` or `name: value`, comments after `;` or `#`. A
/// line that starts with a space or tab continues the value before it. Lenient INI also has names
/// without a value, `%include` and `!include`.
pub(super) fn validate_ini(text: &str, syntax: IniSyntax) -> Result<(), SyntaxError> {
    let mut has_name = false;
    validate_lines(text, |line| {
        let is_continuation = line.starts_with([' ', '\t']) && has_name;
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) || is_continuation {
            return Ok(());
        }
        if let Some(section) = line.strip_prefix('[') {
            has_name = false;
            let name = section.split_once(']').map(|(name, _)| name.trim());
            return if name.is_some_and(|name| !name.is_empty()) {
                Ok(())
            } else {
                Err("a section header has no name or no closing `]`")
            };
        }
        has_name = true;
        match line.split_once(['=', ':']) {
            Some((name, _)) if !name.trim().is_empty() => Ok(()),
            None if syntax == IniSyntax::Lenient => Ok(()),
            _ => Err("a line is neither a section nor `name = value`"),
        }
    })
}

/// Checks Java properties: any line is valid, except for invalid escapes.
pub(super) fn validate_properties(text: &str) -> Result<(), SyntaxError> {
    validate_lines(text, |line| {
        let mut rest = line;
        while let Some((_, escaped)) = rest.split_once('\\') {
            if let Some(code) = escaped.strip_prefix('u') {
                let is_code =
                    code.get(..4).is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
                if !is_code {
                    return Err("`\\u` is not followed by four hexadecimal digits");
                }
            }
            rest = escaped.get(escaped.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
        }
        Ok(())
    })
}

/// Checks `NAME=value` or `export NAME=value`; quotes may span lines, and comments have none.
pub(super) fn validate_env(text: &str) -> Result<(), SyntaxError> {
    let mut open: Option<OpenQuote> = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if open.is_none() {
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') {
                offset += line.len();
                continue;
            }
            check_assignment(content).map_err(|message| SyntaxError { message, offset })?;
        }
        open = scan_quotes(line, offset, open);
        offset += line.len();
    }
    match open {
        Some(quote) => Err(SyntaxError { message: "a quote is not closed".into(), offset: quote.offset }),
        None => Ok(()),
    }
}

/// A quote without an end, so far.
#[derive(Clone, Copy)]
struct OpenQuote {
    mark: char,
    offset: usize,
}

fn check_assignment(line: &str) -> Result<(), String> {
    if line.starts_with('\u{feff}') {
        return Err("the file begins with a byte order mark, which would be part of a name".into());
    }
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match line.split_once('=') {
        Some((name, _)) if is_name(name) => Ok(()),
        _ => Err("a line is not `NAME=value`".into()),
    }
}

/// Returns the quote that is open at the end of a line, which starts at `start`.
fn scan_quotes(line: &str, start: usize, mut open: Option<OpenQuote>) -> Option<OpenQuote> {
    let mut previous = '=';
    let mut is_escaped = false;
    for (index, c) in line.char_indices() {
        match (open.map(|quote| quote.mark), c) {
            _ if is_escaped => is_escaped = false,
            (Some('"') | None, '\\') => is_escaped = true,
            (Some(mark), c) if c == mark => open = None,
            (None, '"' | '\'') => open = Some(OpenQuote { mark: c, offset: start + index }),
            // The rest of the line is a comment.
            (None, '#') if previous.is_whitespace() => return None,
            _ => {}
        }
        previous = c;
    }
    open
}

/// Calls `validate_line` with each line; adds the line's offset to an error.
fn validate_lines(
    text: &str,
    mut validate_line: impl FnMut(&str) -> Result<(), &'static str>,
) -> Result<(), SyntaxError> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        validate_line(line.trim_end_matches(['\n', '\r']))
            .map_err(|message| SyntaxError { message: message.into(), offset })?;
        offset += line.len();
    }
    Ok(())
}
