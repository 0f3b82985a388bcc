//! Reduces hints to what the planned image lacks.

use std::collections::BTreeSet;

use super::file_tree::Rootfs;
use super::plan_request::PlannedProgram;
use coracle_core::entry::{EntryNode, EntryReason};
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath, escape_bytes};
use coracle_ld::implicit::{DependencyHint, HintKind, HintedPath, Remedy};

/// The planned image, in which hints are looked up.
pub(super) struct HintedImage<'a> {
    /// The image's files, with those of its base image.
    pub(super) files: &'a dyn FileSystem,
    pub(super) rootfs: &'a Rootfs,
    pub(super) programs: &'a [PlannedProgram],
    /// The mount points and the directories that the program writes to: files there are hidden or
    /// not part of an image.
    pub(super) mounts: &'a [&'a [ImagePath]],
    /// The paths and names that hints leave out.
    pub(super) ignored: &'a BTreeSet<String>,
}

/// Returns the path `relative` from `directory`, without `..`.
fn normalized_join(directory: &RawPath, relative: &RawPath) -> RawPath {
    let mut path = directory.clone();
    for name in relative.as_bytes().split(|byte| *byte == b'/') {
        path = match name {
            b"" | b"." => path,
            b".." => path.dirname(),
            name => RawPath::join_bytes(path.as_bytes(), name),
        };
    }
    path
}

/// Returns whether `path` is below `directory`.
fn is_above(directory: &RawPath, path: &RawPath) -> bool {
    let directory = directory.as_bytes();
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    path.as_bytes().strip_prefix(directory).is_some_and(|rest| rest.starts_with(b"/"))
}

/// Merges the hints about data with the same reason.
fn merge_data_hints(hints: Vec<DependencyHint>) -> Vec<DependencyHint> {
    let mut merged: Vec<DependencyHint> = Vec::new();
    for hint in hints {
        let is_same = |other: &DependencyHint| {
            hint.kind == HintKind::Data && other.kind == HintKind::Data && other.reason == hint.reason
        };
        match merged.iter().position(is_same) {
            Some(index) => {
                let other = merged.remove(index);
                merged.insert(index, other.merged_with(hint));
            }
            None => merged.push(hint),
        }
    }
    merged
}

impl HintedImage<'_> {
    /// Returns the hints about what the image lacks and the user does not ignore, the most likely first.
    pub(super) fn keep_unmet(&self, hints: Vec<DependencyHint>) -> fs::Result<Vec<DependencyHint>> {
        let mut unmet: Vec<DependencyHint> = Vec::new();
        let mut known = BTreeSet::new();
        let mut hints: Vec<DependencyHint> =
            hints.into_iter().map(|hint| self.with_absolute_paths(hint)).collect();
        hints.sort_by_key(|hint| hint.likelihood);
        for hint in hints {
            let hint = match hint.paths() {
                [] => (!self.is_option_met(&hint)?).then_some(hint),
                paths => {
                    let mut missing = Vec::new();
                    for path in paths {
                        if !self.is_path_met(path, &hint.files)? && !known.contains(&path.to) {
                            known.insert(path.to.clone());
                            missing.push(path.clone());
                        }
                    }
                    if missing.len() == paths.len() { Some(hint) } else { hint.with_paths(missing) }
                }
            };
            let is_new = |hint: &DependencyHint| {
                !unmet.iter().any(|known| known.remedy == hint.remedy && known.subject == hint.subject)
            };
            unmet.extend(hint.filter(is_new));
        }
        Ok(merge_data_hints(unmet))
    }

    /// Returns the hint with absolute paths in the image instead of paths relative to the program.
    fn with_absolute_paths(&self, hint: DependencyHint) -> DependencyHint {
        let is_relative = |path: &RawPath| !path.as_bytes().starts_with(b"/");
        if !hint.paths().iter().any(|path| is_relative(&path.to)) {
            return hint;
        }
        let pairs = self.programs.iter().zip(self.rootfs.programs());
        let mut directories: Vec<(RawPath, RawPath)> = Vec::new();
        for (program, path) in pairs {
            let Some(first) = program.closure.executed.first() else { continue };
            let to = RawPath::from(path).dirname();
            directories.push((RawPath::from(&first.path).dirname(), to.clone()));
            directories.push((first.raw_path.dirname(), to));
        }
        let directory_of = |from: &RawPath| {
            let beside = directories.iter().find(|(source, _)| is_above(source, from));
            let near = || directories.iter().find(|(source, _)| is_above(&source.dirname(), from));
            beside.or_else(near).map(|(_, directory)| directory)
        };
        // Scripts in included directories keep their paths.
        let own_directory = hint.paths().first().and_then(|path| {
            let directory = path.from.as_bytes().strip_suffix(path.to.as_bytes())?;
            Some(RawPath::new(directory.strip_suffix(b"/").unwrap_or(directory)))
        });
        let own_directory = own_directory.as_ref();
        let located = |from: &RawPath, path: &RawPath| match directory_of(from)
            .or(own_directory)
            .filter(|_| is_relative(path))
        {
            Some(directory) => normalized_join(directory, path),
            None => path.clone(),
        };
        let first = hint.paths().first().map(|path| path.from.clone()).unwrap_or_else(|| RawPath::new("/"));
        let files = hint.files.iter().map(|file| located(&first, file)).collect();
        let paths = hint.paths().iter();
        let paths =
            paths.map(|path| HintedPath { to: located(&path.from, &path.to), ..path.clone() }).collect();
        let hint = DependencyHint { files, ..hint };
        hint.clone().with_paths(paths).unwrap_or(hint)
    }

    /// Returns whether the image has everything that a hint without paths is about.
    fn is_option_met(&self, hint: &DependencyHint) -> fs::Result<bool> {
        let names = match &hint.remedy {
            Remedy::State(path) => vec![escape_bytes(path.as_bytes())],
            Remedy::Dlopen(name) => vec![name.clone()],
            Remedy::Pam(services) => services.clone(),
            Remedy::Plugins(family) => vec![(*family).to_owned()],
            Remedy::Certificates | Remedy::OpenSsl | Remedy::TimeZones | Remedy::Locale(_) => {
                // The name of the option.
                let flag = hint.remedy.args("").into_iter().next();
                flag.map(|flag| flag.trim_start_matches('-').to_owned()).into_iter().collect()
            }
            _ => Vec::new(),
        };
        if self.ignored.contains(&hint.subject) || names.iter().any(|name| self.ignored.contains(name)) {
            return Ok(true);
        }
        if let Remedy::Dlopen(name) = &hint.remedy
            && self.rootfs.iter().any(|(path, entry)| {
                path.file_name() == Some(name.as_bytes()) && !matches!(entry.node, EntryNode::Directory)
            })
        {
            return Ok(true);
        }
        Ok(!hint.files.is_empty() && self.has_all_files(&hint.files)?)
    }

    /// Returns whether the image has the files of a hint that are at or below `path`, or the user included
    /// some of them or ignores the path or its last name.
    fn is_path_met(&self, path: &HintedPath, files: &[RawPath]) -> fs::Result<bool> {
        let names = [path.to.as_bytes(), path.to.file_name()];
        if names.into_iter().any(|name| self.ignored.contains(&escape_bytes(name))) {
            return Ok(true);
        }
        let directory = RawPath::join_bytes(path.to.as_bytes(), b"");
        let is_below =
            |file: &&RawPath| **file == path.to || file.as_bytes().starts_with(directory.as_bytes());
        let below: Vec<RawPath> = files.iter().filter(is_below).cloned().collect();
        if self.has_all_files(if below.is_empty() { std::slice::from_ref(&path.to) } else { &below })? {
            return Ok(true);
        }
        let Ok(to) = ImagePath::parse(path.to.as_bytes()) else { return Ok(false) };
        let is_mounted = |mount: &ImagePath| to.is_within(mount) || mount.is_within(&to);
        if self.mounts.iter().copied().flatten().any(is_mounted) {
            return Ok(true);
        }
        let is_included = |reason: &EntryReason| matches!(reason, EntryReason::Included(_));
        Ok(self.rootfs.iter().any(|(path, entry)| path.is_within(&to) && is_included(&entry.reason)))
    }

    fn has_all_files(&self, files: &[RawPath]) -> fs::Result<bool> {
        for file in files {
            let walk = file_system::resolve_path(self.files, &ImagePath::root(), file.as_bytes())?;
            if !matches!(walk.end, ResolutionEnd::File(..) | ResolutionEnd::Directory(_)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_directories_by_components() {
        for (directory, path, expected) in [
            ("/srv/app", "/srv/app/lib", true),
            ("/srv/app", "/srv/app2/lib", false),
            ("/", "/srv", true),
            ("/srv/app", "/srv/app", false),
        ] {
            assert_eq!(
                is_above(&RawPath::new(directory), &RawPath::new(path)),
                expected,
                "{directory} {path}"
            );
        }
    }

    #[test]
    fn resolves_relative_paths() {
        let directory = RawPath::new("/app/venv/bin");
        for (relative, path) in [("../lib/x", "/app/venv/lib/x"), ("./a/b", "/app/venv/bin/a/b")] {
            assert_eq!(normalized_join(&directory, &RawPath::new(relative)), RawPath::new(path));
        }
    }
}
