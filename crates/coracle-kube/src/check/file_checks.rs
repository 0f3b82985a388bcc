//! Checks of the files that the contract expects: presence, kind of object, mode, format and
//! content.

use coracle_core::path::ImagePath;

use super::container_check::ContainerCheck;
use super::container_mount::{ContainerMount, innermost_mount};
use super::finding::{CheckReport, CheckRule, printable_text};
use super::parsed_config_object::ParsedConfigObject;
use super::parsed_volume::{FileLookup, ParsedVolume, parse_mode};
use crate::contract::{self, ContractFile};
use crate::mounted_path::{hides_file, path_in_mount};
use crate::template::FileFormat;
use crate::yaml::{Node, Span};

impl ContainerCheck<'_, '_> {
    /// Checks every file of every mount.
    pub(super) fn check_files(&self, report: &mut CheckReport) {
        for mount in &self.expected.contract.mounts {
            let Ok(directory) = mount.path.parse::<ImagePath>() else { continue };
            let is_mounted = innermost_mount(self.mounts, &directory).is_some();
            let has_mount_inside = self.mounts.iter().any(|mount| mount.path.is_within(&directory));
            let required: Vec<&str> =
                mount.files.iter().filter(|file| !file.optional).map(ContractFile::path).collect();
            if is_mounted || has_mount_inside {
                mount.files.iter().for_each(|file| self.check_file(mount, &directory, file, report));
            } else if !required.is_empty() {
                let span = self
                    .container
                    .node
                    .entry("volumeMounts")
                    .map_or(self.container.name_span(), |(key, _)| key.span);
                let message = format!(
                    "nothing is mounted at `{directory}`, but the program reads {} there",
                    quoted_list(&required)
                );
                report.findings.push(self.container.finding(CheckRule::MissingMount, span, message));
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
        let path = path_in_mount(directory, file.path());
        let is_live = mount.reload != "restart";
        if let Some((inner, outer)) = self.mount_in_place_of(&path) {
            let message = format!(
                "`{path}` is missing: the mount at `{}` replaces a folder of the volume at `{}` as a whole",
                inner.path, outer.path
            );
            report.findings.push(self.container.finding(CheckRule::MissingFile, inner.path_span, message));
            return;
        }
        let Some(container_mount) = innermost_mount(self.mounts, &path) else {
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
        if let Some(sub_path) = container_mount.sub_path.filter(|_| is_live) {
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
        match container_mount.look_up(&path, self.container, self.config_objects) {
            FileLookup::Key { config_object, key, source, mode } => {
                self.check_secrecy(&path, file, source.is_secret, source.name_span, report);
                self.check_readable(&path, mode, report);
                self.check_content(mount, file, &path, config_object, key, is_live, report);
            }
            FileLookup::OutsideManifests { source, key, mode } => {
                self.check_secrecy(&path, file, source.is_secret, source.name_span, report);
                self.check_readable(&path, mode, report);
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
            FileLookup::NotFound => self.check_missing_file(&path, file, container_mount, report),
        }
    }

    /// Returns the mount that hides the file at `path`, and the mount that would have it.
    fn mount_in_place_of(&self, path: &ImagePath) -> Option<(&ContainerMount<'_>, &ContainerMount<'_>)> {
        let outer = innermost_mount(self.mounts, path)
            .filter(|mount| matches!(mount.volume, ParsedVolume::Files { .. }) && mount.sub_path.is_none())?;
        let relative = path.strip_prefix(&outer.path)?.collect::<Vec<_>>().join(&b'/');
        let relative = String::from_utf8(relative).ok()?;
        let inner = self.mounts.iter().find(|mount| hides_file(&mount.path, &outer.path, &relative))?;
        Some((inner, outer))
    }

    /// Reports a path whose file is not in the mounted volume, or not known to be.
    fn check_missing_file(
        &self,
        path: &ImagePath,
        file: &ContractFile,
        mount: &ContainerMount<'_>,
        report: &mut CheckReport,
    ) {
        let is_unknown = !matches!(mount.volume, ParsedVolume::Files { has_others: false, .. })
            || mount.has_path_variables;
        if is_unknown && mount.path != ImagePath::root() {
            let message = format!("cannot check whether `{path}` is in the volume at `{}`", mount.path);
            report.notes.push(self.container.finding(CheckRule::NotInManifests, mount.path_span, message));
        } else if !file.optional {
            let message = format!("`{path}` is missing: the volume at `{}` has no such file", mount.path);
            report.findings.push(self.container.finding(CheckRule::MissingFile, mount.path_span, message));
        }
    }

    /// Reports a secret file in a ConfigMap.
    fn check_secrecy(
        &self,
        path: &ImagePath,
        file: &ContractFile,
        is_secret: bool,
        span: Span,
        report: &mut CheckReport,
    ) {
        if file.secret && !is_secret {
            let message = format!("`{path}` is secret, but comes from a ConfigMap");
            report.findings.push(self.container.finding(CheckRule::SecretInConfigMap, span, message));
        }
    }

    /// Reports a file that the program's user cannot read.
    fn check_readable(&self, path: &ImagePath, node: Option<&Node>, report: &mut CheckReport) {
        let Some(node) = node else { return };
        let Some(mode) = parse_mode(node, &self.container.object.input.text) else { return };
        let (uid, gid) = self.run_as_ids();
        let has_group = self.container.pod.at_path(&["securityContext"]).get("fsGroup").is_some()
            || self.container.pod.at_path(&["securityContext"]).get("supplementalGroups").is_some();
        let is_readable =
            mode & 0o004 != 0 || uid == Some(0) || has_group || gid == Some(0) && mode & 0o040 != 0;
        if !is_readable && uid.is_some() {
            let message = format!(
                "user {} cannot read `{path}`, which has mode {mode:04o} and is owned by root: set `fsGroup`, or mode 0444",
                uid.unwrap_or_default()
            );
            report.findings.push(self.container.finding(CheckRule::UnreadableFile, node.span, message));
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the facts about one file")]
    fn check_content(
        &self,
        mount: &contract::ContractMount,
        file: &ContractFile,
        path: &ImagePath,
        config_object: &ParsedConfigObject<'_>,
        key: &str,
        is_live: bool,
        report: &mut CheckReport,
    ) {
        if let Some(span) = config_object.immutable_span().filter(|_| is_live) {
            let message = format!(
                "the object is immutable, but the program expects updates in `{}` (`reload` is `{}`)",
                mount.path, mount.reload
            );
            report.findings.push(config_object.object.finding(CheckRule::ImmutableNotUpdated, span, message));
        }
        let Some(entry) = config_object.entry(key) else { return };
        let Some(bytes) = &entry.bytes else { return };
        if let Some(format) = file.format.as_deref().and_then(FileFormat::from_name) {
            let syntax_error = match std::str::from_utf8(bytes) {
                Ok(text) => format.validate(text).err().map(|error| {
                    let line = text.get(..error.offset).unwrap_or(text).matches('\n').count() + 1;
                    // The message may quote the text.
                    let message = if file.secret { String::new() } else { format!(": {}", error.message) };
                    (line, message)
                }),
                Err(_) => Some((1, ": it is not UTF-8".to_owned())),
            };
            if let Some((line, why)) = syntax_error {
                let span = line_span(entry.value, &config_object.object.input.text, line);
                let message = format!("line {line} of `{path}` is not valid {format}{why}");
                report.findings.push(config_object.object.finding(CheckRule::InvalidFormat, span, message));
            }
        }
        if let Some(difference) =
            self.expected_files.and_then(|files| files.compare(&mount.path, file.path(), bytes))
        {
            let span = line_span(entry.value, &config_object.object.input.text, difference.line);
            let message = match difference.lines.filter(|_| !file.secret) {
                Some((actual, expected)) => format!(
                    "line {} of `{path}` is `{}`, but the contract renders `{}` from these values",
                    difference.line,
                    printable_text(&actual),
                    printable_text(&expected)
                ),
                None => format!("`{path}` differs from what the contract renders from these values"),
            };
            report.findings.push(config_object.object.finding(CheckRule::ContentDiffers, span, message));
        }
    }
}

/// Returns the position of a line of a value; the start of the value, unless it is a literal block.
fn line_span(value: &Node, text: &str, line: usize) -> Span {
    let is_block = value.block_style(text) == Some('|');
    if is_block {
        Span { line: value.defined_span.line + line - 1, ..value.defined_span }
    } else {
        value.defined_span
    }
}

fn quoted_list(paths: &[&str]) -> String {
    let shown: Vec<String> = paths.iter().take(5).map(|path| format!("`{path}`")).collect();
    let more = paths.len().saturating_sub(5);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
