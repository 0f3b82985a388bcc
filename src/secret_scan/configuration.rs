//! The configuration of a recipe, which the scanner searches for, and searches in.

use std::path::Path;

use crate::error::Error;
use crate::recipe::Recipe;
use coracle_core::path::ImagePath;
use coracle_kube::config::{self, PartialRender, RenderedFile, RenderedMount};
use coracle_kube::values::ValueSource;
use coracle_scan::{ConfigFile, ConfigSource, SecretValue};

/// The files and secret values of a configuration.
pub(super) struct ScannedConfiguration {
    /// Source files and rendered files; the image must contain none of them.
    pub(super) files: Vec<ConfigFile>,
    /// Secret values, which must not be in the image.
    pub(super) secrets: Vec<SecretValue>,
    /// Rendered files that anyone may read, which must contain no secrets.
    pub(super) public_files: Vec<(ImagePath, Vec<u8>)>,
}

/// Renders the configuration of `recipe` as far as its values are known.
pub(super) fn render_configuration(recipe: &Recipe) -> Result<ScannedConfiguration, Error> {
    let PartialRender { mounts, secrets } = config::render_partial(&recipe.config)?;
    let file = |mount: &RenderedMount, file: RenderedFile| (mount.path.join(file.key.as_bytes()), file);
    let files: Vec<(ImagePath, RenderedFile)> = mounts
        .into_iter()
        .flat_map(|mut mount| {
            std::mem::take(&mut mount.files).into_iter().map(move |found| file(&mount, found))
        })
        .collect();
    let rendered = files.iter().map(|(path, file)| ConfigFile {
        description: format!("`{path}`, which is mounted"),
        content: file.bytes.clone(),
    });
    Ok(ScannedConfiguration {
        files: rendered.chain(source_contents(recipe)).collect(),
        secrets: secrets
            .into_iter()
            .map(|(key, value)| SecretValue { name: key.to_string(), value })
            .collect(),
        public_files: files
            .into_iter()
            .filter(|(_, file)| !file.is_secret)
            .map(|(path, file)| (path, file.bytes))
            .collect(),
    })
}

/// Returns the source files of a configuration.
pub(super) fn source_files(recipe: &Recipe) -> Vec<ConfigSource> {
    let configuration = &recipe.config;
    let source = |path: &Path, what| ConfigSource { path: path.to_owned(), description: what };
    let files = configuration.mounts.iter().flat_map(|mount| &mount.files).map(|file| {
        let what = if file.delimiters.is_some() {
            "a template of the configuration"
        } else {
            "a file of the configuration"
        };
        source(&file.source, what)
    });
    let values = configuration.values.iter().filter_map(|values| match values {
        ValueSource::File(path) => Some(source(path, "a file of values")),
        ValueSource::SetFile { path, .. } => Some(source(path, "a file with one value")),
        ValueSource::Set { .. } => None,
    });
    let schema = configuration.schema.iter().map(|path| source(path, "the schema of the values"));
    files.chain(values).chain(schema).collect()
}

/// Returns the contents of the source files, to find copies in the image. Unreadable files are
/// skipped: rendering reports them.
fn source_contents(recipe: &Recipe) -> impl Iterator<Item = ConfigFile> {
    let text = |source: ConfigSource| {
        let is_file = std::fs::metadata(&source.path)
            .is_ok_and(|file| file.is_file() && file.len() <= config::MAX_OBJECT_BYTES as u64);
        let bytes = is_file.then(|| std::fs::read(&source.path).ok()).flatten()?;
        Some(ConfigFile {
            description: format!("`{}`, {}", source.path.display(), source.description),
            content: bytes,
        })
    };
    source_files(recipe).into_iter().filter_map(text)
}
