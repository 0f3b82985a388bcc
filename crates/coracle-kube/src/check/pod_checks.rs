//! Checks of the user, writable directories, signals and ports.

use super::container_check::ContainerCheck;
use super::container_mount::innermost_mount;
use super::finding::{CheckReport, CheckRule};
use super::parsed_volume::ParsedVolume;
use crate::contract::ContractDirectory;
use crate::yaml::{Node, NodeKind};
use coracle_core::path::{ImagePath, escape_bytes};

impl ContainerCheck<'_, '_> {
    /// Reports a user that differs from the image's, and one that `runAsNonRoot` rejects.
    pub(super) fn check_user(&self, report: &mut CheckReport) {
        let number = |node: &Node| match &node.kind {
            NodeKind::Scalar(value) => value.as_i64(),
            _ => None,
        };
        let run_as_user = self.container.security_field("runAsUser");
        let contract = self.expected.contract.user.split(':').next().and_then(|uid| uid.parse::<i64>().ok());
        if let (Some(node), Some(uid)) = (run_as_user, contract)
            && number(node).is_some_and(|found| found != uid)
        {
            let found = number(node).unwrap_or_default();
            let message =
                format!("the program would run as user {found}, but the image is made for user {uid}");
            report.findings.push(self.container.finding(CheckRule::UserMismatch, node.span, message));
        }
        let Some(run_as_non_root) = self
            .container
            .security_field("runAsNonRoot")
            .filter(|node| node.kind == NodeKind::Scalar(true.into()))
        else {
            return;
        };
        let why = match run_as_user {
            Some(node) if number(node) == Some(0) => "`runAsUser` is root".to_owned(),
            Some(_) => return,
            None => match self.expected.user.map(|user| user.split(':').next().unwrap_or(user)) {
                None | Some("0") => "the image runs as root".to_owned(),
                Some(user) if user.parse::<u32>().is_err() => {
                    format!(
                        "the image's user `{}` is a name, and Kubernetes cannot verify that it is not root",
                        escape_bytes(user.as_bytes())
                    )
                }
                Some(_) => return,
            },
        };
        let message = format!("`runAsNonRoot` prevents the container from starting: {why}");
        report.findings.push(self.container.finding(CheckRule::UserMismatch, run_as_non_root.span, message));
    }

    /// Reports directories that the program cannot write to, or that are not persistent.
    pub(super) fn check_writable(&self, report: &mut CheckReport) {
        self.expected
            .contract
            .writable
            .iter()
            .for_each(|writable| self.check_writable_directory(writable, report));
    }

    fn check_writable_directory(&self, writable: &ContractDirectory, report: &mut CheckReport) {
        let Ok(path) = writable.path.parse::<ImagePath>() else { return };
        let Some(mount) = innermost_mount(self.mounts, &path) else {
            let root = self.container.node.at_path(&["securityContext"]).get("readOnlyRootFilesystem");
            let (rule, span, why) = match root.filter(|node| node.kind == NodeKind::Scalar(true.into())) {
                Some(root) => (
                    CheckRule::WritableDirectoryReadOnly,
                    root.span,
                    ", but nothing is mounted there and the root is read-only",
                ),
                None if writable.persistent => (
                    CheckRule::NotPersistent,
                    self.container.name_span(),
                    ", which must outlive the pod, but nothing is mounted there",
                ),
                None => return,
            };
            let message = format!("the program writes to `{path}`{why}");
            report.findings.push(self.container.finding(rule, span, message));
            return;
        };
        if mount.is_read_only {
            let message =
                format!("the program writes to `{path}`, but the mount at `{}` is read-only", mount.path);
            report.findings.push(self.container.finding(
                CheckRule::WritableDirectoryReadOnly,
                mount.path_span,
                message,
            ));
        } else if writable.persistent && matches!(mount.volume, ParsedVolume::Ephemeral) {
            let message = format!(
                "the content of `{path}` must outlive the pod, but this volume is deleted with the pod"
            );
            report.findings.push(self.container.finding(CheckRule::NotPersistent, mount.path_span, message));
        }
    }

    /// Reports missing signals. The kubelet sends none, so another container of the pod must, and
    /// it must see the program's process.
    pub(super) fn check_signals(&self, report: &mut CheckReport) {
        let pod = self.container.pod;
        let stays = |init: &&Node| init.text_of("restartPolicy") == Some("Always");
        let sidecars = pod.at_path(&["initContainers"]).items().iter().filter(stays);
        let others = pod.at_path(&["containers"]).items().iter().chain(sidecars);
        let has_other = others.into_iter().any(|other| other.span != self.container.node.span);
        let shares = pod.is_true("shareProcessNamespace") || pod.is_true("hostPID");
        let why = match (has_other, shares) {
            (true, true) => return,
            (false, _) => "the pod has no other container",
            (true, false) => "without `shareProcessNamespace`, no other container sees the process",
        };
        for mount in &self.expected.contract.mounts {
            let Some(signal) = mount.reload.strip_prefix("signal:") else { continue };
            let Ok(directory) = mount.path.parse::<ImagePath>() else { continue };
            // A missing mount is reported separately.
            let Some(at) = innermost_mount(self.mounts, &directory) else { continue };
            let message = format!(
                "nothing sends {} when `{directory}` changes: the kubelet does not send signals, and {why}",
                escape_bytes(signal.as_bytes())
            );
            report.findings.push(self.container.finding(CheckRule::SignalNotSent, at.path_span, message));
        }
    }

    /// Notes ports that the image does not expose; they are only informative for Kubernetes.
    pub(super) fn check_ports(&self, report: &mut CheckReport) {
        let known = &self.expected.contract.ports;
        for port in self.container.node.at_path(&["ports"]).items() {
            let Some(number) = port.number_of("containerPort") else { continue };
            let protocol = port.text_of("protocol").unwrap_or("TCP").to_ascii_lowercase();
            let written = format!("{number}/{protocol}");
            if !known.is_empty() && !known.contains(&written) {
                let span = port.get("containerPort").map_or(port.span, |port| port.span);
                let message = format!("the image does not expose {written}; it exposes {}", known.join(", "));
                report.notes.push(self.container.finding(CheckRule::UndeclaredPort, span, message));
            }
        }
    }
}
