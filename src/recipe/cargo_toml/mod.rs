//! The recipe in a package's Cargo.toml: `[package.metadata.coracle]` merged over
//! `[workspace.metadata.coracle]`, and labels from the package's own fields.
//!
//! Source: the Cargo book, "The Manifest Format" and "Workspaces".

mod merge_workspace;
mod settings_tables;

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::RecipeError;
use super::flag_overrides::RecipeOverrides;
use super::recipe_document::RecipeDocument;
use super::recipe_settings::Recipe;
use super::toml_source::{TomlSource, read_recipe_bytes};
use super::validate;
use coracle_core::fs;
use settings_tables::{
    CargoTomlProblem, PACKAGE_TABLE, WORKSPACE_TABLE, misplaced_tables, settings_table, value_at,
};

/// The label of each package field: image-spec, "Pre-Defined Annotation Keys".
const FIELD_LABELS: [(&str, &str); 8] = [
    ("name", "org.opencontainers.image.title"),
    ("version", "org.opencontainers.image.version"),
    ("description", "org.opencontainers.image.description"),
    ("license", "org.opencontainers.image.licenses"),
    ("repository", "org.opencontainers.image.source"),
    ("homepage", "org.opencontainers.image.url"),
    ("documentation", "org.opencontainers.image.documentation"),
    ("authors", "org.opencontainers.image.authors"),
];

/// A package's Cargo.toml, and that of its workspace.
pub struct CargoPackage {
    manifest: CargoToml,
    workspace: Option<CargoToml>,
}

/// A file and its contents.
struct CargoToml {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl CargoPackage {
    /// Reads the Cargo.toml at `manifest`, and that of its workspace, found as cargo finds it.
    ///
    /// # Errors
    /// Fails if one of them cannot be read or is not TOML.
    pub fn read(manifest: &Path) -> Result<Self, RecipeError> {
        let manifest = CargoToml::read(manifest)?;
        let workspace = find_workspace(&manifest)?;
        Ok(Self { manifest, workspace })
    }

    /// Builds the recipe with `flags` applied. Its programs may be empty. The package's fields are
    /// the defaults of labels and annotations.
    ///
    /// # Errors
    /// Fails if keys or values are invalid; all are reported together.
    pub fn recipe(&self, flags: &RecipeOverrides) -> Result<Recipe, RecipeError> {
        self.with_document(|document, labels| {
            let mut recipe = validate::build_recipe(Some(document), flags)?;
            for (label, value) in labels {
                recipe.image.labels.entry(label.into()).or_insert_with(|| value.clone());
                recipe.image.annotations.entry(label.into()).or_insert(value);
            }
            Ok(recipe)
        })
    }

    /// Returns the names of the environments.
    ///
    /// # Errors
    /// Fails if a file is not TOML.
    #[cfg(feature = "kube")]
    pub fn environment_names(&self) -> Result<Vec<String>, RecipeError> {
        self.with_document(|document, _| Ok(document.file.environments.keys().cloned().collect()))
    }

    /// Returns whether the package has the table `[package.metadata.coracle]`.
    ///
    /// # Errors
    /// Fails if the file is not TOML.
    pub fn has_settings(&self) -> Result<bool, RecipeError> {
        Ok(value_at(&self.manifest.source()?.parse()?, PACKAGE_TABLE).is_some())
    }

    /// Returns whether its workspace has the table `[workspace.metadata.coracle]`.
    ///
    /// # Errors
    /// Fails if the file is not TOML.
    pub fn has_workspace_settings(&self) -> Result<bool, RecipeError> {
        let tree = self.workspace.as_ref().map(|text| text.source()?.parse()).transpose()?;
        Ok(tree.is_some_and(|tree| value_at(&tree, WORKSPACE_TABLE).is_some()))
    }

    /// Calls `then` with the merged document and the labels from the package's fields.
    fn with_document<T>(
        &self,
        then: impl FnOnce(&RecipeDocument<'_>, Vec<(&'static str, String)>) -> Result<T, RecipeError>,
    ) -> Result<T, RecipeError> {
        let own = self.manifest.source()?;
        let workspace = self.workspace.as_ref().map(CargoToml::source).transpose()?;
        let own = own.with_table(PACKAGE_TABLE, None);
        let workspace = workspace.map(|source| source.with_table(WORKSPACE_TABLE, Some(&own)));
        let tree = own.parse()?;
        let below = workspace.as_ref().map(TomlSource::parse).transpose()?;

        let mut wrong = misplaced_tables(&tree, PACKAGE_TABLE);
        wrong.extend(below.iter().flat_map(|tree| misplaced_tables(tree, WORKSPACE_TABLE)));
        let mut table = settings_table(below.as_ref(), WORKSPACE_TABLE, &mut wrong);
        if let Some(workspace) = &workspace {
            merge_workspace::rebase_paths(table.get_mut(), own.path, workspace.path)?;
        }
        let table =
            merge_workspace::merge_over(settings_table(Some(&tree), PACKAGE_TABLE, &mut wrong), table);
        let mut document =
            RecipeDocument::from_sources(std::iter::once(own).chain(workspace).collect(), table);
        for CargoTomlProblem { span, message, hint } in wrong {
            document.add_problem(span, message, hint);
        }
        then(&document, package_labels(&tree, below.as_ref()))
    }
}

impl CargoToml {
    fn read(path: &Path) -> Result<Self, RecipeError> {
        let path = relative_to_working_dir(path)?;
        Ok(Self { bytes: read_recipe_bytes(&path)?, path })
    }

    fn source(&self) -> Result<TomlSource<'_>, RecipeError> {
        TomlSource::new(&self.path, &self.bytes)
    }
}

/// Reads the Cargo.toml of the workspace of `manifest`, found as in `find_workspace_root` of
/// cargo's `cargo/core/workspace.rs`. `None` if there is no workspace.
fn find_workspace(manifest: &CargoToml) -> Result<Option<CargoToml>, RecipeError> {
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

/// Returns whether the workspace at `root` excludes `manifest`. Members override `exclude`.
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

/// Returns `path` relative to the working directory if it is inside, else absolute.
fn relative_to_working_dir(path: &Path) -> fs::Result<PathBuf> {
    let here = fs::absolute_path(Path::new("."))?;
    let absolute = fs::absolute_path(path)?;
    let here = here.components().collect::<PathBuf>();
    Ok(absolute.strip_prefix(here).map(Path::to_owned).unwrap_or(absolute))
}

/// Returns the labels from the package's fields, including those inherited from its workspace.
fn package_labels<'a>(
    tree: &Spanned<DeTable<'a>>,
    workspace: Option<&Spanned<DeTable<'a>>>,
) -> Vec<(&'static str, String)> {
    let field = |key: &str| {
        let value = value_at(tree, &format!("package.{key}"))?;
        match value.get_ref().as_table() {
            // `key.workspace = true`
            Some(_) => one_line_text(value_at(workspace?, &format!("workspace.package.{key}"))?.get_ref()),
            None => one_line_text(value.get_ref()),
        }
    };
    let label = |(key, label): (&str, &'static str)| {
        let value = field(key)?;
        // Before SPDX expressions, cargo used `/` for "or".
        let value = if key == "license" { value.replace('/', " OR ") } else { value };
        Some((label, value)).filter(|(_, value)| !value.is_empty() && !value.contains('\0'))
    };
    FIELD_LABELS.into_iter().filter_map(label).collect()
}

/// Returns a string on one line, or the elements of an array joined with commas.
fn one_line_text(value: &DeValue<'_>) -> Option<String> {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match value {
        DeValue::String(text) => Some(one_line(text)),
        DeValue::Array(list) => {
            let words = list.iter().filter_map(|word| word.get_ref().as_str());
            Some(words.map(one_line).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
