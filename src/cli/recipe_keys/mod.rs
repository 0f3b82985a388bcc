//! `coracle recipe keys`: every key of a recipe, read from the published JSON Schema.

mod json_schema;
mod section;

use std::fmt::Write as _;

use coracle_core::hint::most_similar;

use super::args::{KeysArgs, KeysFormat, RecipeCommand};
use super::console_output::{self, BOLD, DIM};
use super::error::{CliError, CliExit};
use section::{KeyReport, RecipeKey, RecipeSection, recipe_sections};

/// Runs `coracle recipe`.
pub(super) fn run_recipe(command: &RecipeCommand) -> Result<CliExit, CliError> {
    match command {
        RecipeCommand::Keys(args) => print_keys(args),
    }
}

fn print_keys(args: &KeysArgs) -> Result<CliExit, CliError> {
    let sections = recipe_sections().map_err(|error| {
        CliError::internal(&format!("the embedded schema of recipes is invalid: {error}"))
    })?;
    let sections = if args.keys.is_empty() { sections } else { select_sections(&sections, &args.keys)? };
    match args.format {
        KeysFormat::Text => console_output::print_report(&sections_text(&sections))?,
        KeysFormat::Markdown => console_output::print_data(&sections_markdown(&sections))?,
        KeysFormat::Json => {
            let keys: Vec<KeyReport<'_>> = sections.iter().flat_map(RecipeSection::key_reports).collect();
            console_output::print_json(&keys)?;
        }
    }
    Ok(CliExit::Success)
}

/// Returns the sections and keys that `wanted` names, in the order of `wanted`.
fn select_sections(sections: &[RecipeSection], wanted: &[String]) -> Result<Vec<RecipeSection>, CliError> {
    let mut selected = Vec::new();
    for key in wanted {
        let path = key.trim_matches(['[', ']']);
        let before = selected.len();
        selected.extend(sections.iter().filter_map(|section| section.select(path)));
        if selected.len() == before {
            return Err(unknown_key(sections, path));
        }
    }
    Ok(selected)
}

/// Returns the error for a key that does not exist, with the most similar one as a hint.
fn unknown_key(sections: &[RecipeSection], path: &str) -> CliError {
    let keys = sections.iter().flat_map(RecipeSection::key_reports).map(|report| report.key);
    let tables = sections.iter().flat_map(|section| section.paths.iter().cloned());
    let known: Vec<String> = tables.chain(keys).filter(|known| !known.is_empty()).collect();
    let hint = match similar_key(&known, path) {
        Some(similar) => format!("did you mean `{similar}`? `coracle recipe keys` prints all keys"),
        None => "`coracle recipe keys` prints all keys".to_owned(),
    };
    CliError::usage(format!("the recipe has no key `{path}`"), hint)
}

/// Returns the path in `known` that is most similar to `path`: a path with the same last part, such
/// as `image.user` for `user`; else a path with a similar spelling; else, if `path` has no section,
/// a path whose last part has a similar spelling.
fn similar_key<'a>(known: &'a [String], path: &str) -> Option<&'a str> {
    let last_part = |path: &'a str| path.rsplit('.').next().unwrap_or_default();
    let paths = || known.iter().map(String::as_str);
    paths().find(|known| last_part(known) == path).or_else(|| most_similar(path, paths())).or_else(|| {
        if path.contains('.') {
            return None;
        }
        let similar = most_similar(path, paths().map(last_part))?;
        paths().find(|known| last_part(known) == similar)
    })
}

/// Formats the sections for a terminal.
fn sections_text(sections: &[RecipeSection]) -> String {
    let mut text = String::new();
    for (index, section) in sections.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let headers = section.headers.join(", ");
        let header = if headers.is_empty() { "top level" } else { &headers };
        let _ = writeln!(text, "{BOLD}{header}{BOLD:#}  {DIM}{}{DIM:#}", section.description);
        for key in &section.keys {
            let RecipeKey { name, value_type, description, .. } = key;
            let default = match &key.default {
                _ if key.is_required => "  required".to_owned(),
                Some(default) => format!("  default {default}"),
                None => String::new(),
            };
            let _ = writeln!(text, "  {BOLD}{name}{BOLD:#}  {value_type}{default}\n      {description}");
        }
    }
    text
}

/// Formats the sections as Markdown, one table each.
fn sections_markdown(sections: &[RecipeSection]) -> String {
    let mut text = String::new();
    for (index, section) in sections.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let headers: Vec<String> = section.headers.iter().map(|header| format!("`{header}`")).collect();
        let header = if headers.is_empty() { "Top level".to_owned() } else { headers.join(", ") };
        let _ = writeln!(text, "## {header}\n\n{}\n", section.description);
        text.push_str("| key | type | default | what it does |\n| --- | --- | --- | --- |\n");
        for key in &section.keys {
            let default = match &key.default {
                _ if key.is_required => "required".to_owned(),
                Some(default) => format!("`{default}`"),
                None => String::new(),
            };
            let description = key.description.replace('|', "\\|").replace('\n', " ");
            let _ = writeln!(text, "| `{}` | {} | {default} | {description} |", key.name, key.value_type);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::section::{SECTION_ORDER, is_at_or_below};
    use super::*;

    #[test]
    fn lists_every_section_of_the_schema() {
        let sections = recipe_sections().unwrap();
        let tables: Vec<&str> =
            sections.iter().flat_map(|section| &section.paths).map(String::as_str).collect();
        for name in SECTION_ORDER {
            assert!(tables.iter().any(|path| is_at_or_below(path, name)), "{name} is not in the schema");
        }
        for path in tables.iter().filter(|path| !path.is_empty()) {
            let first = path.split('.').next().unwrap();
            assert!(SECTION_ORDER.contains(&first), "`{first}` is missing in SECTION_ORDER");
        }
        for key in sections.iter().flat_map(RecipeSection::key_reports) {
            assert!(!key.value_type.is_empty() && !key.description.is_empty(), "{}", key.key);
        }
    }

    #[test]
    fn selects_sections_keys_and_names() {
        let sections = recipe_sections().unwrap();
        for (wanted, expected) in [
            ("image.user", vec!["image.user"]),
            ("version", vec!["version"]),
            ("[[include]]", vec!["include.exclude", "include.from", "include.times", "include.to"]),
            ("environments.production.values", vec!["environments.NAME.values"]),
            ("platform.linux/arm64.root", vec!["platform.\"OS/ARCH\".root"]),
            ("kubernetes.probes.liveness.http", vec!["kubernetes.probes.liveness.http"]),
            ("image.programs", vec!["image.programs", "image.programs.from", "image.programs.to"]),
        ] {
            let selected = select_sections(&sections, &[wanted.into()]).unwrap();
            let keys: Vec<String> =
                selected.iter().flat_map(RecipeSection::key_reports).map(|key| key.key).collect();
            assert_eq!(keys, expected, "{wanted}");
        }
    }
}
