//! One container of the image with everything that its checks need, and the checks of its mounts:
//! reserved directories, and files of the image that a mount hides.

use super::choose_containers::Container;
use super::container_mount::ContainerMount;
use super::expectations::{Expectations, ExpectedFiles};
use super::finding::{CheckReport, CheckRule, printable_text};
use super::parsed_config_object::ParsedConfigObject;
use super::parsed_volume::{ParsedVolume, ReferencedObject};
use crate::kubernetes_limits::reserved_reason;
use crate::yaml::NodeKind;
use coracle_core::entry::Owner;

/// A container to check. The modules of the checks add methods, which push onto a report.
pub(super) struct ContainerCheck<'a, 'b> {
    pub(super) container: &'b Container<'a>,
    pub(super) mounts: &'b [ContainerMount<'a>],
    /// Every ConfigMap and Secret of the manifests.
    pub(super) config_objects: &'b [ParsedConfigObject<'a>],
    pub(super) expected: &'b Expectations<'b>,
    /// The files that the full contract renders, if it is given.
    pub(super) expected_files: Option<&'b ExpectedFiles>,
}

impl ContainerCheck<'_, '_> {
    /// Returns the user and group IDs that the program runs as; `None` for names.
    pub(super) fn run_as_ids(&self) -> (Option<i64>, Option<i64>) {
        let id = |field| match &self.container.security_field(field)?.kind {
            NodeKind::Scalar(value) => value.as_i64(),
            _ => None,
        };
        let user = if self.expected.contract.user.is_empty() {
            self.expected.user.unwrap_or("0")
        } else {
            &self.expected.contract.user
        };
        let (uid, gid) = Owner::split(user);
        (id("runAsUser").or(uid.parse().ok()), id("runAsGroup").or(gid.unwrap_or("0").parse().ok()))
    }
}

/// The most hidden files that a message lists.
const MAX_LISTED_FILES: usize = 3;

impl ContainerCheck<'_, '_> {
    /// Checks every mount of the container.
    pub(super) fn check_mounts(&self, report: &mut CheckReport) {
        for mount in self.mounts {
            if let Some(reason) = reserved_reason(&mount.path, mount.volume.mounted_content()) {
                let message = format!("cannot mount on `{}`: {reason}", mount.path);
                report.findings.push(self.container.finding(
                    CheckRule::ReservedDirectory,
                    mount.path_span,
                    message,
                ));
                continue;
            }
            if let Some(files) = self.expected.image_files {
                let is_file = mount.is_single_file(self.container, self.config_objects);
                let hidden = files.hidden_by(&mount.path, is_file);
                if !hidden.is_empty() {
                    let names: Vec<String> =
                        hidden.iter().take(MAX_LISTED_FILES).map(|path| format!("`{path}`")).collect();
                    let more = hidden.len() - names.len();
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    let message = format!(
                        "a mount on `{}` hides files of the image: {}{more}",
                        mount.path,
                        names.join(", ")
                    );
                    report.findings.push(self.container.finding(
                        CheckRule::HidesImageFiles,
                        mount.path_span,
                        message,
                    ));
                }
            }
            if let ParsedVolume::Files { sources, .. } = &mount.volume {
                sources.iter().for_each(|source| self.check_volume_items(source, report));
            }
        }
    }

    /// Reports keys that a volume lists but the object does not have: the pod would not start.
    fn check_volume_items(&self, source: &ReferencedObject<'_>, report: &mut CheckReport) {
        let Some(config_object) = source.find_object(&self.container.object, self.config_objects) else {
            return;
        };
        for item in source.items.unwrap_or_default() {
            let key = item.text_of("key").unwrap_or_default();
            if config_object.entry(key).is_none() && !source.is_optional {
                let span = item.get("key").map_or(item.span, |key| key.span);
                let message = format!(
                    "the {} `{}` has no key `{}`, so the pod cannot start",
                    source.kind(),
                    printable_text(source.name),
                    printable_text(key)
                );
                report.findings.push(self.container.finding(CheckRule::MissingKey, span, message));
            }
        }
    }
}
