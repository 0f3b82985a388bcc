//! Names and their values in text of many formats: `NAME=VALUE`, `"name": "value"`, `name => 'value'`,
//! `<name>value</name>`, `--name value`, `key="name" value="value"`.
//!
//! The formats are not parsed: files are often incomplete, templates, or text in other text.

use super::bytes_around_offset::{first_bytes, last_bytes};
use super::text_format::TextFormat;

/// The maximum lengths of a name and of a value.
const MAX_NAME: usize = 64;
const MAX_VALUE: usize = 4096;

/// A value with a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Assignment<'a> {
    /// In lower case, with `_` between words.
    pub(super) name: Vec<u8>,
    pub(super) value: &'a [u8],
    pub(super) is_quoted: bool,
    /// The offset of the name.
    pub(super) start: usize,
}

/// Returns the range of the name that contains the offset `at`, where a word of a name starts.
pub(super) fn name_range(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let (before, rest) = bytes.split_at_checked(at)?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let in_front = last_bytes(before, MAX_NAME).iter().rev().take_while(|byte| is_name(byte)).count();
    let behind = if starts_phrase(rest) {
        IDENTIFIED_BY.len()
    } else {
        rest.iter().take(MAX_NAME).take_while(|byte| is_name(byte)).count()
    };
    Some((at - in_front, at + behind))
}

/// The words before a password in SQL.
const IDENTIFIED_BY: &str = "identified by";

fn starts_phrase(bytes: &[u8]) -> bool {
    bytes.get(..IDENTIFIED_BY.len()).is_some_and(|start| start.eq_ignore_ascii_case(IDENTIFIED_BY.as_bytes()))
}

/// Returns the assignment of the name from `start` until `end`.
pub(super) fn assignment_of(
    bytes: &[u8],
    start: usize,
    end: usize,
    format: TextFormat,
) -> Option<Assignment<'_>> {
    let name = bytes.get(start..end)?;
    let after = first_bytes(bytes.get(end..)?, MAX_VALUE);
    // Most names are followed by something else.
    let next = after.iter().find(|byte| !b"\"'`\\])[} \t\r\n".contains(byte))?;
    let is_flag = name.starts_with(b"--") || starts_phrase(name);
    let is_spaced = after.first().is_some_and(|byte| b" \t\"'\r\n".contains(byte));
    if !b"=:,>?+".contains(next) && !is_flag && !is_spaced {
        return None;
    }
    let before = last_bytes(bytes.get(..start)?, MAX_LINE);
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |line_end| line_end + 1);
    let line = before.get(line_start..)?;
    if !line.is_empty() && format.is_comment(line) {
        return None;
    }
    let (value, is_quoted) = if before.ends_with(b"<") && after.starts_with(b">") {
        (after.get(1..)?.split(|byte| *byte == b'<').next()?.trim_ascii(), true)
    } else {
        let context = NameContext {
            format,
            is_flag,
            is_first: line.trim_ascii().is_empty(),
            is_argument: matches!(before, [.., b'(', b'"' | b'\''] | [.., b'(', b' ', b'"' | b'\'']),
        };
        value_after(after, &context)?
    };
    Some(Assignment { name: normalized_name(name), value, is_quoted, start })
}

/// The maximum number of bytes of a line before a name that are looked at.
const MAX_LINE: usize = 512;

/// Where a name is.
struct NameContext {
    format: TextFormat,
    /// The name is a flag of a command line.
    is_flag: bool,
    /// The name is the first word of its line.
    is_first: bool,
    /// The name is the first argument of a call.
    is_argument: bool,
}

/// Returns the value in the text after a name.
fn value_after<'a>(after: &'a [u8], context: &NameContext) -> Option<(&'a [u8], bool)> {
    let format = context.format;
    // A quote, a bracket or an array's dimensions after the name: `config['name'] = `.
    let quotes = after.iter().take_while(|byte| b"\"'`\\])[}".contains(byte)).count();
    let rest = after.get(quotes..)?;
    let spaces = rest.iter().take_while(|byte| b" \t".contains(byte)).count();
    let signed = rest.get(spaces..)?;
    let value = match signed {
        // A comparison.
        [b'=', b'=' | b'~', ..] if format.is_code() || spaces > 0 => return None,
        [b'=', b'>', rest @ ..] | [b':', b'=', rest @ ..] | [b'?' | b'+', b'=', rest @ ..] => rest,
        [b':', b':', ..] => return None,
        // In a shell, a value follows directly.
        [b':', ..] if format == TextFormat::Shell && quotes == 0 => return None,
        [b'=', ..] if format == TextFormat::Shell && spaces > 0 => return None,
        [b'=' | b':', rest @ ..] => rest,
        [b',', rest @ ..] if quotes > 0 => match value_of_pair(rest) {
            Some(value) => value,
            // `define('NAME', 'value')`
            None if context.is_argument && quotes == 1 => return quoted_value(rest.trim_ascii_start()),
            None => return None,
        },
        [b'>', rest @ ..] if quotes > 0 => {
            return Some((rest.split(|byte| *byte == b'<').next()?.trim_ascii(), true));
        }
        [b'\n' | b'\r', ..] => value_of_pair(signed)?,
        _ if quotes > 0 => value_of_pair(signed)?,
        _ if spaces > 0 && (context.is_flag || context.is_first && format == TextFormat::Lines) => signed,
        [b'"' | b'\'', ..] if spaces > 0 => return quoted_value(signed),
        _ => return None,
    };
    let value = value.get(value.iter().take_while(|byte| b" \t".contains(byte)).count()..)?;
    if let Some(found) = quoted_value(value) {
        return Some(found);
    }
    // `name: type = "value"`
    if format.is_code() {
        let line = value.split(|byte| b"\n\r".contains(byte)).next()?;
        let typed = line.iter().position(|byte| *byte == b'=').and_then(|at| line.get(at + 1..));
        return quoted_value(typed?.trim_ascii_start());
    }
    Some((unquoted_value(value, format, context.is_flag), false))
}

/// Returns the text after `value` and its sign, which belongs to a pair such as
/// `"name": "PASSWORD", "value": …` or `key="password" value=…`.
fn value_of_pair(after: &[u8]) -> Option<&[u8]> {
    let noise = after.iter().take(64).take_while(|byte| b" \t\r\n,\"'".contains(byte)).count();
    let rest = after.get(noise..)?;
    let (word, rest) = rest.split_at_checked(5)?;
    let is_word = word.eq_ignore_ascii_case(b"value");
    let rest = rest.strip_prefix(b"\"").or(rest.strip_prefix(b"'")).unwrap_or(rest).trim_ascii_start();
    let signed = rest.strip_prefix(b"=").or(rest.strip_prefix(b":"))?;
    is_word.then_some(signed)
}

/// Returns the text between quotes at the start of `text`. In text inside of text, quotes are escaped.
fn quoted_value(text: &[u8]) -> Option<(&[u8], bool)> {
    // Prefixes of strings: Python's `b"…"`, C#'s `@"…"`, YAML's tags.
    let text = match text {
        [b'b' | b'r' | b'f' | b'u' | b'@', b'"' | b'\'', ..] => text.get(1..)?,
        _ => text,
    };
    let escapes = text.iter().take_while(|byte| **byte == b'\\').count();
    let (escape, text) = text.split_at(escapes);
    let quote = *text.first().filter(|byte| b"\"'`".contains(byte))?;
    let value = text.get(1..)?;
    let mut end = 0;
    loop {
        let byte = *value.get(end)?;
        if escapes == 0 && byte == b'\\' {
            end += 2;
        } else if value
            .get(end..)
            .is_some_and(|rest| rest.strip_prefix(escape).is_some_and(|rest| rest.first() == Some(&quote)))
        {
            return Some((value.get(..end)?, true));
        } else if byte == b'\n' {
            return None;
        } else {
            end += 1;
        }
    }
}

/// Returns the value without quotes at the start of `text`, which ends as `format` says.
fn unquoted_value(text: &[u8], format: TextFormat, is_flag: bool) -> &[u8] {
    let line = text.split(|byte| b"\n\r".contains(byte)).next().unwrap_or_default();
    // Text inside of a string ends with it.
    let line = memchr::memmem::find(line, b"\\n").and_then(|end| line.get(..end)).unwrap_or(line);
    let is_connection = has_more_pairs(line);
    let ends_value = |byte: &u8| match format {
        _ if is_connection => b";&\"'".contains(byte),
        TextFormat::Lines | TextFormat::Value if is_flag => b" \t".contains(byte),
        TextFormat::Lines | TextFormat::Value | TextFormat::Yaml | TextFormat::Toml => false,
        TextFormat::Json => b",}\"".contains(byte),
        TextFormat::Xml => b"<\"'&;".contains(byte),
        _ => b" \t".contains(byte),
    };
    let end = line.iter().position(ends_value).unwrap_or(line.len());
    let value = line.get(..end).unwrap_or_default();
    // A comment after the value.
    let comment = memchr::memmem::find(value, b" #").or_else(|| memchr::memmem::find(value, b"\t#"));
    let value = comment.and_then(|at| value.get(..at)).unwrap_or(value).trim_ascii();
    // The end of a text that contains the assignment: `Environment="NAME=VALUE"`.
    value.strip_suffix(b"\"").or(value.strip_suffix(b"'")).unwrap_or(value)
}

/// Returns whether other assignments follow in the line, as in a connection string or a URL's query:
/// `password=x;user=y`, `password=x&user=y`.
fn has_more_pairs(line: &[u8]) -> bool {
    line.iter().enumerate().filter(|(_, byte)| b";&".contains(byte)).any(|(at, _)| {
        let rest = line.get(at + 1..).unwrap_or_default().trim_ascii_start();
        let name = rest.iter().take_while(|byte| byte.is_ascii_alphabetic() || b" _-".contains(byte)).count();
        let is_end = rest.is_empty() || b"\"'".contains(rest.first().unwrap_or(&0));
        is_end || name >= 2 && rest.get(name) == Some(&b'=')
    })
}

/// Returns `name` in lower case with `_` between its words: `dbPassword` and `DB-Password` become
/// `db_password`.
fn normalized_name(name: &[u8]) -> Vec<u8> {
    let mut normalized = Vec::with_capacity(name.len() + 4);
    let mut is_after_lower = false;
    for &byte in name {
        if byte.is_ascii_uppercase() && is_after_lower {
            normalized.push(b'_');
        }
        is_after_lower = byte.is_ascii_lowercase() || byte.is_ascii_digit();
        normalized.push(if b"-.".contains(&byte) { b'_' } else { byte.to_ascii_lowercase() });
    }
    normalized
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns name and value at the first `pass` in `text`.
    fn parsed(text: &str, format: TextFormat) -> Option<(String, String, bool)> {
        let at = text.to_ascii_lowercase().find("pass")?;
        let (start, end) = name_range(text.as_bytes(), at)?;
        let found = assignment_of(text.as_bytes(), start, end, format)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some((text(&found.name), text(found.value), found.is_quoted))
    }

    #[test]
    fn parses_assignments_of_many_formats() {
        use TextFormat::*;
        for (format, text, name, value) in [
            (Lines, "DB_PASSWORD=x#y z", "db_password", "x#y z"),
            (Lines, "export DB_PASSWORD='a b'", "db_password", "a b"),
            (Lines, "password = x # the password", "password", "x"),
            (Lines, "//registry.npmjs.org/:_password=eA==", "_password", "eA=="),
            (Lines, "requirepass x", "requirepass", "x"),
            (Yaml, "  dbPassword: x", "db_password", "x"),
            (Yaml, "- name: DB_PASSWORD\n  value: x\n", "db_password", "x"),
            (Yaml, "- DB_PASSWORD=x", "db_password", "x"),
            (Json, "{\"password\": \"x\\\"y\"}", "password", "x\\\"y"),
            (Json, "\"{\\\"password\\\":\\\"x\\\"}\"", "password", "x"),
            (Json, "{\"name\": \"DB_PASSWORD\", \"value\": \"x\"}", "db_password", "x"),
            (Json, "\"Server=db;Password=x;User=y\"", "password", "x"),
            (Xml, "<password>x</password>", "password", "x"),
            (Xml, "<user password=\"x\"/>", "password", "x"),
            (Xml, "<add key=\"Password\" value=\"x\" />", "password", "x"),
            (Xml, "<entry key=\"password\">x</entry>", "password", "x"),
            (SlashCode, "define('DB_PASSWORD', 'x');", "db_password", "x"),
            (SlashCode, "'password' => 'x',", "password", "x"),
            (SlashCode, "const password: string = \"x\";", "password", "x"),
            (HashCode, "config['password'] = 'x'", "password", "x"),
            (Sql, "ALTER USER a WITH PASSWORD 'x'", "password", "x"),
            (Value, "--password=x", "__password", "x"),
            (Value, "--password x y", "__password", "x"),
            (Unknown, "url?password=x&user=y", "password", "x"),
        ] {
            let found = parsed(text, format).map(|(name, value, _)| (name, value));
            assert_eq!(found, Some((name.to_owned(), value.to_owned())), "{text}");
        }
    }

    #[test]
    fn ignores_expressions_and_comments() {
        use TextFormat::*;
        for (format, text) in [
            (HashCode, "password = record[\"_id\"]"),
            (HashCode, "# password = 'x'"),
            (SlashCode, "if (password == 'x')"),
            (SlashCode, "pass::word"),
            (Lines, "# password = x"),
            (Prose, "the password of a user"),
        ] {
            assert_eq!(parsed(text, format), None, "{text}");
        }
    }
}
