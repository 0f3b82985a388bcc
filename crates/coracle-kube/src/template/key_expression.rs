//! Keys in expressions: `db.host`, `db["log-level"]`, and `values["log-level"]` for a key that is not
//! an identifier.

use super::template_source::Delimiters;
use crate::values::KeyPath;

/// The name of the table of all values.
pub(super) const ALL_VALUES: &str = "values";

/// Returns the keys at the start of an expression, and the rest of it. The first key is an
/// identifier.
pub(super) fn split_key_path(expression: &str) -> (Vec<String>, &str) {
    let (first, mut rest) = split_identifier(expression);
    let mut keys: Vec<String> = Some(first.to_owned()).filter(|name| !name.is_empty()).into_iter().collect();
    while let Some((key, after)) = split_attribute(rest).or_else(|| split_subscript(rest)) {
        keys.push(key.to_owned());
        rest = after;
    }
    (keys, rest)
}

/// Returns the key of a value that an expression begins with: `["a", "b"]` for `values.a["b"]`.
pub(super) fn key_names(expression: &str) -> Vec<String> {
    let (mut keys, _) = split_key_path(expression);
    if keys.first().is_some_and(|name| name == ALL_VALUES) {
        keys.remove(0);
    }
    keys
}

/// Returns the expression for a key.
pub(super) fn expression_of(keys: &[&str]) -> String {
    let is_index = |key: &str| key.chars().all(|c| c.is_ascii_digit());
    let is_identifier = |key: &str| split_identifier(key).1.is_empty() && !key.is_empty();
    let mut expression = String::new();
    for (index, key) in keys.iter().enumerate() {
        match (index, is_identifier(key)) {
            (0, true) => expression += key,
            (0, false) => expression += &format!("{ALL_VALUES}[{key:?}]"),
            (_, true) => expression += &format!(".{key}"),
            (_, false) if is_index(key) => expression += &format!("[{key}]"),
            (_, false) => expression += &format!("[{key:?}]"),
        }
    }
    expression
}

/// Returns the keys of all values that tags reach by `values`; `None` if they may be any.
pub(super) fn keys_of_all_values(text: &str, delimiters: &Delimiters) -> Option<Vec<KeyPath>> {
    let mut found = Vec::new();
    for tag in tags(text, delimiters) {
        let mut rest = tag;
        while let Some(start) = rest.find(ALL_VALUES) {
            let (before, at) = rest.split_at(start);
            let is_name = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
            let (name, _) = split_identifier(at);
            if !is_name || name != ALL_VALUES {
                rest = at.get(ALL_VALUES.len()..).unwrap_or_default();
                continue;
            }
            let (_, after) = split_key_path(at);
            let keys = key_names(at);
            if keys.is_empty() {
                return None;
            }
            found.push(KeyPath::new(&keys));
            rest = after;
        }
    }
    Some(found)
}

/// Returns whether a tag has a slice such as `list[1:]`, whose value the engine does not report as
/// used.
pub(super) fn has_slice(text: &str, delimiters: &Delimiters) -> bool {
    tags(text, delimiters).any(|tag| {
        let mut open = Vec::new();
        let mut quote = None;
        tag.chars().any(|c| {
            match (quote, c) {
                (Some(start), c) if start == c => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '[' | '(' | '{') => open.push(c),
                (None, ']' | ')' | '}') => drop(open.pop()),
                (None, ':') => return open.last() == Some(&'['),
                (None, _) => {}
            }
            false
        })
    })
}

/// Returns the text in every tag for values and blocks.
fn tags<'t>(text: &'t str, delimiters: &'t Delimiters) -> impl Iterator<Item = &'t str> {
    [&delimiters.variable, &delimiters.block].into_iter().flat_map(move |(start, end)| {
        text.split(start.as_str()).skip(1).map(move |rest| rest.split(end.as_str()).next().unwrap_or(rest))
    })
}

fn split_identifier(text: &str) -> (&str, &str) {
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    text.split_at(if text.starts_with(is_start) { end } else { 0 })
}

/// Splits off `.NAME` or `.INDEX`.
fn split_attribute(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim_start().strip_prefix('.')?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    (!name.is_empty()).then_some((name, rest))
}

/// Splits off `["KEY"]`, `['KEY']` or `[INDEX]`.
fn split_subscript(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim_start().strip_prefix('[')?.trim_start();
    let (key, rest) = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest.get(1..)?.split_once(quote).filter(|(key, _)| !key.contains('\\'))?,
        _ => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
    };
    let rest = rest.trim_start().strip_prefix(']')?;
    (!key.is_empty()).then_some((key, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_keys_from_expressions() {
        for (expression, keys, rest) in [
            ("a", vec!["a"], ""),
            ("a.b.c|json", vec!["a", "b", "c"], "|json"),
            ("a['b c'][\"d-e\"].0[1] + 1", vec!["a", "b c", "d-e", "0", "1"], " + 1"),
            ("a[b]", vec!["a"], "[b]"),
            ("a[1:]", vec!["a"], "[1:]"),
            ("(...).c", vec![], "(...).c"),
            ("1", vec![], "1"),
        ] {
            assert_eq!(split_key_path(expression), (keys.into_iter().map(str::to_owned).collect(), rest));
        }
        assert_eq!(expression_of(&["a-b"]), "values[\"a-b\"]");
        assert_eq!(expression_of(&["db", "log-level", "x"]), "db[\"log-level\"].x");
    }

    #[test]
    fn finds_the_keys_of_all_values() {
        let keys = |text: &str| {
            let found = keys_of_all_values(text, &Delimiters::default());
            found.map(|keys| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        for (text, expected) in [
            ("values {{ a }}", Some("")),
            ("{{ values['a-b'] }}{% if values.c[\"d e\"] %}", Some("a-b c.d e")),
            ("{{ a.values }} {{ my_values }} {{ values_of }}", Some("")),
            ("{{ values }}", None),
            ("{% for key in values %}", None),
            ("{{ values[name] }}", None),
            ("{{ values['a\\x62'] }}", None),
        ] {
            assert_eq!(keys(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn finds_slices() {
        for (text, expected) in [
            ("{{ a[1:] }}", true),
            ("{% for x in a[:2] %}", true),
            ("{{ a['b'][::2] }}", true),
            ("{{ a[':'] }}", false),
            ("{{ [{a: 1}] }}", false),
            ("{{ {'a': [1]} }}", false),
            ("[1:2] {{ a }}", false),
        ] {
            assert_eq!(has_slice(text, &Delimiters::default()), expected, "{text}");
        }
    }
}
