//! Sets up the secret scanner for a recipe: its mounts, files, texts and secret values.

use std::path::Path;

use super::{Error, Plan};
use crate::recipe::Recipe;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_kube::config::{self, Configuration, PartialRender, RenderedFile, RenderedMount};
use coracle_kube::contract;
use coracle_kube::values;
use coracle_oci::image::ImageConfig;
use coracle_scan::{ConfigFile, ConfigSource, ConfigValueKind, ScanPolicy, SecretScanner, SecretValue};

/// Scans the paths of `plans`, without reading contents. Returns warnings.
///
/// # Errors
/// Fails if a file of the image is configuration because of its path, or an allowed entry has no
/// name.
pub fn scan_plan(recipe: &Recipe, plans: &[Plan]) -> Result<Vec<Note>, Error> {
    let mut gate = SecretScanner::new(path_policy(recipe));
    plans.iter().for_each(|plan| gate.scan_plan(plan.rootfs.iter(), &plan.rootfs));
    Ok(gate.evaluate_findings()?)
}

/// Scans the rendered configuration of `recipe` for secrets in public files. [`super::build`] does
/// this, too. Returns warnings.
///
/// # Errors
/// Fails if public files contain keys, tokens or secret values, or if the configuration is invalid.
pub fn scan_config(recipe: &Recipe) -> Result<Vec<Note>, Error> {
    Ok(secret_scanner(recipe)?.evaluate_findings()?)
}

/// Returns the scanner for `recipe`. Configuration whose values are known is rendered; its public
/// files are scanned.
pub(super) fn secret_scanner(recipe: &Recipe) -> Result<SecretScanner, Error> {
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
    let mut gate = SecretScanner::new(ScanPolicy {
        config_files: rendered.chain(source_contents(&recipe.config)).collect(),
        secrets: secrets
            .into_iter()
            .map(|(key, value)| SecretValue { name: key.to_string(), value })
            .collect(),
        ..path_policy(recipe)
    });
    let public = files.iter().filter(|(_, file)| !file.is_secret);
    public.for_each(|(path, file)| gate.scan_config_map_file(path, &file.bytes));
    Ok(gate)
}

/// Returns the scanner's policy that needs no file contents.
fn path_policy(recipe: &Recipe) -> ScanPolicy {
    ScanPolicy {
        mounts: mount_points(&recipe.config).cloned().collect(),
        config_sources: source_files(&recipe.config),
        allowed_paths: recipe.allowed_paths.clone(),
        allowed_values: recipe.allowed_config_values.clone(),
        strict: recipe.strict,
        ..ScanPolicy::default()
    }
}

/// Returns the mount points of configuration and Secrets.
pub(super) fn mount_points(configuration: &Configuration) -> impl Iterator<Item = &ImagePath> {
    let config = configuration.mounts.iter().map(|mount| &mount.path);
    config.chain(configuration.secrets.iter().map(|secret| &secret.path))
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
        values::ValueSource::File(path) => Some(source(path, "a file of values")),
        values::ValueSource::SetFile { path, .. } => Some(source(path, "a file with one value")),
        values::ValueSource::Set { .. } => None,
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
pub(super) fn scan_image_config(gate: &mut SecretScanner, config: &ImageConfig) {
    for (kind, words) in [
        (ConfigValueKind::Env, &config.env),
        (ConfigValueKind::Label, &config.labels),
        (ConfigValueKind::Annotation, &config.annotations),
    ] {
        let words = words.iter().filter(|(name, _)| name.as_str() != contract::CONTRACT_LABEL);
        words.for_each(|(name, value)| gate.scan_config_value(kind, name, value));
    }
    for (index, arg) in config.cmd.iter().enumerate() {
        gate.scan_config_value(ConfigValueKind::Arg, &(index + 1).to_string(), arg);
    }
}
