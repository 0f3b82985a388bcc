//! What has changed since a lock was written, by package.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::document::{Lock, LockedFile, LockedPlatform};
use coracle_core::escape::escape_text;
use coracle_core::hint::Hint;
use serde::Serialize;

/// The maximum number of changes that an error lists.
const MAX_LISTED: usize = 50;

/// The planned images differ from the lock.
#[derive(Debug, thiserror::Error)]
#[error("the image differs from `{}`:\n{}", .path.display(), list(.changes))]
pub struct LockMismatch {
    /// The lock.
    pub path: PathBuf,
    /// The changes, sorted.
    pub changes: Vec<LockChange>,
}

impl Hint for LockMismatch {
    fn hint(&self) -> Option<String> {
        Some(
            "if the change is wanted, accept it with `coracle lock --update`, or that of one package with \
             `coracle lock --update NAME`"
                .into(),
        )
    }
}

/// One change: of a package, a file without a package, a base image or the recipe.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct LockChange {
    /// The platform; `None` if the change concerns all.
    pub platform: Option<String>,
    /// The package or path, `base`, `recipe` or `coracle`.
    pub name: String,
    /// The change, such as `3.0.15 -> 3.0.16`.
    pub change: String,
    /// The number of files that are different; 0 if it has no files.
    pub files: usize,
}

impl fmt::Display for LockChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { platform, name, change, files } = self;
        if let Some(platform) = platform {
            write!(f, "{}: ", escape_text(platform))?;
        }
        write!(f, "{} {}", escape_text(name), escape_text(change))?;
        match files {
            0 => Ok(()),
            1 => f.write_str(": 1 file"),
            files => write!(f, ": {files} files"),
        }
    }
}

fn list(changes: &[LockChange]) -> String {
    let mut lines: Vec<String> =
        changes.iter().take(MAX_LISTED).map(|change| format!("  {change}")).collect();
    if changes.len() > MAX_LISTED {
        lines.push(format!("  and {} more", changes.len() - MAX_LISTED));
    }
    lines.join("\n")
}

/// The files of one package, or the file without a package, before and now.
#[derive(Default)]
struct FileGroup {
    old_version: Option<String>,
    new_version: Option<String>,
    changed: usize,
    added: usize,
    removed: usize,
    /// The change of a file without a package.
    detail: Option<String>,
}

impl Lock {
    /// Returns what has changed since `old` was written.
    pub fn changes_since(&self, old: &Self) -> Vec<LockChange> {
        let mut changes = Vec::new();
        let mut add = |name: &str, before: &str, now: &str| {
            if before != now {
                changes.push(LockChange {
                    platform: None,
                    name: name.into(),
                    change: format!("{before} -> {now}"),
                    files: 0,
                });
            }
        };
        add("coracle", &old.coracle, &self.coracle);
        add("recipe", &old.recipe, &self.recipe);
        let names = |lock: &Self| lock.platforms.keys().cloned().collect::<Vec<_>>();
        for platform in
            [names(self), names(old)].concat().into_iter().collect::<std::collections::BTreeSet<_>>()
        {
            // With a single platform, its name says nothing.
            let shown = (self.platforms.len().max(old.platforms.len()) > 1).then(|| platform.clone());
            match (old.platforms.get(&platform), self.platforms.get(&platform)) {
                (Some(old), Some(new)) => changes.extend(platform_changes(old, new, shown.as_ref())),
                (before, _) => changes.push(LockChange {
                    platform: None,
                    name: platform,
                    change: if before.is_some() { "removed" } else { "added" }.into(),
                    files: 0,
                }),
            }
        }
        changes.sort();
        changes
    }

    /// Returns this lock, in which only the files of `names`, which are packages or paths, are those of `new`.
    /// Everything else stays as it is, except for files of these packages that the new lock has in others.
    #[must_use]
    pub fn with_updates_of(mut self, names: &[String], new: &Self) -> Self {
        let is_named = |path: &String, file: &LockedFile| {
            names.contains(path) || file.package.as_ref().is_some_and(|package| names.contains(package))
        };
        for (platform, locked) in &mut self.platforms {
            let Some(new) = new.platforms.get(platform) else { continue };
            locked.files.retain(|path, file| !is_named(path, file));
            let updated = new.files.iter().filter(|(path, file)| is_named(path, file));
            locked.files.extend(updated.map(|(path, file)| (path.clone(), file.clone())));
        }
        self
    }
}

fn platform_changes(
    old: &LockedPlatform,
    new: &LockedPlatform,
    platform: Option<&String>,
) -> Vec<LockChange> {
    let mut groups: BTreeMap<String, FileGroup> = BTreeMap::new();
    for (path, now) in &new.files {
        let before = old.files.get(path);
        let group = groups.entry(group_name(path, now)).or_default();
        group.new_version.clone_from(&now.version);
        match before {
            Some(before) if before == now => group.old_version.clone_from(&before.version),
            Some(before) if before.package == now.package => {
                group.old_version.clone_from(&before.version);
                group.changed += 1;
                group.detail = Some(detail(before, now));
            }
            _ => group.added += 1,
        }
    }
    for (path, before) in &old.files {
        let now = new.files.get(path);
        if now.is_none_or(|now| now.package != before.package) {
            let group = groups.entry(group_name(path, before)).or_default();
            group.old_version.clone_from(&before.version);
            group.removed += 1;
        }
    }
    let changes = groups.into_iter().filter_map(|(name, group)| group.into_change(name, platform));
    let mut changes: Vec<LockChange> = changes.collect();
    if old.base != new.base {
        let shown = |base: &Option<String>| base.clone().unwrap_or_else(|| "none".into());
        changes.push(LockChange {
            platform: platform.cloned(),
            name: "base".into(),
            change: format!("{} -> {}", shown(&old.base), shown(&new.base)),
            files: 0,
        });
    }
    changes
}

/// Returns the package of a file, or else its path.
fn group_name(path: &str, file: &LockedFile) -> String {
    file.package.clone().unwrap_or_else(|| path.to_owned())
}

/// Returns what is different between two entries of one path.
fn detail(old: &LockedFile, new: &LockedFile) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
    if old.sha256 != new.sha256 {
        return "has other contents".into();
    }
    if old.mode != new.mode {
        return format!("mode {} -> {}", text(&old.mode), text(&new.mode));
    }
    if old.link != new.link {
        return format!("target {} -> {}", text(&old.link), text(&new.link));
    }
    format!("reason: {} -> {}", old.reason, new.reason)
}

impl FileGroup {
    fn into_change(self, name: String, platform: Option<&String>) -> Option<LockChange> {
        let Self { old_version, new_version, changed, added, removed, detail } = self;
        let files = changed + added + removed;
        if files == 0 && old_version == new_version {
            return None;
        }
        let version = |version: &Option<String>| version.clone().unwrap_or_default();
        let change = match (&old_version, &new_version) {
            (Some(old), Some(new)) if old != new => format!("{old} -> {new}"),
            (None, Some(new)) => format!("{new} added"),
            (Some(old), None) => format!("{old} removed"),
            (Some(_), Some(_)) if changed == 0 && removed == 0 => {
                format!("{} has more files", version(&new_version))
            }
            (Some(_), Some(_)) if changed == 0 && added == 0 => {
                format!("{} has fewer files", version(&new_version))
            }
            (Some(_), Some(_)) => {
                let what = detail.filter(|_| changed == 1).unwrap_or_else(|| "has other contents".into());
                format!("{} {what}", version(&new_version))
            }
            (None, None) if added > 0 => "added".into(),
            (None, None) if removed > 0 => "removed".into(),
            (None, None) => detail.unwrap_or_default(),
        };
        // A path is one file.
        let files = if old_version.is_none() && new_version.is_none() { 0 } else { files };
        Some(LockChange { platform: platform.cloned(), name, change, files })
    }
}
