//! Compares two contracts, and classifies changes that break a program with its old configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::contract_label::{Contract, ContractFile, ContractMount, ContractParameter};

/// A difference between two contracts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ContractChange {
    /// The part of the contract: `file`, `mount`, `reload`, `parameter`, `env`, `port`, `user`,
    /// `writable` or `schema`.
    pub part: &'static str,
    /// The path, key or name of the changed item.
    pub name: String,
    /// The description of the change.
    pub message: String,
    /// `true` if the new image fails with the old configuration.
    pub is_breaking: bool,
}

/// Returns the changes from `old` to `new`, sorted by part and name.
pub fn diff_contracts(old: &Contract, new: &Contract) -> Vec<ContractChange> {
    let mut changes =
        ContractDiff { changes: Vec::new(), old_files: all_files(old), new_files: all_files(new) };
    changes.diff_mounts(old, new);
    changes.diff_parameters(old, new);
    changes.diff_variables(old, new);
    changes.diff_ports(old, new);
    changes.diff_writable(old, new);
    if old.user != new.user {
        changes.add_change(true, "user", &new.user, format!("was {}", user_or_unset(&old.user)));
    }
    if old.schema != new.schema {
        changes.add_change(false, "schema", "values", "has changed".into());
    }
    let mut changes = changes.changes;
    changes.sort();
    changes
}

/// The changes found, and the files of both contracts by their paths in the container: a file may
/// move between a folder of a mount and a mount inside of it.
struct ContractDiff<'a> {
    changes: Vec<ContractChange>,
    old_files: BTreeMap<String, &'a ContractFile>,
    new_files: BTreeMap<String, &'a ContractFile>,
}

impl ContractDiff<'_> {
    fn add_change(&mut self, is_breaking: bool, part: &'static str, name: &str, message: String) {
        self.changes.push(ContractChange {
            part,
            name: coracle_core::path::escape_bytes(name.as_bytes()),
            message,
            is_breaking,
        });
    }

    fn diff_mounts(&mut self, old: &Contract, new: &Contract) {
        let (before, after) = (mounts_by_path(old), mounts_by_path(new));
        let gone: Vec<&&ContractMount> =
            before.iter().filter(|(path, _)| !after.contains_key(*path)).map(|(_, mount)| mount).collect();
        let paths = |mount: &ContractMount| {
            mount.files.iter().map(|file| file.path().to_owned()).collect::<BTreeSet<_>>()
        };
        let mut moved = BTreeSet::new();
        for (path, mount) in &after {
            match before.get(path) {
                Some(was) => {
                    self.diff_reload(was, mount);
                    self.diff_files(was, mount);
                }
                None if mount
                    .files
                    .iter()
                    .any(|file| self.old_files.contains_key(&file_path(mount, file))) =>
                {
                    self.diff_files(&ContractMount { files: Vec::new(), ..(*mount).clone() }, mount);
                }
                None => {
                    let from =
                        gone.iter().find(|was| paths(was) == paths(mount) && !moved.contains(&was.path));
                    match from {
                        Some(was) => {
                            moved.insert(was.path.clone());
                            self.add_change(true, "mount", path, format!("was at `{}`", was.path));
                            self.diff_reload(was, mount);
                            self.diff_files(was, mount);
                        }
                        None => self.add_new_mount(mount),
                    }
                }
            }
        }
        for mount in gone.iter().filter(|mount| !moved.contains(&mount.path)) {
            let paths = mount.files.iter().map(|file| file_path(mount, file));
            let (kept, gone): (Vec<_>, Vec<_>) = paths.partition(|path| self.new_files.contains_key(path));
            if kept.is_empty() {
                self.add_change(false, "mount", &mount.path, "is no longer read".into());
            } else {
                gone.iter().for_each(|path| self.add_change(false, "file", path, "is no longer read".into()));
            }
        }
    }

    fn add_new_mount(&mut self, mount: &ContractMount) {
        let is_needed = mount.files.iter().any(|file| !file.optional);
        let why = if is_needed { "is new" } else { "is new, and the program starts without it" };
        self.add_change(is_needed, "mount", &mount.path, why.into());
    }

    /// Dropping a signal is breaking: the signal's default action ends a program that does not
    /// handle it.
    fn diff_reload(&mut self, old: &ContractMount, new: &ContractMount) {
        if old.reload != new.reload {
            let is_breaking = old.reload.starts_with("signal:");
            self.add_change(
                is_breaking,
                "reload",
                &new.path,
                format!("is `{}`, was `{}`", new.reload, old.reload),
            );
        }
    }

    fn diff_files(&mut self, old: &ContractMount, new: &ContractMount) {
        let (before, after) = (files_by_path(old), files_by_path(new));
        for (name, file) in &after {
            let path = file_path(new, file);
            match before.get(name).or(self.old_files.get(&path)).copied() {
                None if file.optional => {
                    let message = "is new, and the program starts without it";
                    self.add_change(false, "file", &path, message.into());
                }
                None => self.add_change(true, "file", &path, "is new, and the program needs it".into()),
                Some(was) => self.diff_file(&path, was, file),
            }
        }
        for (_, file) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
            let path = file_path(new, file);
            if !self.new_files.contains_key(&path) {
                self.add_change(false, "file", &path, "is no longer read".into());
            }
        }
    }

    fn diff_file(&mut self, path: &str, old: &ContractFile, new: &ContractFile) {
        match (old.optional, new.optional) {
            (true, false) => self.add_change(true, "file", path, "is needed now, was optional".into()),
            (false, true) => self.add_change(false, "file", path, "is optional now".into()),
            _ => {}
        }
        match (old.secret, new.secret) {
            (false, true) => {
                self.add_change(true, "file", path, "is secret now and must be in a Secret".into());
            }
            (true, false) => self.add_change(false, "file", path, "is no longer secret".into()),
            _ => {}
        }
        if old.format != new.format {
            let name =
                |format: &Option<String>| format.clone().unwrap_or_else(|| "of no known format".into());
            let message = format!("is {}, was {}", name(&new.format), name(&old.format));
            self.add_change(new.format.is_some(), "file", path, message);
        }
    }

    /// Compares parameters, unless a label omits them because the contract was too large.
    fn diff_parameters(&mut self, old: &Contract, new: &Contract) {
        if old.document.is_some() || new.document.is_some() {
            if old.document != new.document {
                let message =
                    "are not in the label, because the contract is too large: compare the full contracts";
                self.add_change(false, "parameter", "all", message.into());
            }
            return;
        }
        for (key, parameter) in &new.parameters {
            match old.parameters.get(key) {
                None if parameter.required => {
                    self.add_change(true, "parameter", key, "is new, and has no default".into());
                }
                None => self.add_change(false, "parameter", key, "is new".into()),
                Some(was) => self.diff_parameter(key, was, parameter),
            }
        }
        for key in old.parameters.keys().filter(|key| !new.parameters.contains_key(*key)) {
            self.add_change(false, "parameter", key, "is no longer used".into());
        }
    }

    fn diff_parameter(&mut self, key: &str, old: &ContractParameter, new: &ContractParameter) {
        if old.kind != new.kind {
            let name = |kind: &Option<String>| kind.clone().unwrap_or_else(|| "anything".into());
            let message = format!("is {}, was {}", name(&new.kind), name(&old.kind));
            self.add_change(
                !allows_all_types(new.kind.as_deref(), old.kind.as_deref()),
                "parameter",
                key,
                message,
            );
        }
        match (old.required, new.required) {
            (false, true) => self.add_change(true, "parameter", key, "is required now".into()),
            (true, false) => self.add_change(false, "parameter", key, "has a default now".into()),
            _ => {}
        }
        match (old.secret, new.secret) {
            (false, true) => self.add_change(true, "parameter", key, "is secret now".into()),
            (true, false) => self.add_change(false, "parameter", key, "is no longer secret".into()),
            _ => {}
        }
    }

    fn diff_variables(&mut self, old: &Contract, new: &Contract) {
        let by_name = |contract: &Contract| -> BTreeMap<String, String> {
            contract.env.iter().map(|variable| (variable.name.clone(), variable.from.clone())).collect()
        };
        let (before, after) = (by_name(old), by_name(new));
        for (name, from) in &after {
            match before.get(name) {
                None => self.add_change(true, "env", name, format!("is new, with the text of `{from}`")),
                Some(was) if was != from => {
                    self.add_change(true, "env", name, format!("has the text of `{from}`, was `{was}`"));
                }
                Some(_) => {}
            }
        }
        for name in before.keys().filter(|name| !after.contains_key(*name)) {
            self.add_change(false, "env", name, "is no longer read".into());
        }
    }

    /// Removing a port is breaking: Services and probes still use it.
    fn diff_ports(&mut self, old: &Contract, new: &Contract) {
        for port in old.ports.iter().filter(|port| !new.ports.contains(port)) {
            self.add_change(true, "port", port, "is no longer exposed".into());
        }
        for port in new.ports.iter().filter(|port| !old.ports.contains(port)) {
            self.add_change(false, "port", port, "is new".into());
        }
    }

    fn diff_writable(&mut self, old: &Contract, new: &Contract) {
        for directory in &new.writable {
            match old.writable.iter().find(|was| was.path == directory.path) {
                None => {
                    self.add_change(
                        true,
                        "writable",
                        &directory.path,
                        "is new: the program writes to it".into(),
                    );
                }
                Some(was) if directory.persistent && !was.persistent => {
                    self.add_change(true, "writable", &directory.path, "must outlive the pod now".into());
                }
                Some(was) if was.persistent && !directory.persistent => {
                    self.add_change(
                        false,
                        "writable",
                        &directory.path,
                        "no longer has to outlive the pod".into(),
                    );
                }
                Some(_) => {}
            }
        }
        for was in old.writable.iter().filter(|was| !new.writable.iter().any(|found| found.path == was.path))
        {
            self.add_change(false, "writable", &was.path, "is no longer written to".into());
        }
    }
}

/// Returns whether `new` allows every type of `old`; `number` includes `integer`.
fn allows_all_types(new: Option<&str>, old: Option<&str>) -> bool {
    let Some(new) = new else { return true };
    let Some(old) = old else { return false };
    let has =
        |kind: &str| new.split('|').any(|found| found == kind || found == "number" && kind == "integer");
    old.split('|').all(has)
}

fn mounts_by_path(contract: &Contract) -> BTreeMap<&str, &ContractMount> {
    contract.mounts.iter().map(|mount| (mount.path.as_str(), mount)).collect()
}

/// Returns the path of a file in the container.
fn file_path(mount: &ContractMount, file: &ContractFile) -> String {
    format!("{}/{}", mount.path.trim_end_matches('/'), file.path())
}

/// Returns all files by their paths in the container.
fn all_files(contract: &Contract) -> BTreeMap<String, &ContractFile> {
    let files = contract
        .mounts
        .iter()
        .flat_map(|mount| mount.files.iter().map(move |file| (file_path(mount, file), file)));
    files.collect()
}

fn files_by_path(mount: &ContractMount) -> BTreeMap<&str, &ContractFile> {
    mount.files.iter().map(|file| (file.path(), file)).collect()
}

fn user_or_unset(user: &str) -> &str {
    if user.is_empty() { "not set" } else { user }
}
