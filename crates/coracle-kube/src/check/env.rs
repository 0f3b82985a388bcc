//! Checks of environment variables: the contract's must be set, and others must not contain
//! secrets.

use std::collections::BTreeSet;

use super::files::Look;
use super::finding::{Report, Rule};
use super::map::shown;
use super::volume;
use crate::yaml::Node;

impl Look<'_, '_> {
    /// Checks `env` and `envFrom`.
    pub(super) fn variables(&self, report: &mut Report) {
        let mut given: BTreeSet<String> = BTreeSet::new();
        let mut is_open = false;
        for variable in self.container.node.at(&["env"]).items() {
            let name = variable.text_of("name").unwrap_or_default();
            given.insert(name.to_owned());
            let from = variable.at(&["valueFrom"]);
            if let Some(reference) = from.get("configMapKeyRef") {
                self.reference(reference, false, report);
            }
            if let Some(reference) = from.get("secretKeyRef") {
                self.reference(reference, true, report);
                self.exposed(name, reference, report);
            }
        }
        for whole in self.container.node.at(&["envFrom"]).items() {
            let prefix = whole.text_of("prefix").unwrap_or_default();
            for (field, is_secret) in [("configMapRef", false), ("secretRef", true)] {
                let Some(reference) = whole.get(field) else { continue };
                let name = reference.text_of("name").unwrap_or_default();
                match volume::find(is_secret, name, &self.container.object, self.maps) {
                    Some(map) => {
                        for entry in map.entries.iter().filter(|entry| entry.is_text) {
                            let variable = format!("{prefix}{}", entry.key);
                            if is_secret {
                                self.exposed(&variable, reference, report);
                            }
                            given.insert(variable);
                        }
                    }
                    None => {
                        is_open = true;
                        let kind = if is_secret { "Secret" } else { "ConfigMap" };
                        let message = format!(
                            "cannot check the variables of the {kind} `{}`: it is not in these manifests",
                            shown(name)
                        );
                        report.notes.push(self.container.finding(Rule::Elsewhere, reference.place, message));
                    }
                }
            }
        }
        for variable in &self.expected.contract.env {
            if !given.contains(&variable.name) && !is_open {
                let place =
                    self.container.node.member("env").map_or(self.container.place(), |(key, _)| key.place);
                let message = format!(
                    "the variable `{}` is not set; it should have the text of `{}`",
                    shown(&variable.name),
                    variable.from
                );
                report.findings.push(self.container.finding(Rule::MissingVariable, place, message));
            }
        }
    }

    /// Checks the key that a variable refers to.
    fn reference(&self, reference: &Node, is_secret: bool, report: &mut Report) {
        let name = reference.text_of("name").unwrap_or_default();
        let key = reference.text_of("key").unwrap_or_default();
        let place = reference.get("key").map_or(reference.place, |key| key.place);
        let kind = if is_secret { "Secret" } else { "ConfigMap" };
        match volume::find(is_secret, name, &self.container.object, self.maps) {
            None => {
                let message = format!(
                    "cannot check whether the {kind} `{}` has `{}`: it is not in these manifests",
                    shown(name),
                    shown(key)
                );
                report.notes.push(self.container.finding(Rule::Elsewhere, place, message));
            }
            Some(map) if map.entry(key).is_none() && !reference.is("optional") => {
                let message = format!(
                    "the {kind} `{}` has no key `{}`, so the container cannot start",
                    shown(name),
                    shown(key)
                );
                report.findings.push(self.container.finding(Rule::MissingKey, place, message));
            }
            Some(_) => {}
        }
    }

    fn exposed(&self, name: &str, at: &Node, report: &mut Report) {
        if !self.expected.contract.env.iter().any(|variable| variable.name == name) {
            let message = format!(
                "the variable `{}` contains a secret that the contract does not request: child processes and crash reports \
                 expose variables, so mount it as a file",
                shown(name)
            );
            report.findings.push(self.container.finding(Rule::SecretInEnvironment, at.place, message));
        }
    }
}
