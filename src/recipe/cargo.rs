//! The recipe in a package's Cargo.toml: `[package.metadata.coracle]` merged over
//! `[workspace.metadata.coracle]`, and labels from the package's own fields.
//!
//! Source: the Cargo book, "The Manifest Format" and "Workspaces".

mod merge;
mod misplaced;
mod workspace;

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Document;
use super::error::Error;
use super::source::Source;
use super::{Overrides, Recipe, draft, read};
use coracle_core::fs;

/// The tables with the recipe's keys: of a package, and of a workspace for all its packages.
const OF_PACKAGE: &str = "package.metadata.coracle";
const OF_WORKSPACE: &str = "workspace.metadata.coracle";

/// The label of each package field: image-spec, "Pre-Defined Annotation Keys".
const LABELS: [(&str, &str); 8] = [
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
pub struct Package {
    manifest: Text,
    workspace: Option<Text>,
}

/// A file and its contents.
struct Text {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Package {
    /// Reads the Cargo.toml at `manifest`, and that of its workspace, found as cargo finds it.
    ///
    /// # Errors
    /// Fails if one of them cannot be read or is not TOML.
    pub fn read(manifest: &Path) -> Result<Self, Error> {
        let manifest = Text::read(manifest)?;
        let workspace = workspace::of(&manifest)?;
        Ok(Self { manifest, workspace })
    }

    /// Builds the recipe with `flags` applied. Its programs may be empty. The package's fields are
    /// the defaults of labels and annotations.
    ///
    /// # Errors
    /// Fails if keys or values are invalid; all are reported together.
    pub fn recipe(&self, flags: &Overrides) -> Result<Recipe, Error> {
        self.document(|document, labels| {
            let mut recipe = draft::finish(Some(document), flags)?;
            for (label, value) in labels {
                recipe.labels.entry(label.into()).or_insert_with(|| value.clone());
                recipe.annotations.entry(label.into()).or_insert(value);
            }
            Ok(recipe)
        })
    }

    /// Returns the names of the environments.
    ///
    /// # Errors
    /// Fails if a file is not TOML.
    pub fn environments(&self) -> Result<Vec<String>, Error> {
        self.document(|document, _| Ok(document.file.environments.keys().cloned().collect()))
    }

    /// Whether the package has the table `[package.metadata.coracle]`.
    ///
    /// # Errors
    /// Fails if the file is not TOML.
    pub fn has_settings(&self) -> Result<bool, Error> {
        Ok(at(&self.manifest.source()?.parse()?, OF_PACKAGE).is_some())
    }

    /// Whether its workspace has the table `[workspace.metadata.coracle]`.
    ///
    /// # Errors
    /// Fails if the file is not TOML.
    pub fn inherits_settings(&self) -> Result<bool, Error> {
        let tree = self.workspace.as_ref().map(|text| text.source()?.parse()).transpose()?;
        Ok(tree.is_some_and(|tree| at(&tree, OF_WORKSPACE).is_some()))
    }

    /// Calls `then` with the merged document and the labels from the package's fields.
    fn document<T>(
        &self,
        then: impl FnOnce(&Document<'_>, Vec<(&'static str, String)>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let own = self.manifest.source()?;
        let workspace = self.workspace.as_ref().map(Text::source).transpose()?;
        let own = own.below(OF_PACKAGE, None);
        let workspace = workspace.map(|source| source.below(OF_WORKSPACE, Some(&own)));
        let tree = own.parse()?;
        let below = workspace.as_ref().map(Source::parse).transpose()?;

        let mut wrong = misplaced::keys(&tree, OF_PACKAGE);
        wrong.extend(below.iter().flat_map(|tree| misplaced::keys(tree, OF_WORKSPACE)));
        let mut table = settings(below.as_ref(), OF_WORKSPACE, &mut wrong);
        if let Some(workspace) = &workspace {
            merge::rebase(table.get_mut(), own.path, workspace.path)?;
        }
        let table = merge::on_top(settings(Some(&tree), OF_PACKAGE, &mut wrong), table);
        let mut document = Document::of(std::iter::once(own).chain(workspace).collect(), table);
        for misplaced::Slip { span, message, hint } in wrong {
            document.note(span, message, hint);
        }
        then(&document, labels(&tree, below.as_ref()))
    }
}

impl Text {
    fn read(path: &Path) -> Result<Self, Error> {
        let path = from_here(path)?;
        Ok(Self { bytes: read(&path)?, path })
    }

    fn source(&self) -> Result<Source<'_>, Error> {
        Source::new(&self.path, &self.bytes)
    }
}

/// Returns `path` relative to the working directory if it is inside, else absolute.
fn from_here(path: &Path) -> fs::Result<PathBuf> {
    let here = fs::absolute(Path::new("."))?;
    let absolute = fs::absolute(path)?;
    let here = here.components().collect::<PathBuf>();
    Ok(absolute.strip_prefix(here).map(Path::to_owned).unwrap_or(absolute))
}

/// Returns the value at `path`, dotted keys.
fn at<'t, 'a>(tree: &'t Spanned<DeTable<'a>>, path: &str) -> Option<&'t Spanned<DeValue<'a>>> {
    let mut words = path.split('.');
    let first = tree.get_ref().get(words.next()?)?;
    words.try_fold(first, |value, word| value.get_ref().as_table()?.get(word))
}

/// Returns the table at `path`, or an empty one.
fn settings<'a>(
    tree: Option<&Spanned<DeTable<'a>>>,
    path: &str,
    wrong: &mut Vec<misplaced::Slip>,
) -> Spanned<DeTable<'a>> {
    let nothing = || Spanned::new(0..0, DeTable::new());
    let Some(value) = tree.and_then(|tree| at(tree, path)) else { return nothing() };
    match value.get_ref() {
        DeValue::Table(table) => Spanned::new(value.span(), table.clone()),
        _ => {
            let message = format!("`{path}` is not a table");
            wrong.push(misplaced::Slip { span: value.span(), message, hint: None });
            nothing()
        }
    }
}

/// Returns the labels from the package's fields, including those inherited from its workspace.
fn labels<'a>(
    tree: &Spanned<DeTable<'a>>,
    workspace: Option<&Spanned<DeTable<'a>>>,
) -> Vec<(&'static str, String)> {
    let field = |key: &str| {
        let value = at(tree, &format!("package.{key}"))?;
        match value.get_ref().as_table() {
            // `key.workspace = true`
            Some(_) => text(at(workspace?, &format!("workspace.package.{key}"))?.get_ref()),
            None => text(value.get_ref()),
        }
    };
    let label = |(key, label): (&str, &'static str)| {
        let value = field(key)?;
        // Before SPDX expressions, cargo used `/` for "or".
        let value = if key == "license" { value.replace('/', " OR ") } else { value };
        Some((label, value)).filter(|(_, value)| !value.is_empty() && !value.contains('\0'))
    };
    LABELS.into_iter().filter_map(label).collect()
}

/// Returns a string on one line, or the elements of an array joined with commas.
fn text(value: &DeValue<'_>) -> Option<String> {
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
