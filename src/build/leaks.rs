//! Sets up the secret scanner for a recipe: its mounts, files, texts and secret values.

use std::path::Path;

use super::{Error, Plan};
use coracle_kube::config::{self, Configuration, Known, RenderedFile, RenderedMount};
use coracle_kube::contract;
use coracle_scan::{Gate, Policy, Secret, Source, Text};
use coracle_oci::image::Config;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use crate::recipe::Recipe;
use coracle_kube::values;

/// Scans the paths of `plans`, without reading contents. Returns warnings.
///
/// # Errors
/// Fails if a file of the image is configuration because of its path, or an allowed entry has no
/// name.
pub fn foresee(recipe: &Recipe, plans: &[Plan]) -> Result<Vec<Note>, Error> {
    let mut gate = Gate::new(places(recipe));
    plans.iter().for_each(|plan| gate.places(plan.rootfs.iter(), &plan.rootfs));
    Ok(gate.foreseen()?)
}

/// Scans the rendered configuration of `recipe` for secrets in public files. [`super::build`] does
/// this, too. Returns warnings.
///
/// # Errors
/// Fails if public files contain keys, tokens or secret values, or if the configuration is invalid.
pub fn judge_configuration(recipe: &Recipe) -> Result<Vec<Note>, Error> {
    Ok(gate(recipe)?.foreseen()?)
}

/// Returns the scanner for `recipe`. Configuration whose values are known is rendered; its public
/// files are scanned.
pub(super) fn gate(recipe: &Recipe) -> Result<Gate, Error> {
    let Known { mounts, secrets } = config::known(&recipe.config)?;
    let file = |mount: &RenderedMount, file: RenderedFile| (mount.path.join(file.key.as_bytes()), file);
    let files: Vec<(ImagePath, RenderedFile)> = mounts
        .into_iter()
        .flat_map(|mut mount| {
            std::mem::take(&mut mount.files).into_iter().map(move |found| file(&mount, found))
        })
        .collect();
    let rendered = files
        .iter()
        .map(|(path, file)| Text { name: format!("`{path}`, which is mounted"), bytes: file.bytes.clone() });
    let mut gate = Gate::new(Policy {
        texts: rendered.chain(copies(&recipe.config)).collect(),
        secrets: secrets.into_iter().map(|(key, value)| Secret { name: key.to_string(), value }).collect(),
        ..places(recipe)
    });
    let public = files.iter().filter(|(_, file)| !file.is_secret);
    public.for_each(|(path, file)| gate.public(path, &file.bytes));
    Ok(gate)
}

/// Returns the scanner's policy that needs no file contents.
fn places(recipe: &Recipe) -> Policy {
    Policy {
        mounts: mounts(&recipe.config).cloned().collect(),
        sources: sources(&recipe.config),
        allow: recipe.allow.clone(),
        allow_words: recipe.allow_words.clone(),
        strict: recipe.strict,
        ..Policy::default()
    }
}

/// Returns the mount points of configuration and Secrets.
pub(super) fn mounts(configuration: &Configuration) -> impl Iterator<Item = &ImagePath> {
    let config = configuration.mounts.iter().map(|mount| &mount.path);
    config.chain(configuration.secrets.iter().map(|secret| &secret.path))
}

/// Returns the source files of a configuration.
fn sources(configuration: &Configuration) -> Vec<Source> {
    let source = |path: &Path, what| Source { path: path.to_owned(), what };
    let files = configuration.mounts.iter().flat_map(|mount| &mount.files).map(|file| {
        let what = if file.delimiters.is_some() {
            "a template of the configuration"
        } else {
            "a file of the configuration"
        };
        source(&file.from, what)
    });
    let values = configuration.values.iter().filter_map(|values| match values {
        values::Source::File(path) => Some(source(path, "a file of values")),
        values::Source::SetFile { path, .. } => Some(source(path, "a file with one value")),
        values::Source::Set { .. } => None,
    });
    let schema = configuration.schema.iter().map(|path| source(path, "the schema of the values"));
    files.chain(values).chain(schema).collect()
}

/// Returns the contents of the source files, to find copies in the image. Unreadable files are
/// skipped: rendering reports them.
fn copies(configuration: &Configuration) -> impl Iterator<Item = Text> {
    let text = |source: Source| {
        let is_file = std::fs::metadata(&source.path)
            .is_ok_and(|file| file.is_file() && file.len() <= config::MAX_SIZE as u64);
        let bytes = is_file.then(|| std::fs::read(&source.path).ok()).flatten()?;
        Some(Text { name: format!("`{}`, {}", source.path.display(), source.what), bytes })
    };
    sources(configuration).into_iter().filter_map(text)
}

/// Scans the values of the image's config, except the contract, which has names of secrets but no
/// values.
pub(super) fn words(gate: &mut Gate, config: &Config) {
    for (kind, words) in
        [("env", &config.env), ("label", &config.labels), ("annotation", &config.annotations)]
    {
        let words = words.iter().filter(|(name, _)| name.as_str() != contract::LABEL);
        words.for_each(|(name, value)| gate.word(kind, name, value));
    }
    for (index, arg) in config.cmd.iter().enumerate() {
        gate.word("arg", &(index + 1).to_string(), arg);
    }
}
