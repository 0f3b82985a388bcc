//! Scans a recipe's image for secrets and configuration: sets up the scanner with the mounts, files
//! and secret values of the recipe.

#[cfg(feature = "kube")]
use std::path::Path;

use super::contract;
use super::error::Error;
use super::image_plan::Plan;
use super::packaged_files::packaged_paths;
use super::recipe::Recipe;
use coracle_core::content_scanner::ContentScanner;
#[cfg(feature = "kube")]
use coracle_core::fs::{self, Context as _};
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
#[cfg(feature = "kube")]
use coracle_kube::config::{self, PartialRender, RenderedFile, RenderedMount};
#[cfg(feature = "kube")]
use coracle_kube::values::ValueSource;
use coracle_oci::image::ImageConfig;
use coracle_scan::{
    ConfigFile, ConfigSource, ConfigValueKind, ForbiddenContents, SecretScanner, SecretValue,
};

/// The secret scanner of one build.
pub(crate) struct ImageScanner(SecretScanner);

impl ImageScanner {
    /// Creates the scanner for `recipe`. Configuration whose values are known is rendered; its
    /// public files are scanned.
    ///
    /// # Errors
    /// Fails if the configuration is invalid.
    pub(crate) fn new(recipe: &Recipe) -> Result<Self, Error> {
        Ok(Self(secret_scanner(recipe)?))
    }

    /// Scans the paths of a planned image and the values of its config.
    pub(crate) fn scan_plan(&mut self, plan: &Plan, config: &ImageConfig) {
        self.0.scan_plan(plan.rootfs.iter(), &plan.rootfs);
        scan_image_config(&mut self.0, config);
    }

    /// Returns the scanner of file contents.
    pub(crate) fn content_scanner(&mut self) -> &mut dyn ContentScanner {
        &mut self.0
    }

    /// Returns whether the scanner has no findings so far that fail the build.
    pub(crate) fn is_clean(&self) -> bool {
        !self.0.has_unaccepted_errors()
    }

    /// Evaluates all findings. Returns warnings.
    ///
    /// # Errors
    /// Fails with all findings that are errors and not accepted.
    pub(crate) fn evaluate(self) -> Result<Vec<Note>, Error> {
        Ok(self.0.evaluate()?)
    }
}

/// Scans the paths of `plans`, without reading contents. Returns warnings.
///
/// # Errors
/// Fails if a file of the image is configuration because of its path, or an allowed entry has no
/// name.
pub fn scan_plan(recipe: &Recipe, plans: &[Plan]) -> Result<Vec<Note>, Error> {
    let mut scanner = SecretScanner::new(forbidden_contents(recipe));
    plans.iter().for_each(|plan| scanner.scan_plan(plan.rootfs.iter(), &plan.rootfs));
    Ok(scanner.evaluate_so_far()?)
}

/// Scans the rendered configuration of `recipe` for secrets in public files. [`crate::build`] does
/// this, too. Returns warnings.
///
/// # Errors
/// Fails if public files contain keys, tokens or secret values, or if the configuration is invalid.
pub fn scan_config(recipe: &Recipe) -> Result<Vec<Note>, Error> {
    Ok(secret_scanner(recipe)?.evaluate_so_far()?)
}

/// Returns the scanner for `recipe`. Configuration whose values are known is rendered; its public
/// files are scanned.
fn secret_scanner(recipe: &Recipe) -> Result<SecretScanner, Error> {
    let configuration = render_configuration(recipe)?;
    let mut scanner = SecretScanner::new(ForbiddenContents {
        config_files: configuration.files,
        secrets: configuration.secrets,
        ..forbidden_contents(recipe)
    });
    for (path, bytes) in &configuration.public_files {
        scanner.scan_config_map_file(path, bytes);
    }
    Ok(scanner)
}

/// Returns what the image must not contain, as far as it does not depend on file contents.
fn forbidden_contents(recipe: &Recipe) -> ForbiddenContents {
    ForbiddenContents {
        mounts: contract::mount_points(recipe),
        state_directories: contract::writable_directories(recipe),
        config_sources: source_files(recipe),
        allowed_paths: recipe.checks.allowed_paths.clone(),
        allowed_values: recipe.checks.allowed_config_values.clone(),
        strict: recipe.checks.strict,
        packaged_files: Some(packaged_paths),
        ..ForbiddenContents::default()
    }
}

/// Scans the values of the image's config, except the contract, which has names of secrets but no
/// values.
fn scan_image_config(scanner: &mut SecretScanner, config: &ImageConfig) {
    for (kind, words) in [
        (ConfigValueKind::Env, &config.env),
        (ConfigValueKind::Label, &config.labels),
        (ConfigValueKind::Annotation, &config.annotations),
    ] {
        let words = words.iter().filter(|(name, _)| !contract::is_contract_label(name));
        words.for_each(|(name, value)| scanner.scan_config_value(kind, name, value));
    }
    for (index, arg) in config.cmd.iter().enumerate() {
        scanner.scan_config_value(ConfigValueKind::Arg, &(index + 1).to_string(), arg);
    }
}

/// The files and secret values of a configuration, which the scanner searches for, and searches in.
#[derive(Default)]
struct ScannedConfiguration {
    /// Source files and rendered files; the image must contain none of them.
    files: Vec<ConfigFile>,
    /// Secret values, which must not be in the image.
    secrets: Vec<SecretValue>,
    /// Rendered files that anyone may read, which must contain no secrets.
    public_files: Vec<(ImagePath, Vec<u8>)>,
}

/// Renders the configuration of `recipe` as far as its values are known.
#[cfg(feature = "kube")]
fn render_configuration(recipe: &Recipe) -> Result<ScannedConfiguration, Error> {
    let PartialRender { mounts, secrets } = config::render_partial(&recipe.config)?;
    let file =
        |mount: &RenderedMount, file: RenderedFile| (config::path_in_mount(&mount.path, &file.path), file);
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
        files: rendered.chain(source_contents(recipe)?).collect(),
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

/// Returns nothing to scan: without the feature `kube`, a recipe has no configuration.
#[cfg(not(feature = "kube"))]
fn render_configuration(_: &Recipe) -> Result<ScannedConfiguration, Error> {
    Ok(ScannedConfiguration::default())
}

/// Returns the source files of a configuration.
#[cfg(feature = "kube")]
fn source_files(recipe: &Recipe) -> Vec<ConfigSource> {
    let configuration = &recipe.config;
    let source = |path: &Path, what| ConfigSource { path: path.to_owned(), description: what };
    let files = configuration.mounts.iter().flat_map(|mount| &mount.files).map(|file| {
        let what = if file.syntax.is_some() {
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

/// Returns the contents of the source files, to find copies in the image. Standard input and pipes
/// cannot be read twice, and files that are too large for a ConfigMap are not configuration; both are
/// left out.
///
/// # Errors
/// Fails if a file cannot be read.
#[cfg(feature = "kube")]
fn source_contents(recipe: &Recipe) -> fs::Result<Vec<ConfigFile>> {
    let mut contents = Vec::new();
    let is_stdin = |source: &ConfigSource| source.path.as_os_str() == "-";
    for source in source_files(recipe).into_iter().filter(|source| !is_stdin(source)) {
        let metadata = std::fs::metadata(&source.path).context("read the metadata of", &source.path)?;
        if metadata.is_file() && metadata.len() <= config::MAX_OBJECT_BYTES as u64 {
            contents.push(ConfigFile {
                description: format!("`{}`, {}", source.path.display(), source.description),
                content: std::fs::read(&source.path).context("read", &source.path)?,
            });
        }
    }
    Ok(contents)
}

/// Returns no source files: without the feature `kube`, a recipe has no configuration.
#[cfg(not(feature = "kube"))]
fn source_files(_: &Recipe) -> Vec<ConfigSource> {
    Vec::new()
}
