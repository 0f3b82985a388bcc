//! Checks of the files that the contract expects: presence, kind of object, mode, format and
//! content.

use super::Expectations;
use super::config_object::{ParsedConfigObject, block_style, printable_text};
use super::containers::Container;
use super::expected_files::ExpectedFiles;
use super::finding::{CheckReport, CheckRule};
use super::mounts::{ContainerMount, innermost_mount};
use super::volume::{PodVolume, VolumeLookup, parse_mode};
use crate::contract::{self, ContractFile};
use crate::template::Format;
use crate::yaml::{Node, Span};
use coracle_core::path::ImagePath;

/// The checks of one container.
pub(super) struct ContainerCheck<'a, 'b> {
    pub(super) container: &'b Container<'a>,
    pub(super) mounts: &'b [ContainerMount<'a>],
    pub(super) maps: &'b [ParsedConfigObject<'a>],
    pub(super) expected: &'b Expectations<'b>,
    pub(super) comparison: Option<&'b ExpectedFiles>,
}

impl ContainerCheck<'_, '_> {
    /// Checks every file of every mount.
    pub(super) fn check_files(&self, report: &mut CheckReport) {
        for mount in &self.expected.contract.mounts {
            let Ok(directory) = mount.path.parse::<ImagePath>() else { continue };
            let covered = innermost_mount(self.mounts, &directory).is_some();
            let inside = self.mounts.iter().any(|found| found.path.is_within(&directory));
            let required: Vec<&str> =
                mount.files.iter().filter(|file| !file.optional).map(|file| file.key.as_str()).collect();
            if covered || inside {
                mount.files.iter().for_each(|file| self.check_file(mount, &directory, file, report));
            } else if !required.is_empty() {
                let place = self
                    .container
                    .node
                    .entry("volumeMounts")
                    .map_or(self.container.name_span(), |(key, _)| key.place);
                let message = format!(
                    "nothing is mounted at `{directory}`, but the program reads {} there",
                    quoted_list(&required)
                );
                report.findings.push(self.container.finding(CheckRule::MissingMount, place, message));
            }
        }
    }

    fn check_file(
        &self,
        mount: &contract::ContractMount,
        directory: &ImagePath,
        file: &ContractFile,
        report: &mut CheckReport,
    ) {
        let path = directory.join(file.key.as_bytes());
        let is_live = mount.reload != "restart";
        let Some(at) = innermost_mount(self.mounts, &path) else {
            if !file.optional {
                let message = format!("nothing is mounted at `{path}`, which the program reads");
                report.findings.push(self.container.finding(
                    CheckRule::MissingFile,
                    self.container.name_span(),
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
            report.findings.push(self.container.finding(
                CheckRule::SubPathNotUpdated,
                sub_path.span,
                message,
            ));
        }
        match at.look_up(&path, self.container, self.maps) {
            VolumeLookup::Key { map, key, source, mode } => {
                self.check_secrecy(&path, file, source.is_secret, source.name_span, report);
                self.check_readable(&path, mode, report);
                self.check_content(mount, file, &path, map, key, is_live, report);
            }
            VolumeLookup::OutsideManifests { source, key } => {
                self.check_secrecy(&path, file, source.is_secret, source.name_span, report);
                let message = format!(
                    "cannot check whether the {} `{}` has `{}`: it is not in these manifests",
                    source.kind(),
                    printable_text(source.name),
                    printable_text(&key)
                );
                report.notes.push(self.container.finding(
                    CheckRule::NotInManifests,
                    source.name_span,
                    message,
                ));
            }
            VolumeLookup::NotFound => self.check_absent(&path, file, at, report),
        }
    }

    /// Reports a path without a known file.
    fn check_absent(
        &self,
        path: &ImagePath,
        file: &ContractFile,
        at: &ContainerMount<'_>,
        report: &mut CheckReport,
    ) {
        let unknown =
            !matches!(at.volume, PodVolume::Files { has_others: false, .. }) || at.has_path_variables;
        if unknown && at.path != ImagePath::root() {
            let message = format!("cannot check whether `{path}` is in the volume at `{}`", at.path);
            report.notes.push(self.container.finding(CheckRule::NotInManifests, at.path_span, message));
        } else if !file.optional {
            let message = format!("`{path}` is missing: the volume at `{}` has no such file", at.path);
            report.findings.push(self.container.finding(CheckRule::MissingFile, at.path_span, message));
        }
    }

    /// Reports a secret file in a ConfigMap.
    fn check_secrecy(
        &self,
        path: &ImagePath,
        file: &ContractFile,
        is_secret: bool,
        place: Span,
        report: &mut CheckReport,
    ) {
        if file.secret && !is_secret {
            let message = format!("`{path}` is secret, but comes from a ConfigMap");
            report.findings.push(self.container.finding(CheckRule::SecretInConfigMap, place, message));
        }
    }

    /// Reports a file that the program's user cannot read.
    fn check_readable(&self, path: &ImagePath, node: Option<&Node>, report: &mut CheckReport) {
        let Some(node) = node else { return };
        let Some(mode) = parse_mode(node, &self.container.object.input.text) else { return };
        let (uid, gid) = self.run_as_ids();
        let has_group = self.container.pod.at_path(&["securityContext"]).get("fsGroup").is_some()
            || self.container.pod.at_path(&["securityContext"]).get("supplementalGroups").is_some();
        let readable =
            mode & 0o004 != 0 || uid == Some(0) || has_group || gid == Some(0) && mode & 0o040 != 0;
        if !readable && uid.is_some() {
            let message = format!(
                "user {} cannot read `{path}`, which has mode {mode:04o} and is owned by root: set `fsGroup`, or mode 0444",
                uid.unwrap_or_default()
            );
            report.findings.push(self.container.finding(CheckRule::UnreadableFile, node.span, message));
        }
    }

    /// Returns the user and group IDs that the program runs as; `None` for names.
    pub(super) fn run_as_ids(&self) -> (Option<i64>, Option<i64>) {
        let said = |field| match &self.container.security_field(field)?.kind {
            crate::yaml::NodeKind::Scalar(value) => value.as_i64(),
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
    fn check_content(
        &self,
        mount: &contract::ContractMount,
        file: &ContractFile,
        path: &ImagePath,
        map: &ParsedConfigObject<'_>,
        key: &str,
        is_live: bool,
        report: &mut CheckReport,
    ) {
        if let Some(place) = map.immutable_span().filter(|_| is_live) {
            let message = format!(
                "the object is immutable, but the program expects updates in `{}` (`reload` is `{}`)",
                mount.path, mount.reload
            );
            report.findings.push(map.object.finding(CheckRule::ImmutableNotUpdated, place, message));
        }
        let Some(entry) = map.entry(key) else { return };
        let Some(bytes) = &entry.bytes else { return };
        if let Some(format) =
            file.format.as_deref().and_then(|name| Format::from_file_name(&format!(".{name}")))
        {
            let fault = match std::str::from_utf8(bytes) {
                Ok(text) => format.validate(text).err().map(|fault| {
                    let line = text.get(..fault.offset).unwrap_or(text).matches('\n').count() + 1;
                    // The message may quote the text.
                    let message = if file.secret { String::new() } else { format!(": {}", fault.message) };
                    (line, message)
                }),
                Err(_) => Some((1, ": it is not UTF-8".to_owned())),
            };
            if let Some((line, why)) = fault {
                let place = line_span(entry.value, &map.object.input.text, line);
                let message = format!("line {line} of `{path}` is not valid {format}{why}");
                report.findings.push(map.object.finding(CheckRule::InvalidFormat, place, message));
            }
        }
        if let Some(difference) = self.comparison.and_then(|made| made.compare(&mount.path, &file.key, bytes))
        {
            let place = line_span(entry.value, &map.object.input.text, difference.line);
            let message = match difference.lines.filter(|_| !file.secret) {
                Some((found, made)) => format!(
                    "line {} of `{path}` is `{}`, but the contract renders `{}` from these values",
                    difference.line,
                    printable_text(&found),
                    printable_text(&made)
                ),
                None => format!("`{path}` differs from what the contract renders from these values"),
            };
            report.findings.push(map.object.finding(CheckRule::ContentDiffers, place, message));
        }
    }
}

/// Returns the position of a line of a value; the start of the value, unless it is a literal block.
fn line_span(value: &Node, text: &str, line: usize) -> Span {
    let is_block = block_style(value, text) == Some('|');
    if is_block {
        Span { line: value.defined_span.line + line - 1, ..value.defined_span }
    } else {
        value.defined_span
    }
}

fn quoted_list(keys: &[&str]) -> String {
    let shown: Vec<String> = keys.iter().take(5).map(|key| format!("`{key}`")).collect();
    let more = keys.len().saturating_sub(5);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
