//! Validates the line-based formats: INI, Java properties and environment files.

use super::error::SyntaxError;

/// Checks INI: sections in brackets, `name = value` or `name: value`, comments after `;` or `#`. A
/// line that starts with a space or tab continues the value before it.
pub(super) fn validate_ini(text: &str) -> Result<(), SyntaxError> {
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

/// Checks `NAME=value` or `export NAME=value`; quotes may span lines.
pub(super) fn validate_env(text: &str) -> Result<(), SyntaxError> {
    let mut open: Option<char> = None;
    let result = validate_lines(text, |line| {
        if open.is_none() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                return Ok(());
            }
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            let name = line.split_once('=').map(|(name, _)| name);
            let is_name = |name: &str| {
                name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            if !name.is_some_and(is_name) {
                return Err("a line is not `NAME=value`");
            }
        }
        let mut escaped = false;
        for c in line.chars() {
            match (open, c) {
                _ if escaped => escaped = false,
                (Some('"') | None, '\\') => escaped = true,
                (Some(quote), c) if c == quote => open = None,
                (None, '"' | '\'') => open = Some(c),
                _ => {}
            }
        }
        Ok(())
    });
    result?;
    match open {
        Some(_) => Err(SyntaxError { message: "a quote is not closed".into(), offset: text.len() }),
        None => Ok(()),
    }
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
