//! The recipe that is compared with the run, and its file, which `--write` changes.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use coracle::recipe::{self, Recipe, RecipeOverrides};
use coracle_core::fs::Context as _;
use toml_edit::DocumentMut;

use super::planned_image::PlannedImage;
use crate::cli::args::RecordArgs;
use crate::cli::error::CliError;
use crate::cli::init;

/// A recipe file, or the path of the file that `--write` creates.
pub(super) struct RecipeFile {
    path: PathBuf,
    /// The text and its syntax tree. `None` if there is no such file.
    existing: Option<(String, DocumentMut)>,
}

impl RecipeFile {
    /// Reads the recipe at `named`, or else the default recipe if it exists.
    pub(super) fn read_or_default(named: Option<&Path>) -> Result<Self, CliError> {
        let path = named.unwrap_or(Path::new(recipe::DEFAULT_FILE_NAME)).to_owned();
        if named.is_none() && path.symlink_metadata().is_err() {
            return Ok(Self { path, existing: None });
        }
        // Invalid recipes have the usual errors, with positions.
        recipe::read_recipe(&path, &RecipeOverrides::default())?;
        let text = std::fs::read_to_string(&path).context("read", &path)?;
        let document = text.parse::<DocumentMut>().map_err(|error| {
            CliError::failed(format!("cannot parse `{}`: {}", path.display(), error.message()))
        })?;
        Ok(Self { path, existing: Some((text, document)) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the recipe. `None` if there is no file.
    pub(super) fn recipe(&self) -> Result<Option<Recipe>, CliError> {
        let read = || recipe::read_recipe(&self.path, &RecipeOverrides::default());
        Ok(self.existing.as_ref().map(|_| read()).transpose()?)
    }

    /// Returns the text of the file; empty if there is none.
    pub(super) fn text(&self) -> &str {
        self.existing.as_ref().map_or("", |(text, _)| text)
    }

    /// Returns whether the recipe is the metadata of a package.
    pub(super) fn is_cargo_toml(&self) -> bool {
        self.path.file_name().is_some_and(|name| name == "Cargo.toml")
    }

    /// Parses `text` as the new text of the recipe, without writing it.
    pub(super) fn parse(&self, text: &str) -> Result<Recipe, CliError> {
        Ok(recipe::parse_recipe(&self.path, text.as_bytes(), &RecipeOverrides::default())?)
    }

    /// Returns the keys of the table in the file that is the recipe.
    pub(super) fn table_keys(&self) -> &'static [&'static str] {
        if self.is_cargo_toml() { &["package", "metadata", "coracle"] } else { &[] }
    }

    /// Returns the syntax tree of the file. `None` if there is none.
    pub(super) fn document(&self) -> Option<&DocumentMut> {
        self.existing.as_ref().map(|(_, document)| document)
    }

    /// Returns the syntax tree to change: of the file, or of a first recipe for `program`.
    pub(super) fn document_to_edit(&self, program: &Path) -> Result<DocumentMut, CliError> {
        match self.document() {
            Some(document) => Ok(document.clone()),
            None => init::first_recipe(program)?
                .parse()
                .map_err(|_| CliError::internal("the template of a recipe is not TOML")),
        }
    }

    /// Replaces the file, or creates it. Nothing is written if the new recipe could not be built.
    pub(super) fn write(&self, text: &str, args: &RecordArgs) -> Result<(), CliError> {
        // A Cargo.toml can be read only as a file.
        if !self.is_cargo_toml() {
            let planned = self.parse(text).and_then(|recipe| PlannedImage::plan_recipe(recipe, text, args));
            let planned = planned.and_then(|image| image.check_required_files());
            planned.map_err(|failure| CliError {
                message: format!(
                    "`{}` is not changed, because it could not be built with these lines: {}",
                    self.path.display(),
                    failure.message
                ),
                ..failure
            })?;
        }
        self.replace_file(text)
    }

    /// Writes the whole text to a temporary file, and renames it.
    fn replace_file(&self, text: &str) -> Result<(), CliError> {
        let path = match &self.existing {
            // A link stays a link.
            Some(_) => self.path.canonicalize().context("read", &self.path)?,
            None => std::path::absolute(&self.path).context("write", &self.path)?,
        };
        let parent = path.parent().unwrap_or(Path::new("/"));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".coracle-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut temporary = builder.tempfile_in(parent).context("write", &self.path)?;
        temporary.write_all(text.as_bytes()).context("write", &self.path)?;
        if let Some((before, _)) = &self.existing {
            let metadata = path.metadata().context("read", &self.path)?;
            temporary.as_file().set_permissions(metadata.permissions()).context("write", &self.path)?;
            if std::fs::read_to_string(&path).context("read", &self.path)? != *before {
                return Err(CliError::failed_with_hint(
                    format!("cannot write `{}`: it was changed in the meantime", self.path.display()),
                    "run the command again; the run is recorded",
                ));
            }
            temporary.persist(&path).map_err(|error| error.error).context("write", &self.path)?;
        } else {
            temporary.persist_noclobber(&path).map_err(|error| error.error).context("write", &self.path)?;
        }
        Ok(())
    }
}
