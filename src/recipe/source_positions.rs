//! Source positions of values that are checked only when the whole recipe is known.

use std::collections::BTreeMap;
use std::ops::Range;

use super::error::{RecipeError, RecipeProblem, SourcePosition};
use super::flag_overrides::ConfigOverrides;
use super::recipe_document::RecipeDocument;
use super::recipe_paths::resolve_path;
use super::recipe_settings::Recipe;
use super::schema::{self, Spanned};
use coracle_core::path::ImagePath;
use coracle_kube::manifests::ManifestsError;
use coracle_kube::{LocatedProblem, RecipePart};

impl Recipe {
    /// Converts problems of the Kubernetes manifests to a recipe error with source positions.
    pub fn with_source_positions(&self, ManifestsError(problems): ManifestsError) -> RecipeError {
        let located = |problem: LocatedProblem| RecipeProblem {
            message: problem.message,
            hint: Some(problem.hint).filter(|hint| !hint.is_empty()),
            position: problem.location.and_then(|location| self.source.positions.get(&location).cloned()),
        };
        let mut problems: Vec<RecipeProblem> = problems.into_iter().map(located).collect();
        problems.sort_by_key(RecipeProblem::sort_key);
        RecipeError::Invalid(problems)
    }
}

/// Returns the positions of keys of `[kubernetes]`, mounts, files of variables, and patches.
pub(super) fn source_positions(
    document: &RecipeDocument<'_>,
    flags: &ConfigOverrides,
) -> BTreeMap<RecipePart, SourcePosition> {
    let (file, folder) = (&document.file, document.recipe_dir());
    let table = &file.kubernetes_in(flags.environment.as_deref());
    let mut spans: Vec<(RecipePart, Range<usize>)> = Vec::new();
    let keys = [
        ("kind", span_of(&table.kind)),
        ("name", span_of(&table.name)),
        ("replicas", span_of(&table.replicas)),
        ("schedule", span_of(&table.schedule)),
        ("service", span_of(&table.service)),
        ("job", span_of(&table.job)),
        ("probes", span_of(&table.probes)),
        ("reload-image", span_of(&table.reload_image)),
        ("image-pull-secrets", table.image_pull_secrets.first().map(|name| name.span())),
        ("annotations", table.annotations.values().next().map(|value| value.span())),
        ("labels", table.labels.values().next().map(|value| value.span())),
        ("termination-grace", span_of(&table.termination_grace)),
    ];
    spans.extend(keys.into_iter().filter_map(|(key, span)| Some((RecipePart::Key(key), span?))));
    for word in mount_paths(file, flags) {
        let path = ImagePath::parse(word.get_ref().as_bytes());
        spans.extend(path.map(|path| (RecipePart::Mount(path), word.span())));
    }
    for word in &table.patches {
        spans.push((RecipePart::Patch(resolve_path(&folder, word.get_ref().as_ref())), word.span()));
    }
    spans.into_iter().filter_map(|(about, span)| Some((about, document.position(&span)?))).collect()
}

fn span_of<T>(word: &Option<Spanned<T>>) -> Option<Range<usize>> {
    word.as_ref().map(|word| word.span())
}

/// Returns the paths of mounts and variables in the file that flags do not replace. Of equal paths,
/// problems are reported at the last.
pub(super) fn mount_paths<'a>(
    file: &'a schema::RecipeFile,
    flags: &ConfigOverrides,
) -> Vec<&'a Spanned<String>> {
    let config = file.config.iter().filter(|_| flags.mounts.is_empty()).map(|table| &table.0.mount);
    let secrets = file.secret.iter().filter(|_| flags.secrets.is_empty()).map(|table| &table.0.mount);
    let state = file.state.iter().filter(|_| flags.state.is_empty()).map(|table| &table.0.mount);
    let variables = file.variable.iter().map(|table| &table.0.from);
    config.chain(secrets).chain(state).chain(variables).collect()
}
