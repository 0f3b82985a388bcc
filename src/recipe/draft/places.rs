//! Source positions of values that are checked only when the whole recipe is known.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::document::Document;
use super::super::schema::{self, Spanned};
use super::super::{ConfigOverrides, Place, locate};
use coracle_kube::manifests::About;
use coracle_core::path::ImagePath;

/// Returns the positions of keys of `[kubernetes]`, mounts, files of variables, and patches.
pub(super) fn places(document: &Document<'_>, flags: &ConfigOverrides) -> BTreeMap<About, Place> {
    let (file, folder) = (&document.file, document.folder());
    let table = &file.kubernetes.0;
    let mut spans: Vec<(About, Range<usize>)> = Vec::new();
    let keys = [
        ("kind", span(&table.kind)),
        ("name", span(&table.name)),
        ("replicas", span(&table.replicas)),
        ("schedule", span(&table.schedule)),
        ("service", span(&table.service)),
        ("probes", span(&table.probes)),
        ("reload-image", span(&table.reload_image)),
    ];
    spans.extend(keys.into_iter().filter_map(|(key, span)| Some((About::Key(key), span?))));
    for word in mounts(file, flags) {
        let path = ImagePath::parse(word.get_ref().as_bytes());
        spans.extend(path.map(|path| (About::Mount(path), word.span())));
    }
    for word in &table.patches {
        spans.push((About::Patch(locate(&folder, word.get_ref().as_ref())), word.span()));
    }
    spans.into_iter().filter_map(|(about, span)| Some((about, document.place(&span)?))).collect()
}

fn span<T>(word: &Option<Spanned<T>>) -> Option<Range<usize>> {
    word.as_ref().map(|word| word.span())
}

/// Returns the paths of mounts and variables in the file that flags do not replace. Of equal paths,
/// problems are reported at the last.
pub(super) fn mounts<'a>(file: &'a schema::File, flags: &ConfigOverrides) -> Vec<&'a Spanned<String>> {
    let config = file.config.iter().filter(|_| flags.mounts.is_empty()).map(|table| &table.0.mount);
    let secrets = file.secret.iter().filter(|_| flags.secrets.is_empty()).map(|table| &table.0.mount);
    let others = file.state.iter().map(|table| &table.0.mount);
    let variables = file.variable.iter().map(|table| &table.0.from);
    config.chain(secrets).chain(others).chain(variables).collect()
}
