//! Checks of the files that the contract expects: presence, kind of object, mode, format and
//! content.

use super::Expected;
use super::finding::{Report, Rule};
use super::map::{Map, block, shown};
use super::mounts::{Mount, covering};
use super::values::Comparison;
use super::volume::{Found, Volume, mode};
use super::workload::Container;
use crate::contract::{self, File};
use coracle_core::path::ImagePath;
use crate::template::Format;
use crate::yaml::{Node, Place};

/// The checks of one container.
pub(super) struct Look<'a, 'b> {
    pub(super) container: &'b Container<'a>,
    pub(super) mounts: &'b [Mount<'a>],
    pub(super) maps: &'b [Map<'a>],
    pub(super) expected: &'b Expected<'b>,
    pub(super) comparison: Option<&'b Comparison>,
}

impl Look<'_, '_> {
    /// Checks every file of every mount.
    pub(super) fn files(&self, report: &mut Report) {
        for mount in &self.expected.contract.mounts {
            let Ok(directory) = mount.path.parse::<ImagePath>() else { continue };
            let covered = covering(self.mounts, &directory).is_some();
            let inside = self.mounts.iter().any(|found| found.path.is_within(&directory));
            let required: Vec<&str> =
                mount.files.iter().filter(|file| !file.optional).map(|file| file.key.as_str()).collect();
            if covered || inside {
                mount.files.iter().for_each(|file| self.file(mount, &directory, file, report));
            } else if !required.is_empty() {
                let place = self
                    .container
                    .node
                    .member("volumeMounts")
                    .map_or(self.container.place(), |(key, _)| key.place);
                let message = format!(
                    "nothing is mounted at `{directory}`, but the program reads {} there",
                    listed(&required)
                );
                report.findings.push(self.container.finding(Rule::MissingMount, place, message));
            }
        }
    }

    fn file(&self, mount: &contract::Mount, directory: &ImagePath, file: &File, report: &mut Report) {
        let path = directory.join(file.key.as_bytes());
        let is_live = mount.reload != "restart";
        let Some(at) = covering(self.mounts, &path) else {
            if !file.optional {
                let message = format!("nothing is mounted at `{path}`, which the program reads");
                report.findings.push(self.container.finding(
                    Rule::MissingFile,
                    self.container.place(),
                    message,
                ));
            }
            return;
        };
        if let Some(sub_path) = at.sub_path.filter(|_| is_live) {
            let message = format!(
                "`{path}` is mounted with `subPath`, so the kubelet does not update it, but the program expects updates \
                 (`reload` is `{}`)",
                mount.reload
            );
            report.findings.push(self.container.finding(Rule::SubPath, sub_path.place, message));
        }
        match at.find(&path, self.container, self.maps) {
            Found::Key { map, key, source, mode } => {
                self.place(&path, file, source.is_secret, source.place, report);
                self.readable(&path, mode, report);
                self.content(mount, file, &path, map, key, is_live, report);
            }
            Found::Elsewhere { source, key } => {
                self.place(&path, file, source.is_secret, source.place, report);
                let message = format!(
                    "cannot check whether the {} `{}` has `{}`: it is not in these manifests",
                    source.kind(),
                    shown(source.name),
                    shown(&key)
                );
                report.notes.push(self.container.finding(Rule::Elsewhere, source.place, message));
            }
            Found::Nothing => self.absent(&path, file, at, report),
        }
    }

    /// Reports a path without a known file.
    fn absent(&self, path: &ImagePath, file: &File, at: &Mount<'_>, report: &mut Report) {
        let unknown = !matches!(at.volume, Volume::Files { has_others: false, .. }) || at.is_computed;
        if unknown && at.path != ImagePath::root() {
            let message = format!("cannot check whether `{path}` is in the volume at `{}`", at.path);
            report.notes.push(self.container.finding(Rule::Elsewhere, at.place, message));
        } else if !file.optional {
            let message = format!("`{path}` is missing: the volume at `{}` has no such file", at.path);
            report.findings.push(self.container.finding(Rule::MissingFile, at.place, message));
        }
    }

    /// Reports a secret file in a ConfigMap.
    fn place(&self, path: &ImagePath, file: &File, is_secret: bool, place: Place, report: &mut Report) {
        if file.secret && !is_secret {
            let message = format!("`{path}` is secret, but comes from a ConfigMap");
            report.findings.push(self.container.finding(Rule::SecretInConfigMap, place, message));
        }
    }

    /// Reports a file that the program's user cannot read.
    fn readable(&self, path: &ImagePath, node: Option<&Node>, report: &mut Report) {
        let Some(node) = node else { return };
        let Some(mode) = mode(node, &self.container.object.input.text) else { return };
        let (uid, gid) = self.ids();
        let has_group = self.container.pod.at(&["securityContext"]).get("fsGroup").is_some()
            || self.container.pod.at(&["securityContext"]).get("supplementalGroups").is_some();
        let readable =
            mode & 0o004 != 0 || uid == Some(0) || has_group || gid == Some(0) && mode & 0o040 != 0;
        if !readable && uid.is_some() {
            let message = format!(
                "user {} cannot read `{path}`, which has mode {mode:04o} and is owned by root: set `fsGroup`, or mode 0444",
                uid.unwrap_or_default()
            );
            report.findings.push(self.container.finding(Rule::Unreadable, node.place, message));
        }
    }

    /// Returns the user and group IDs that the program runs as; `None` for names.
    pub(super) fn ids(&self) -> (Option<i64>, Option<i64>) {
        let said = |field| match &self.container.security(field)?.kind {
            crate::yaml::Kind::Plain(value) => value.as_i64(),
            _ => None,
        };
        let user = if self.expected.contract.user.is_empty() {
            self.expected.user.unwrap_or("0")
        } else {
            &self.expected.contract.user
        };
        let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
        (said("runAsUser").or(uid.parse().ok()), said("runAsGroup").or(gid.parse().ok()))
    }

    #[allow(clippy::too_many_arguments, reason = "the facts about one file")]
    fn content(
        &self,
        mount: &contract::Mount,
        file: &File,
        path: &ImagePath,
        map: &Map<'_>,
        key: &str,
        is_live: bool,
        report: &mut Report,
    ) {
        if let Some(place) = map.immutable().filter(|_| is_live) {
            let message = format!(
                "the object is immutable, but the program expects updates in `{}` (`reload` is `{}`)",
                mount.path, mount.reload
            );
            report.findings.push(map.object.finding(Rule::Immutable, place, message));
        }
        let Some(entry) = map.entry(key) else { return };
        let Some(bytes) = &entry.bytes else { return };
        if let Some(format) = file.format.as_deref().and_then(|name| Format::of(&format!(".{name}"))) {
            let fault = match std::str::from_utf8(bytes) {
                Ok(text) => format.check(text).err().map(|fault| {
                    let line = text.get(..fault.offset).unwrap_or(text).matches('\n').count() + 1;
                    // The message may quote the text.
                    let message = if file.secret { String::new() } else { format!(": {}", fault.message) };
                    (line, message)
                }),
                Err(_) => Some((1, ": it is not UTF-8".to_owned())),
            };
            if let Some((line, why)) = fault {
                let place = inside(entry.value, &map.object.input.text, line);
                let message = format!("line {line} of `{path}` is not valid {format}{why}");
                report.findings.push(map.object.finding(Rule::Format, place, message));
            }
        }
        if let Some(difference) =
            self.comparison.and_then(|made| made.difference(&mount.path, &file.key, bytes))
        {
            let place = inside(entry.value, &map.object.input.text, difference.line);
            let message = match difference.shown.filter(|_| !file.secret) {
                Some((found, made)) => format!(
                    "line {} of `{path}` is `{}`, but the contract renders `{}` from these values",
                    difference.line,
                    shown(&found),
                    shown(&made)
                ),
                None => format!("`{path}` differs from what the contract renders from these values"),
            };
            report.findings.push(map.object.finding(Rule::Differs, place, message));
        }
    }
}

/// Returns the position of a line of a value; the start of the value, unless it is a literal block.
fn inside(value: &Node, text: &str, line: usize) -> Place {
    let is_block = block(value, text) == Some('|');
    if is_block { Place { line: value.defined.line + line - 1, ..value.defined } } else { value.defined }
}

fn listed(keys: &[&str]) -> String {
    let shown: Vec<String> = keys.iter().take(5).map(|key| format!("`{key}`")).collect();
    let more = keys.len().saturating_sub(5);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
