//! JSON with comments and trailing commas.

use super::error::SyntaxError;

/// Replaces comments and trailing commas by spaces, so that positions stay.
pub(super) fn without_comments(text: &str) -> Result<String, SyntaxError> {
    let mut json = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' {
            string_literal_length(rest)
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").ok_or_else(|| SyntaxError {
                message: "a comment is not closed".into(),
                offset: json.len(),
            })?;
            end + "*/".len()
        } else {
            first.len_utf8()
        };
        let (part, after) = rest.split_at(length);
        if part.starts_with("//") || part.starts_with("/*") {
            json.extend(part.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        } else {
            if matches!(first, '}' | ']') {
                remove_trailing_comma(&mut json);
            }
            json.push_str(part);
        }
        rest = after;
    }
    Ok(json)
}

/// Returns the length of the string literal that `text` starts with.
fn string_literal_length(text: &str) -> usize {
    let mut is_escaped = true;
    let end = text.find(|c: char| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |end| end + 1)
}

/// Replaces a comma at the end of `json`, behind a value, by a space.
fn remove_trailing_comma(json: &mut String) {
    let content = json.trim_end();
    let Some(before) = content.strip_suffix(',') else { return };
    if before.trim_end().ends_with(|c: char| !matches!(c, '[' | '{' | ',' | ':')) {
        let comma = before.len();
        json.replace_range(comma..=comma, " ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_comments_and_trailing_commas_in_place() {
        for (text, json) in [
            ("{ // é\n \"a\": 1 }", "{      \n \"a\": 1 }"),
            ("[1, /* \n */ 2,]", "[1,    \n    2 ]"),
            ("{\"a // b\": \"/* \\\" */\",\n}", "{\"a // b\": \"/* \\\" */\" \n}"),
            ("[1, // c\n]", "[1      \n]"),
            ("[,]", "[,]"),
            ("[1,,]", "[1,,]"),
        ] {
            assert_eq!(without_comments(text).as_deref(), Ok(json), "{text}");
        }
        assert_eq!(without_comments("[1 /* ").unwrap_err().offset, 3);
    }
}
