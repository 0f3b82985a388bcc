//! Who the program runs as, where it can write, and which ports it has.

use super::files::Look;
use super::finding::{Report, Rule};
use super::mounts::covering;
use super::volume::Volume;
use crate::contract::Writable;
use coracle_core::path::{ImagePath, printable};
use crate::yaml::{Kind, Node};

impl Look<'_, '_> {
    /// Another user than the image's, and a user that Kubernetes refuses.
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
            let message = format!("the program would run as user {found}, the image is made for user {uid}");
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
                        "the image's user `{}` is a name, which can't be told from root's",
                        printable(user.as_bytes())
                    )
                }
                Some(_) => return,
            },
        };
        let message = format!("`runAsNonRoot` keeps the container from starting: {why}");
        report.findings.push(self.container.finding(Rule::User, refusing.place, message));
    }

    /// Directories that the program writes to.
    pub(super) fn writable(&self, report: &mut Report) {
        self.expected.contract.writable.iter().for_each(|writable| self.directory(writable, report));
    }

    fn directory(&self, writable: &Writable, report: &mut Report) {
        let Ok(path) = writable.path.parse::<ImagePath>() else { return };
        let Some(mount) = covering(self.mounts, &path) else {
            let root = self.container.node.at(&["securityContext"]).get("readOnlyRootFilesystem");
            let (rule, place, why) = match root.filter(|node| node.kind == Kind::Plain(true.into())) {
                Some(root) => {
                    (Rule::ReadOnly, root.place, "nothing is mounted there, and the root is read-only")
                }
                None if writable.persistent => (
                    Rule::NotPersistent,
                    self.container.place(),
                    "nothing is mounted there, and it has to outlive the pod",
                ),
                None => return,
            };
            let message = format!("the program writes to `{path}`: {why}");
            report.findings.push(self.container.finding(rule, place, message));
            return;
        };
        if mount.is_read_only {
            let message = format!(
                "the program writes to `{path}`, and what is mounted at `{}` is read-only",
                mount.path
            );
            report.findings.push(self.container.finding(Rule::ReadOnly, mount.place, message));
        } else if writable.persistent && matches!(mount.volume, Volume::Scratch) {
            let message = format!("what is in `{path}` has to outlive the pod, and this volume goes with it");
            report.findings.push(self.container.finding(Rule::NotPersistent, mount.place, message));
        }
    }

    /// A kubelet sends no signal, so another container of the pod has to, and only where it sees the program's process.
    pub(super) fn signals(&self, report: &mut Report) {
        let pod = self.container.pod;
        let stays = |init: &&Node| init.text_of("restartPolicy") == Some("Always");
        let sidecars = pod.at(&["initContainers"]).items().iter().filter(stays);
        let others = pod.at(&["containers"]).items().iter().chain(sidecars);
        let has_other = others.into_iter().any(|other| other.place != self.container.node.place);
        let shares = pod.is("shareProcessNamespace") || pod.is("hostPID");
        let why = match (has_other, shares) {
            (true, true) => return,
            (false, _) => "no other container is in its pod",
            (true, false) => "no other container sees its process: `shareProcessNamespace` is not set",
        };
        for mount in &self.expected.contract.mounts {
            let Some(signal) = mount.reload.strip_prefix("signal:") else { continue };
            let Ok(directory) = mount.path.parse::<ImagePath>() else { continue };
            // What is not mounted is a finding of its own.
            let Some(at) = covering(self.mounts, &directory) else { continue };
            let message = format!(
                "nobody sends {} when `{directory}` changes: a kubelet sends no signals, and {why}",
                printable(signal.as_bytes())
            );
            report.findings.push(self.container.finding(Rule::NoSignal, at.place, message));
        }
    }

    /// Ports are a word between people, so another one is a note.
    pub(super) fn ports(&self, report: &mut Report) {
        let known = &self.expected.contract.ports;
        for port in self.container.node.at(&["ports"]).items() {
            let Some(number) = port.number_of("containerPort") else { continue };
            let protocol = port.text_of("protocol").unwrap_or("TCP").to_ascii_lowercase();
            let written = format!("{number}/{protocol}");
            if !known.is_empty() && !known.contains(&written) {
                let place = port.get("containerPort").map_or(port.place, |port| port.place);
                let message = format!(
                    "the image does not say that it listens on {written}; it says {}",
                    known.join(", ")
                );
                report.notes.push(self.container.finding(Rule::Port, place, message));
            }
        }
    }
}
