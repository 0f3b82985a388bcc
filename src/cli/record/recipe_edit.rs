//! Writes proposals as lines of a recipe, and merges them into one.

use std::path::Path;

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

use super::proposals::{CopiedPath, RecipeProposals, Remark};
use super::recipe_file::RecipeFile;
use crate::cli::error::CliError;

/// Returns the lines to add to the recipe. Arrays contain what the recipe has already.
pub(super) fn recipe_lines(
    recipe_file: &RecipeFile,
    proposals: &RecipeProposals,
) -> Result<String, CliError> {
    let mut fragment = DocumentMut::new();
    for (section, key, is_needed) in [
        ("image", "programs", !proposals.programs.is_empty()),
        ("runtime", "dlopen", !proposals.dlopen.is_empty()),
        ("runtime", "locales", !proposals.locales.is_empty()),
    ] {
        let existing = recipe_file.document().and_then(|document| {
            let keys = recipe_file.table_keys();
            let table = keys.iter().try_fold(document.as_item(), |item, key| item.get(key))?;
            table.get(section)?.get(key)
        });
        if let Some(existing) = existing.filter(|_| is_needed) {
            let mut table = Table::new();
            table.insert(key, existing.clone());
            match fragment.get_mut(section).and_then(Item::as_table_mut) {
                Some(known) => known.extend(table),
                None => {
                    fragment.insert(section, Item::Table(table));
                }
            }
        }
    }
    merge_into_document(&mut fragment, &[], proposals)?;
    Ok(fragment.to_string().trim_start().to_owned())
}

/// Adds the proposals to the table with `keys` of `document`, with comments. Everything else is kept.
pub(super) fn merge_into_document(
    document: &mut DocumentMut,
    keys: &[&str],
    proposals: &RecipeProposals,
) -> Result<(), CliError> {
    let mut item = document.as_item_mut();
    for key in keys {
        item = item.get_mut(key).ok_or_else(|| cannot_merge(key))?;
    }
    let recipe = item.as_table_like_mut().ok_or_else(|| cannot_merge(keys.last().unwrap_or(&"recipe")))?;
    if !proposals.programs.is_empty() {
        let programs = array_or_insert(recipe, "image", "programs")?;
        proposals
            .programs
            .iter()
            .for_each(|program| push_with_comment(programs, program_value(program), &program.reason));
    }
    if !proposals.dlopen.is_empty() {
        let names = array_or_insert(recipe, "runtime", "dlopen")?;
        proposals.dlopen.iter().for_each(|name| push_with_comment(names, name.into(), "opened with dlopen"));
    }
    if !proposals.locales.is_empty() {
        let names = array_or_insert(recipe, "runtime", "locales")?;
        proposals
            .locales
            .iter()
            .for_each(|name| push_with_comment(names, name.into(), "read by the program"));
    }
    for include in &proposals.include {
        let pairs = [("from", include.from.as_str()), ("to", include.to.as_str())];
        add_table(recipe, "include", &include.reason, &pairs)?;
    }
    for state in &proposals.state {
        add_table(recipe, "state", "written to by the program", &[("mount", state)])?;
    }
    let comments = proposal_comments(proposals);
    if !comments.is_empty() {
        let before = document.trailing().as_str().unwrap_or_default().to_owned();
        let gap = if before.is_empty() || before.ends_with('\n') { "\n" } else { "\n\n" };
        document.set_trailing(format!("{before}{gap}{comments}"));
    }
    Ok(())
}

/// Returns candidates and remarks as comments.
fn proposal_comments(proposals: &RecipeProposals) -> String {
    let mut text = String::new();
    for file in &proposals.config {
        let path = Path::new(file);
        let mount = path.parent().unwrap_or(path).display();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if mount.to_string() == "/etc" || mount.to_string() == "/" {
            text.push_str(&format!(
                "# Looks like configuration: {file}\n# `{mount}` cannot be mounted: let the program read it from another \
                 directory, and mount that with [[config]].\n\n"
            ));
            continue;
        }
        text.push_str(&format!(
            "# Looks like configuration: {file}\n# [[config]]\n# mount = \"{mount}\"\n# templates = [\"config/{name}\"]\n\n"
        ));
    }
    for Remark { path, advice } in &proposals.remarks {
        text.push_str(&format!("# `{path}` {advice}.\n"));
    }
    text
}

fn program_value(program: &CopiedPath) -> Value {
    if program.from == program.to {
        return program.from.as_str().into();
    }
    let mut table = InlineTable::new();
    table.insert("from", program.from.as_str().into());
    table.insert("to", program.to.as_str().into());
    Value::InlineTable(table)
}

/// Returns the array `key` of the table `section`; both are created if they are missing.
fn array_or_insert<'a>(
    recipe: &'a mut dyn TableLike,
    section: &str,
    key: &str,
) -> Result<&'a mut Array, CliError> {
    let table = recipe.entry(section).or_insert_with(|| Item::Table(Table::new()));
    let table = table.as_table_like_mut().ok_or_else(|| cannot_merge(section))?;
    let array = table.entry(key).or_insert_with(|| value(Array::new()));
    array.as_array_mut().ok_or_else(|| cannot_merge(key))
}

/// Adds a value on a line of its own, below a comment.
fn push_with_comment(array: &mut Array, mut new: Value, comment: &str) {
    let has_line_of_its_own = |value: &Value| {
        value.decor().prefix().and_then(|text| text.as_str()).is_some_and(|text| text.contains('\n'))
    };
    for existing in array.iter_mut().filter(|value| !has_line_of_its_own(value)) {
        existing.decor_mut().set_prefix("\n    ");
    }
    new.decor_mut().set_prefix(format!("\n    # {comment}\n    "));
    array.push_formatted(new);
    array.set_trailing_comma(true);
    array.set_trailing("\n");
}

/// Adds a table to the array of tables `key`, below a comment.
fn add_table(
    recipe: &mut dyn TableLike,
    key: &str,
    comment: &str,
    pairs: &[(&str, &str)],
) -> Result<(), CliError> {
    let tables = recipe.entry(key).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    if let Item::ArrayOfTables(tables) = tables {
        let mut table: Table = pairs.iter().map(|(key, text)| (*key, value(*text))).collect();
        table.decor_mut().set_prefix(format!("\n# {}\n", comment.replace('\n', "\n# ")));
        tables.push(table);
        return Ok(());
    }
    let array = tables.as_array_mut().ok_or_else(|| cannot_merge(key))?;
    let table: InlineTable = pairs.iter().map(|(key, text)| (*key, Value::from(*text))).collect();
    push_with_comment(array, Value::InlineTable(table), &comment.replace('\n', "\n    # "));
    Ok(())
}

fn cannot_merge(key: &str) -> CliError {
    CliError::usage(
        format!("cannot merge the lines into the recipe: `{key}` is missing or has another form"),
        "run the command without `--write`, and add the lines yourself",
    )
}
