//! What the leak gate is told of a recipe: one line for each kind of mount, file, text and value.

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

/// What [`super::build`] would refuse of `plans`, as far as it can be told before any content is read.
///
/// # Errors
/// Files of the image that are configuration by their place, and what is allowed without a name.
pub fn foresee(recipe: &Recipe, plans: &[Plan]) -> Result<Vec<Note>, Error> {
    let mut gate = Gate::new(places(recipe));
    plans.iter().for_each(|plan| gate.places(plan.rootfs.iter(), &plan.rootfs));
    Ok(gate.foreseen()?)
}

/// What of `recipe`'s configuration would be public and should not be; a build finds it by itself.
///
/// # Errors
/// Keys, tokens and secret values in files that are not secret, and what is wrong with the configuration.
pub fn judge_configuration(recipe: &Recipe) -> Result<Vec<Note>, Error> {
    Ok(gate(recipe)?.foreseen()?)
}

/// The gate for `recipe`; its configuration is rendered as far as its values are known, and judged as far as it is public.
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

/// What can be told without contents.
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

/// Where configuration and secrets are mounted.
pub(super) fn mounts(configuration: &Configuration) -> impl Iterator<Item = &ImagePath> {
    let config = configuration.mounts.iter().map(|mount| &mount.path);
    config.chain(configuration.secrets.iter().map(|secret| &secret.path))
}

/// The files that a configuration is made of.
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

/// The same files by their bytes: a copy is as telling. What can't be read is told by who needs it.
fn copies(configuration: &Configuration) -> impl Iterator<Item = Text> {
    let text = |source: Source| {
        let is_file = std::fs::metadata(&source.path)
            .is_ok_and(|file| file.is_file() && file.len() <= config::MAX_SIZE as u64);
        let bytes = is_file.then(|| std::fs::read(&source.path).ok()).flatten()?;
        Some(Text { name: format!("`{}`, {}", source.path.display(), source.what), bytes })
    };
    sources(configuration).into_iter().filter_map(text)
}

/// Shows the gate what is not a file, but for the contract, which names secrets and has no value.
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
