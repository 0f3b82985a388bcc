//! Checks of environment variables: the contract's must be set, and others must not contain
//! secrets.

use std::collections::BTreeSet;

use super::container_check::ContainerCheck;
use super::finding::{CheckReport, CheckRule, printable_text};
use super::parsed_volume;
use crate::yaml::Node;

impl ContainerCheck<'_, '_> {
    /// Checks `env` and `envFrom`.
    pub(super) fn check_variables(&self, report: &mut CheckReport) {
        let mut given: BTreeSet<String> = BTreeSet::new();
        let mut is_open = false;
        for variable in self.container.node.at_path(&["env"]).items() {
            let name = variable.text_of("name").unwrap_or_default();
            given.insert(name.to_owned());
            let from = variable.at_path(&["valueFrom"]);
            if let Some(reference) = from.get("configMapKeyRef") {
                self.check_key_reference(reference, false, report);
            }
            if let Some(reference) = from.get("secretKeyRef") {
                self.check_key_reference(reference, true, report);
                self.check_exposed_secret(name, reference, report);
            }
        }
        for whole in self.container.node.at_path(&["envFrom"]).items() {
            let prefix = whole.text_of("prefix").unwrap_or_default();
            for (field, is_secret) in [("configMapRef", false), ("secretRef", true)] {
                let Some(reference) = whole.get(field) else { continue };
                let name = reference.text_of("name").unwrap_or_default();
                match parsed_volume::find_config_object(
                    is_secret,
                    name,
                    &self.container.object,
                    self.config_objects,
                ) {
                    Some(config_object) => {
                        for entry in config_object.entries.iter().filter(|entry| entry.is_text) {
                            let variable = format!("{prefix}{}", entry.key);
                            if is_secret {
                                self.check_exposed_secret(&variable, reference, report);
                            }
                            given.insert(variable);
                        }
                    }
                    None => {
                        is_open = true;
                        let kind = if is_secret { "Secret" } else { "ConfigMap" };
                        let message = format!(
                            "cannot check the variables of the {kind} `{}`: it is not in these manifests",
                            printable_text(name)
                        );
                        report.notes.push(self.container.finding(
                            CheckRule::NotInManifests,
                            reference.span,
                            message,
                        ));
                    }
                }
            }
        }
        for variable in &self.expected.contract.env {
            if !given.contains(&variable.name) && !is_open {
                let span =
                    self.container.node.entry("env").map_or(self.container.name_span(), |(key, _)| key.span);
                let message = format!(
                    "the variable `{}` is not set; it should have the text of `{}`",
                    printable_text(&variable.name),
                    variable.from
                );
                report.findings.push(self.container.finding(CheckRule::MissingVariable, span, message));
            }
        }
    }

    /// Checks the key that a variable refers to.
    fn check_key_reference(&self, reference: &Node, is_secret: bool, report: &mut CheckReport) {
        let name = reference.text_of("name").unwrap_or_default();
        let key = reference.text_of("key").unwrap_or_default();
        let span = reference.get("key").map_or(reference.span, |key| key.span);
        let kind = if is_secret { "Secret" } else { "ConfigMap" };
        match parsed_volume::find_config_object(is_secret, name, &self.container.object, self.config_objects)
        {
            None => {
                let message = format!(
                    "cannot check whether the {kind} `{}` has `{}`: it is not in these manifests",
                    printable_text(name),
                    printable_text(key)
                );
                report.notes.push(self.container.finding(CheckRule::NotInManifests, span, message));
            }
            Some(config_object) if config_object.entry(key).is_none() && !reference.is_true("optional") => {
                let message = format!(
                    "the {kind} `{}` has no key `{}`, so the container cannot start",
                    printable_text(name),
                    printable_text(key)
                );
                report.findings.push(self.container.finding(CheckRule::MissingKey, span, message));
            }
            Some(_) => {}
        }
    }

    fn check_exposed_secret(&self, name: &str, at: &Node, report: &mut CheckReport) {
        if !self.expected.contract.env.iter().any(|variable| variable.name == name) {
            let message = format!(
                "the variable `{}` contains a secret that the contract does not request: child processes and crash reports \
                 expose variables, so mount it as a file",
                printable_text(name)
            );
            report.findings.push(self.container.finding(CheckRule::SecretInEnvironment, at.span, message));
        }
    }
}
