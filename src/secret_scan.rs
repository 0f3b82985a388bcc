//! Scans a recipe's image for secrets and configuration: sets up the scanner with the mounts, files
//! and secret values of the recipe.

use std::path::Path;

use super::contract;
use super::error::Error;
use super::image_plan::Plan;
use super::recipe::Recipe;
use coracle_core::content_scanner::ContentScanner;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_kube::config::{self, Configuration, PartialRender, RenderedFile, RenderedMount};
use coracle_kube::values::ValueSource;
use coracle_oci::image::ImageConfig;
use coracle_scan::{ConfigFile, ConfigSource, ConfigValueKind, ScanPolicy, SecretScanner, SecretValue};

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
    pub(crate) fn contents(&mut self) -> &mut dyn ContentScanner {
        &mut self.0
    }

    /// Whether the scanner has no findings so far that fail the build.
    pub(crate) fn is_clean(&self) -> bool {
        !self.0.has_unaccepted_errors()
    }

    /// Evaluates all findings. Returns warnings.
    ///
    /// # Errors
    /// Fails with all findings that are errors and not accepted.
    pub(crate) fn evaluate(self) -> Result<Vec<Note>, Error> {
        Ok(self.0.evaluate_findings()?)
    }
}

/// Scans the paths of `plans`, without reading contents. Returns warnings.
///
/// # Errors
/// Fails if a file of the image is configuration because of its path, or an allowed entry has no
/// name.
pub fn scan_plan(recipe: &Recipe, plans: &[Plan]) -> Result<Vec<Note>, Error> {
    let mut scanner = SecretScanner::new(path_policy(recipe));
    plans.iter().for_each(|plan| scanner.scan_plan(plan.rootfs.iter(), &plan.rootfs));
    Ok(scanner.evaluate_findings()?)
}

/// Scans the rendered configuration of `recipe` for secrets in public files. [`crate::build`] does
/// this, too. Returns warnings.
///
/// # Errors
/// Fails if public files contain keys, tokens or secret values, or if the configuration is invalid.
pub fn scan_config(recipe: &Recipe) -> Result<Vec<Note>, Error> {
    Ok(secret_scanner(recipe)?.evaluate_findings()?)
}

/// Returns the scanner for `recipe`. Configuration whose values are known is rendered; its public
/// files are scanned.
fn secret_scanner(recipe: &Recipe) -> Result<SecretScanner, Error> {
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
    let mut scanner = SecretScanner::new(ScanPolicy {
        config_files: rendered.chain(source_contents(&recipe.config)).collect(),
        secrets: secrets
            .into_iter()
            .map(|(key, value)| SecretValue { name: key.to_string(), value })
            .collect(),
        ..path_policy(recipe)
    });
    let public = files.iter().filter(|(_, file)| !file.is_secret);
    public.for_each(|(path, file)| scanner.scan_config_map_file(path, &file.bytes));
    Ok(scanner)
}

/// Returns the scanner's policy that needs no file contents.
fn path_policy(recipe: &Recipe) -> ScanPolicy {
    ScanPolicy {
        mounts: contract::mount_points(recipe),
        config_sources: source_files(&recipe.config),
        allowed_paths: recipe.policy.allowed_paths.clone(),
        allowed_values: recipe.policy.allowed_config_values.clone(),
        strict: recipe.policy.strict,
        ..ScanPolicy::default()
    }
}

/// Returns the source files of a configuration.
fn source_files(configuration: &Configuration) -> Vec<ConfigSource> {
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
fn source_contents(configuration: &Configuration) -> impl Iterator<Item = ConfigFile> {
    let text = |source: ConfigSource| {
        let is_file = std::fs::metadata(&source.path)
            .is_ok_and(|file| file.is_file() && file.len() <= config::MAX_OBJECT_BYTES as u64);
        let bytes = is_file.then(|| std::fs::read(&source.path).ok()).flatten()?;
        Some(ConfigFile {
            description: format!("`{}`, {}", source.path.display(), source.description),
            content: bytes,
        })
    };
    source_files(configuration).into_iter().filter_map(text)
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
