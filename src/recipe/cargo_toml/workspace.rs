//! Finds the workspace of a package.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::error::RecipeError;
use super::{CargoToml, value_at};
use coracle_core::fs;

/// Reads the Cargo.toml of the workspace of `manifest`, found as in `find_workspace_root` of
/// cargo's `cargo/core/workspace.rs`. `None` if there is no workspace.
pub(super) fn find_workspace(manifest: &CargoToml) -> Result<Option<CargoToml>, RecipeError> {
    let tree = manifest.source()?.parse()?;
    let folder = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    if tree.get_ref().contains_key("workspace") {
        return CargoToml::read(&manifest.path).map(Some);
    }
    if let Some(named) = value_at(&tree, "package.workspace").and_then(|named| named.get_ref().as_str()) {
        return CargoToml::read(&folder(&manifest.path).join(named).join("Cargo.toml")).map(Some);
    }
    let path = fs::absolute_path(&manifest.path)?;
    for above in path.ancestors().skip(2) {
        let candidate = above.join("Cargo.toml");
        if !candidate.is_file() {
            continue;
        }
        let text = CargoToml::read(&candidate)?;
        let tree = text.source()?.parse()?;
        if tree.get_ref().contains_key("workspace") && !is_excluded(&tree, above, &path) {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// Whether the workspace at `root` excludes `manifest`. Members override `exclude`.
fn is_excluded(tree: &Spanned<DeTable<'_>>, root: &Path, manifest: &Path) -> bool {
    let holds = |key: &str| {
        let list = value_at(tree, key).and_then(|list| list.get_ref().as_array());
        let paths =
            list.into_iter().flatten().filter_map(|path: &Spanned<DeValue<'_>>| path.get_ref().as_str());
        paths
            .map(|path| root.join(path).components().collect::<PathBuf>())
            .any(|path| manifest.starts_with(path))
    };
    holds("workspace.exclude") && !holds("workspace.members")
}
