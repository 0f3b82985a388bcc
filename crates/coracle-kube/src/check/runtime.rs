//! Checks of the user, writable directories, signals and ports.

use super::files::Look;
use super::finding::{Report, Rule};
use super::mounts::covering;
use super::volume::Volume;
use crate::contract::Writable;
use coracle_core::path::{ImagePath, printable};
use crate::yaml::{Kind, Node};

impl Look<'_, '_> {
    /// Reports a user that differs from the image's, and one that `runAsNonRoot` rejects.
    pub(super) fn user(&self, report: &mut Report) {
        let number = |node: &Node| match &node.kind {
            Kind::Plain(value) => value.as_i64(),
            _ => None,
        };
        let said = self.container.security("runAsUser");
        let contract = self.expected.contract.user.split(':').next().and_then(|uid| uid.parse::<i64>().ok());
        if let (Some(node), Some(uid)) = (said, contract)
            && number(node).is_some_and(|found| found != uid)
        {
            let found = number(node).unwrap_or_default();
            let message =
                format!("the program would run as user {found}, but the image is made for user {uid}");
            report.findings.push(self.container.finding(Rule::User, node.place, message));
        }
        let Some(refusing) =
            self.container.security("runAsNonRoot").filter(|node| node.kind == Kind::Plain(true.into()))
        else {
            return;
        };
        let why = match said {
            Some(node) if number(node) == Some(0) => "`runAsUser` is root".to_owned(),
            Some(_) => return,
            None => match self.expected.user.map(|user| user.split(':').next().unwrap_or(user)) {
                None | Some("0") => "the image runs as root".to_owned(),
                Some(user) if user.parse::<u32>().is_err() => {
                    format!(
                        "the image's user `{}` is a name, and Kubernetes cannot verify that it is not root",
                        printable(user.as_bytes())
                    )
                }
                Some(_) => return,
            },
        };
        let message = format!("`runAsNonRoot` prevents the container from starting: {why}");
        report.findings.push(self.container.finding(Rule::User, refusing.place, message));
    }

    /// Reports directories that the program cannot write to, or that are not persistent.
    pub(super) fn writable(&self, report: &mut Report) {
        self.expected.contract.writable.iter().for_each(|writable| self.directory(writable, report));
    }

    fn directory(&self, writable: &Writable, report: &mut Report) {
        let Ok(path) = writable.path.parse::<ImagePath>() else { return };
        let Some(mount) = covering(self.mounts, &path) else {
            let root = self.container.node.at(&["securityContext"]).get("readOnlyRootFilesystem");
            let (rule, place, why) = match root.filter(|node| node.kind == Kind::Plain(true.into())) {
                Some(root) => {
                    (Rule::ReadOnly, root.place, ", but nothing is mounted there and the root is read-only")
                }
                None if writable.persistent => (
                    Rule::NotPersistent,
                    self.container.place(),
                    ", which must outlive the pod, but nothing is mounted there",
                ),
                None => return,
            };
            let message = format!("the program writes to `{path}`{why}");
            report.findings.push(self.container.finding(rule, place, message));
            return;
        };
        if mount.is_read_only {
            let message =
                format!("the program writes to `{path}`, but the mount at `{}` is read-only", mount.path);
            report.findings.push(self.container.finding(Rule::ReadOnly, mount.place, message));
        } else if writable.persistent && matches!(mount.volume, Volume::Scratch) {
            let message = format!(
                "the content of `{path}` must outlive the pod, but this volume is deleted with the pod"
            );
            report.findings.push(self.container.finding(Rule::NotPersistent, mount.place, message));
        }
    }

    /// Reports missing signals. The kubelet sends none, so another container of the pod must, and
    /// it must see the program's process.
    pub(super) fn signals(&self, report: &mut Report) {
        let pod = self.container.pod;
        let stays = |init: &&Node| init.text_of("restartPolicy") == Some("Always");
        let sidecars = pod.at(&["initContainers"]).items().iter().filter(stays);
        let others = pod.at(&["containers"]).items().iter().chain(sidecars);
        let has_other = others.into_iter().any(|other| other.place != self.container.node.place);
        let shares = pod.is("shareProcessNamespace") || pod.is("hostPID");
        let why = match (has_other, shares) {
            (true, true) => return,
            (false, _) => "the pod has no other container",
            (true, false) => "without `shareProcessNamespace`, no other container sees the process",
        };
        for mount in &self.expected.contract.mounts {
            let Some(signal) = mount.reload.strip_prefix("signal:") else { continue };
            let Ok(directory) = mount.path.parse::<ImagePath>() else { continue };
            // A missing mount is reported separately.
            let Some(at) = covering(self.mounts, &directory) else { continue };
            let message = format!(
                "nothing sends {} when `{directory}` changes: the kubelet does not send signals, and {why}",
                printable(signal.as_bytes())
            );
            report.findings.push(self.container.finding(Rule::NoSignal, at.place, message));
        }
    }

    /// Notes ports that the image does not expose; they are only informative for Kubernetes.
    pub(super) fn ports(&self, report: &mut Report) {
        let known = &self.expected.contract.ports;
        for port in self.container.node.at(&["ports"]).items() {
            let Some(number) = port.number_of("containerPort") else { continue };
            let protocol = port.text_of("protocol").unwrap_or("TCP").to_ascii_lowercase();
            let written = format!("{number}/{protocol}");
            if !known.is_empty() && !known.contains(&written) {
                let place = port.get("containerPort").map_or(port.place, |port| port.place);
                let message = format!("the image does not expose {written}; it exposes {}", known.join(", "));
                report.notes.push(self.container.finding(Rule::Port, place, message));
            }
        }
    }
}
