//! Merges the settings of a package over those of its workspace.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::recipe_paths::recipe_dir_of;
use coracle_core::fs;

/// Keys whose values are paths; `*` is any key or element.
const PATH_KEYS: [&str; 11] = [
    "image.programs.*",
    "image.programs.*.from",
    "include.*.from",
    "config.*.templates.*",
    "config.*.templates.*.from",
    "values.files.*",
    "values.schema",
    "environments.*.values.*",
    "platform.*.root",
    "platform.*.sysroot",
    "kubernetes.patches.*",
];

/// Keys whose values are paths if they start with a transport of [`TRANSPORTS`].
const LOCATION_KEYS: [&str; 2] = ["image.base", "image.publish-contract"];

/// Transports that are followed by a path.
const PATH_TRANSPORTS: [&str; 3] = ["oci", "oci-archive", "docker-archive"];

/// Merges `top` over `below`: tables key by key; other values replace.
pub(super) fn merge_over<'a>(top: Spanned<DeTable<'a>>, below: Spanned<DeTable<'a>>) -> Spanned<DeTable<'a>> {
    let span = if top.get_ref().is_empty() { below.span() } else { top.span() };
    let mut merged = below.into_inner();
    for (key, value) in top.into_inner() {
        let other = merged.remove(key.get_ref().as_ref());
        let value = match (value, other) {
            (value, Some(other)) if value.get_ref().is_table() && other.get_ref().is_table() => {
                let both = merge_over(into_table(value), into_table(other));
                Spanned::new(both.span(), DeValue::Table(both.into_inner()))
            }
            (value, _) => value,
        };
        merged.insert(key, value);
    }
    Spanned::new(span, merged)
}

fn into_table<'a>(value: Spanned<DeValue<'a>>) -> Spanned<DeTable<'a>> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(table) => Spanned::new(span, table),
        _ => Spanned::new(span, DeTable::new()),
    }
}

/// Rewrites paths in `table` that are relative to the folder of `workspace`, so that they are valid
/// in that of `package`.
pub(super) fn rebase_paths(table: &mut DeTable<'_>, package: &Path, workspace: &Path) -> fs::Result<()> {
    if recipe_dir_of(package) == recipe_dir_of(workspace) {
        return Ok(());
    }
    let folder = fs::absolute_path(&recipe_dir_of(workspace))?;
    let path = |text: &str| folder.join(text).display().to_string();
    let place = |text: &str| match text.split_once(':') {
        Some((transport, rest)) if PATH_TRANSPORTS.contains(&transport) => {
            format!("{transport}:{}", path(rest))
        }
        _ => text.to_owned(),
    };
    for (keys, change) in [(PATH_KEYS.as_slice(), &path as &dyn Fn(&str) -> String), (&LOCATION_KEYS, &place)]
    {
        for steps in keys {
            let steps: Vec<&str> = steps.split('.').collect();
            map_strings_in_table(table, &steps, change);
        }
    }
    Ok(())
}

fn map_strings_in_table(table: &mut DeTable<'_>, steps: &[&str], change: &dyn Fn(&str) -> String) {
    let Some((key, rest)) = steps.split_first() else { return };
    for (name, value) in table.iter_mut() {
        if *key == "*" || name.get_ref() == key {
            map_strings_in_value(value.get_mut(), rest, change);
        }
    }
}

fn map_strings_in_value(value: &mut DeValue<'_>, steps: &[&str], change: &dyn Fn(&str) -> String) {
    match (value, steps) {
        // An empty path is reported later.
        (DeValue::String(text), []) if !text.is_empty() => *text = change(text).into(),
        (DeValue::Table(table), _) => map_strings_in_table(table, steps, change),
        (DeValue::Array(array), ["*", rest @ ..]) => {
            array.iter_mut().for_each(|value| map_strings_in_value(value.get_mut(), rest, change));
        }
        _ => {}
    }
}
