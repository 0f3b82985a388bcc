//! Paths of recipes, and the paths in them.

use std::path::{Path, PathBuf};

use coracle_core::fs;

/// The default file name of a recipe.
pub const DEFAULT_FILE_NAME: &str = "coracle.toml";

/// Returns the directory of the recipe at `path`, which its relative paths start at.
pub(super) fn recipe_dir_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Returns the host path of `path`, which is written in a recipe in `recipe_dir`.
pub(super) fn resolve_path(recipe_dir: &Path, path: &Path) -> PathBuf {
    if recipe_dir == Path::new(".") { path.to_owned() } else { recipe_dir.join(path) }
}

/// Converts a path of the command line to one that [`resolve_path`] resolves to the same file from
/// `recipe_dir`.
pub(super) fn resolvable_from(recipe_dir: &Path, path: PathBuf) -> fs::Result<PathBuf> {
    if recipe_dir == Path::new(".") { Ok(path) } else { fs::absolute_path(&path) }
}

/// Returns whether the recipe at `path` is the metadata of a Cargo package.
pub(super) fn is_cargo_toml(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "Cargo.toml")
}
