//! Scans a recipe's image for secrets and configuration: sets up the scanner with the mounts, files
//! and secret values of the recipe.

#[cfg_attr(not(feature = "kube"), path = "no_configuration.rs")]
mod configuration;

use super::contract;
use super::error::Error;
use super::image_plan::Plan;
use super::recipe::Recipe;
use coracle_core::content_scanner::ContentScanner;
use coracle_core::note::Note;
use coracle_oci::image::ImageConfig;
use coracle_scan::{ConfigValueKind, ScanPolicy, SecretScanner};

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

    /// Whether the scanner has no findings so far that fail the build.
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
    let mut scanner = SecretScanner::new(path_policy(recipe));
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
    let configuration = configuration::render_configuration(recipe)?;
    let mut scanner = SecretScanner::new(ScanPolicy {
        config_files: configuration.files,
        secrets: configuration.secrets,
        ..path_policy(recipe)
    });
    for (path, bytes) in &configuration.public_files {
        scanner.scan_config_map_file(path, bytes);
    }
    Ok(scanner)
}

/// Returns the scanner's policy that needs no file contents.
fn path_policy(recipe: &Recipe) -> ScanPolicy {
    ScanPolicy {
        mounts: contract::mount_points(recipe),
        config_sources: configuration::source_files(recipe),
        allowed_paths: recipe.policy.allowed_paths.clone(),
        allowed_values: recipe.policy.allowed_config_values.clone(),
        strict: recipe.policy.strict,
        ..ScanPolicy::default()
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
