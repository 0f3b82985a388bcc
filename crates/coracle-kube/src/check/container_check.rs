//! One container of the image, with everything that its checks need.

use super::container::Container;
use super::container_mount::ContainerMount;
use super::expectations::Expectations;
use super::expected_files::ExpectedFiles;
use super::parsed_config_object::ParsedConfigObject;
use crate::yaml::NodeKind;

/// A container to check. The modules of the checks add methods, which push onto a report.
pub(super) struct ContainerCheck<'a, 'b> {
    pub(super) container: &'b Container<'a>,
    pub(super) mounts: &'b [ContainerMount<'a>],
    /// Every ConfigMap and Secret of the manifests.
    pub(super) config_objects: &'b [ParsedConfigObject<'a>],
    pub(super) expected: &'b Expectations<'b>,
    /// What the full contract renders, if it is given.
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
        let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
        (id("runAsUser").or(uid.parse().ok()), id("runAsGroup").or(gid.parse().ok()))
    }
}
