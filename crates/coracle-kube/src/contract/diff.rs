//! Compares two contracts, and classifies changes that break a program with its old configuration.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::{Contract, File, Mount, Parameter};

/// A difference between two contracts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Change {
    /// The part of the contract: `file`, `mount`, `reload`, `parameter`, `env`, `port`, `user`,
    /// `writable` or `schema`.
    pub part: &'static str,
    /// The path, key or name of the changed item.
    pub name: String,
    /// The description of the change.
    pub message: String,
    /// Whether the new image fails with the old configuration.
    pub is_breaking: bool,
}

/// Returns the changes from `old` to `new`, sorted by part and name.
pub fn changes(old: &Contract, new: &Contract) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    changes.mounts(old, new);
    changes.parameters(old, new);
    changes.variables(old, new);
    changes.ports(old, new);
    changes.writable(old, new);
    if old.user != new.user {
        changes.add(true, "user", &new.user, format!("was {}", or_nobody(&old.user)));
    }
    if old.schema != new.schema {
        changes.add(false, "schema", "values", "has changed".into());
    }
    let mut changes = changes.0;
    changes.sort();
    changes
}

struct Changes(Vec<Change>);

impl Changes {
    fn add(&mut self, is_breaking: bool, part: &'static str, name: &str, message: String) {
        self.0.push(Change { part, name: coracle_core::path::printable(name.as_bytes()), message, is_breaking });
    }

    fn mounts(&mut self, old: &Contract, new: &Contract) {
        let (before, after) = (by_path(old), by_path(new));
        let gone: Vec<&&Mount> =
            before.iter().filter(|(path, _)| !after.contains_key(*path)).map(|(_, mount)| mount).collect();
        let keys = |mount: &Mount| mount.files.iter().map(|file| file.key.clone()).collect::<BTreeSet<_>>();
        let mut moved = BTreeSet::new();
        for (path, mount) in &after {
            match before.get(path) {
                Some(was) => {
                    self.reload(was, mount);
                    self.files(was, mount);
                }
                None => {
                    let from = gone.iter().find(|was| keys(was) == keys(mount) && !moved.contains(&was.path));
                    match from {
                        Some(was) => {
                            moved.insert(was.path.clone());
                            self.add(true, "mount", path, format!("was at `{}`", was.path));
                            self.reload(was, mount);
                            self.files(was, mount);
                        }
                        None => {
                            let is_needed = mount.files.iter().any(|file| !file.optional);
                            let why = if is_needed {
                                "is new"
                            } else {
                                "is new, and the program starts without it"
                            };
                            self.add(is_needed, "mount", path, why.into());
                        }
                    }
                }
            }
        }
        for mount in gone.iter().filter(|mount| !moved.contains(&mount.path)) {
            self.add(false, "mount", &mount.path, "is no longer read".into());
        }
    }

    /// Dropping a signal is breaking: the signal's default action ends a program that does not
    /// handle it.
    fn reload(&mut self, old: &Mount, new: &Mount) {
        if old.reload != new.reload {
            let is_breaking = old.reload.starts_with("signal:");
            self.add(is_breaking, "reload", &new.path, format!("is `{}`, was `{}`", new.reload, old.reload));
        }
    }

    fn files(&mut self, old: &Mount, new: &Mount) {
        let path = |key: &str| format!("{}/{key}", new.path.trim_end_matches('/'));
        let (before, after) = (by_key(old), by_key(new));
        for (key, file) in &after {
            match before.get(key) {
                None if file.optional => {
                    self.add(false, "file", &path(key), "is new, and the program starts without it".into());
                }
                None => self.add(true, "file", &path(key), "is new, and the program needs it".into()),
                Some(was) => self.file(&path(key), was, file),
            }
        }
        for key in before.keys().filter(|key| !after.contains_key(*key)) {
            self.add(false, "file", &path(key), "is no longer read".into());
        }
    }

    fn file(&mut self, path: &str, old: &File, new: &File) {
        match (old.optional, new.optional) {
            (true, false) => self.add(true, "file", path, "is needed now, was optional".into()),
            (false, true) => self.add(false, "file", path, "is optional now".into()),
            _ => {}
        }
        match (old.secret, new.secret) {
            (false, true) => {
                self.add(true, "file", path, "is secret now and must be in a Secret".into());
            }
            (true, false) => self.add(false, "file", path, "is no longer secret".into()),
            _ => {}
        }
        if old.format != new.format {
            let name =
                |format: &Option<String>| format.clone().unwrap_or_else(|| "of no known format".into());
            let message = format!("is {}, was {}", name(&new.format), name(&old.format));
            self.add(new.format.is_some(), "file", path, message);
        }
    }

    /// Compares parameters, unless a label omits them because the contract was too large.
    fn parameters(&mut self, old: &Contract, new: &Contract) {
        if old.document.is_some() || new.document.is_some() {
            if old.document != new.document {
                let message =
                    "are not in the label, because the contract is too large: compare the full contracts";
                self.add(false, "parameter", "all", message.into());
            }
            return;
        }
        for (key, parameter) in &new.parameters {
            match old.parameters.get(key) {
                None if parameter.required => {
                    self.add(true, "parameter", key, "is new, and has no default".into());
                }
                None => self.add(false, "parameter", key, "is new".into()),
                Some(was) => self.parameter(key, was, parameter),
            }
        }
        for key in old.parameters.keys().filter(|key| !new.parameters.contains_key(*key)) {
            self.add(false, "parameter", key, "is no longer used".into());
        }
    }

    fn parameter(&mut self, key: &str, old: &Parameter, new: &Parameter) {
        if old.kind != new.kind {
            let name = |kind: &Option<String>| kind.clone().unwrap_or_else(|| "anything".into());
            let message = format!("is {}, was {}", name(&new.kind), name(&old.kind));
            self.add(!is_wider(new.kind.as_deref(), old.kind.as_deref()), "parameter", key, message);
        }
        match (old.required, new.required) {
            (false, true) => self.add(true, "parameter", key, "is required now".into()),
            (true, false) => self.add(false, "parameter", key, "has a default now".into()),
            _ => {}
        }
        match (old.secret, new.secret) {
            (false, true) => self.add(true, "parameter", key, "is secret now".into()),
            (true, false) => self.add(false, "parameter", key, "is no longer secret".into()),
            _ => {}
        }
    }

    fn variables(&mut self, old: &Contract, new: &Contract) {
        let by_name = |contract: &Contract| -> BTreeMap<String, String> {
            contract.env.iter().map(|variable| (variable.name.clone(), variable.from.clone())).collect()
        };
        let (before, after) = (by_name(old), by_name(new));
        for (name, from) in &after {
            match before.get(name) {
                None => self.add(true, "env", name, format!("is new, with the text of `{from}`")),
                Some(was) if was != from => {
                    self.add(true, "env", name, format!("has the text of `{from}`, was `{was}`"));
                }
                Some(_) => {}
            }
        }
        for name in before.keys().filter(|name| !after.contains_key(*name)) {
            self.add(false, "env", name, "is no longer read".into());
        }
    }

    /// Removing a port is breaking: Services and probes still use it.
    fn ports(&mut self, old: &Contract, new: &Contract) {
        for port in old.ports.iter().filter(|port| !new.ports.contains(port)) {
            self.add(true, "port", port, "is no longer exposed".into());
        }
        for port in new.ports.iter().filter(|port| !old.ports.contains(port)) {
            self.add(false, "port", port, "is new".into());
        }
    }

    fn writable(&mut self, old: &Contract, new: &Contract) {
        for directory in &new.writable {
            match old.writable.iter().find(|was| was.path == directory.path) {
                None => {
                    self.add(true, "writable", &directory.path, "is new: the program writes to it".into());
                }
                Some(was) if directory.persistent && !was.persistent => {
                    self.add(true, "writable", &directory.path, "must outlive the pod now".into());
                }
                Some(was) if was.persistent && !directory.persistent => {
                    self.add(false, "writable", &directory.path, "no longer has to outlive the pod".into());
                }
                Some(_) => {}
            }
        }
        for was in old.writable.iter().filter(|was| !new.writable.iter().any(|found| found.path == was.path))
        {
            self.add(false, "writable", &was.path, "is no longer written to".into());
        }
    }
}

/// Returns whether `new` allows every type of `old`; `number` includes `integer`.
fn is_wider(new: Option<&str>, old: Option<&str>) -> bool {
    let Some(new) = new else { return true };
    let Some(old) = old else { return false };
    let has =
        |kind: &str| new.split('|').any(|found| found == kind || found == "number" && kind == "integer");
    old.split('|').all(has)
}

fn by_path(contract: &Contract) -> BTreeMap<&str, &Mount> {
    contract.mounts.iter().map(|mount| (mount.path.as_str(), mount)).collect()
}

fn by_key(mount: &Mount) -> BTreeMap<&str, &File> {
    mount.files.iter().map(|file| (file.key.as_str(), file)).collect()
}

fn or_nobody(user: &str) -> &str {
    if user.is_empty() { "not set" } else { user }
}
