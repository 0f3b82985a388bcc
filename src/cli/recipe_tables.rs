//! The names of the recipe's tables in messages: in a Cargo.toml they have a prefix.

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

/// The table of a Cargo.toml that contains the recipe's tables.
const CARGO_TABLE: &str = "package.metadata.coracle";

/// The recipe's tables.
const TABLES: [&str; 13] = [
    "allow",
    "budget",
    "config",
    "environments",
    "image",
    "include",
    "kubernetes",
    "platform",
    "runtime",
    "secret",
    "state",
    "values",
    "variable",
];

/// Set if the recipe is in a Cargo.toml.
static IS_CARGO_TOML: OnceLock<()> = OnceLock::new();

/// Makes messages name the tables of `recipe`, the file that the command reads.
pub(super) fn set_tables_of_recipe_in_messages(recipe: Option<&Path>) {
    if recipe.is_some_and(|recipe| recipe.ends_with("Cargo.toml")) {
        set_tables_of_cargo_toml_in_messages();
    }
}

/// Makes messages name the tables of a Cargo.toml.
pub(super) fn set_tables_of_cargo_toml_in_messages() {
    let _ = IS_CARGO_TOML.set(());
}

/// Returns `message` with the names of tables as they are in the recipe's file.
pub(super) fn with_table_names_of_recipe(message: &str) -> Cow<'_, str> {
    match IS_CARGO_TOML.get() {
        Some(()) => Cow::Owned(with_prefix(message)),
        None => Cow::Borrowed(message),
    }
}

/// Adds the prefix of Cargo.toml to tables in backticks, such as `` `[image]` `` and `` `[[include]]` ``.
fn with_prefix(message: &str) -> String {
    let mut pieces = message.split("`[");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (brackets, name) = match piece.strip_prefix('[') {
            Some(name) => ("`[[", name),
            None => ("`[", piece),
        };
        text.push_str(brackets);
        if TABLES.contains(&name.split(['.', ']']).next().unwrap_or_default()) {
            text.push_str(CARGO_TABLE);
            text.push('.');
        }
        text.push_str(name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_prefix_to_tables_in_backticks() {
        for (message, expected) in [
            ("set `name` in `[image]`", "set `name` in `[package.metadata.coracle.image]`"),
            (
                "`[[state]]`, or `[platform.\"a\"]`",
                "`[[package.metadata.coracle.state]]`, or `[package.metadata.coracle.platform.\"a\"]`",
            ),
            (
                "`[package.metadata.coracle.image]` [image] `[bin]`",
                "`[package.metadata.coracle.image]` [image] `[bin]`",
            ),
            ("`[", "`["),
        ] {
            assert_eq!(with_prefix(message), expected);
        }
    }

    #[test]
    fn knows_every_table_of_a_recipe() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../templates/coracle.schema.json")).unwrap();
        let keys = schema["properties"].as_object().unwrap().keys();
        let tables: Vec<&String> = keys.filter(|key| *key != "version" && *key != "$schema").collect();
        assert_eq!(tables, TABLES);
    }
}
