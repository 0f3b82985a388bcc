//! Compares what the runs opened with the planned image.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coracle_trace::{RecordedPath, Trace};

use super::file_kinds::{UserDirectories, is_in_loader_directory};
use super::fold_into_directories::{FoldedPaths, count_files_if_includable, fold_into_directories};
use super::locales::missing_locales;
use super::opened_libraries::opened_libraries;
use super::package_files;
use super::planned_image::PlannedImage;
use super::proposals::{CopiedPath, RecipeProposals, Remark};
use super::scan_recorded_files::RecordedFileScanner;
use super::state_dirs::{StateDirs, state_dirs};
use crate::cli::console_output::count_noun;

/// Returns everything that the runs opened and the image does not have.
pub(super) fn propose_missing(
    trace: &Trace,
    image: &PlannedImage,
    user: &UserDirectories,
) -> RecipeProposals {
    let state = state_dirs(trace, image, user);
    let comparison = RunComparison { trace, image, user, state, rejected: RecordedFileScanner::new(image) };
    let read = comparison.missing_files();
    let (named, plugins) = comparison.missing_libraries();
    let listed = comparison.missing_directories();
    let programs = comparison.missing_programs();
    let files: BTreeSet<PathBuf> =
        read.included.iter().chain(&plugins).chain(&read.packaged).cloned().collect();
    let folded = comparison.fold_files(&files, &listed);
    let others = programs.iter().map(|program| program.path.clone()).chain(plugins);
    let opened = opened_libraries(&named, others);
    let file_name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
    RecipeProposals {
        programs: programs
            .iter()
            .map(|path| comparison.to_copied_path(path, "started by the program"))
            .collect(),
        dlopen: opened.iter().filter_map(file_name).collect(),
        locales: missing_locales(trace, &|path| image.has_path(path)),
        include: comparison.proposed_includes(&folded, &read.packaged),
        state: comparison.state.directories.iter().map(|path| utf8_text(path)).collect(),
        config: comparison.config_candidates(&read.configuration),
        remarks: comparison.proposed_remarks(&read, &listed, &folded),
    }
}

/// Missing files that were read or checked, by how they are proposed.
#[derive(Default)]
struct MissingReadFiles {
    included: Vec<PathBuf>,
    configuration: Vec<PathBuf>,
    /// Configuration that a package of the distribution has installed.
    packaged: BTreeSet<PathBuf>,
    /// Files in a directory of `[[state]]`, by their paths in the image.
    in_state: Vec<PathBuf>,
    /// Files in a home directory.
    private: Vec<PathBuf>,
    /// Files that the secret scanner rejects.
    rejected: Vec<PathBuf>,
}

struct RunComparison<'a> {
    trace: &'a Trace,
    image: &'a PlannedImage,
    user: &'a UserDirectories,
    state: StateDirs,
    rejected: RecordedFileScanner<'a>,
}

impl RunComparison<'_> {
    fn missing_files(&self) -> MissingReadFiles {
        let mut files = MissingReadFiles::default();
        let mut configuration: Vec<&RecordedPath> = Vec::new();
        let checked = self.missing_paths(&self.trace.paths_checked).filter(|path| is_needed_file(&path.path));
        for path in self.missing_paths(&self.trace.files_read).chain(checked) {
            let in_image = self.image.image_path(path);
            if self.is_in_state_dir(&in_image) {
                files.in_state.push(in_image);
            } else if self.rejected.rejects(&path.path, &in_image) {
                files.rejected.push(path.path.clone());
            } else if self.user.is_configuration(&path.path) {
                configuration.push(path);
            } else if self.user.is_private(&path.path) {
                files.private.push(path.path.clone());
            } else {
                files.included.push(path.path.clone());
            }
        }
        files.packaged =
            package_files::files_of_packages(configuration.iter().map(|path| path.path.as_path()));
        let others = configuration.iter().filter(|path| !files.packaged.contains(&path.path));
        files.configuration = others.map(|path| self.image.image_path(path)).collect();
        files
    }

    /// Returns the missing libraries that the loader finds by their names, and all others.
    fn missing_libraries(&self) -> (BTreeSet<PathBuf>, Vec<PathBuf>) {
        let libraries = self.missing_paths(&self.trace.libraries_mapped);
        let paths = libraries.filter(|path| !self.image.has_source(&path.path)).map(|path| path.path.clone());
        let (named, others): (Vec<_>, Vec<_>) = paths.partition(|path| is_in_loader_directory(path));
        (named.into_iter().collect(), others)
    }

    fn missing_programs(&self) -> Vec<&RecordedPath> {
        let programs = self.missing_paths(&self.trace.programs_executed);
        let is_own =
            |path: &&RecordedPath| self.image.has_source(&path.path) || self.user.is_private(&path.path);
        programs.filter(|path| !is_own(path)).collect()
    }

    /// Returns the directories that the image lacks: listed directories of which it lacks an entry,
    /// directories that were checked, and the directory of modules for character sets if a module
    /// was opened.
    fn missing_directories(&self) -> BTreeSet<PathBuf> {
        let is_missing = |path: &&RecordedPath| {
            let in_image = self.image.image_path(path);
            let is_ignored = self.user.is_ignored_path(&path.path)
                || self.user.is_private(&path.path)
                || self.user.is_too_broad(&path.path)
                || self.user.is_input(&path.path)
                || self.is_made_by_run(&path.path)
                || self.image.is_mounted(&in_image)
                || self.is_in_state_dir(&in_image);
            !is_ignored && path.path.exists() && !self.has_all_entries(path)
        };
        let checked = self.missing_paths(&self.trace.paths_checked);
        let checked = checked.filter(|path| self.is_needed_directory(&path.path));
        let listed = self.trace.directories_listed.iter().chain(checked).filter(is_missing);
        let modules = self.trace.libraries_mapped.iter().filter_map(|path| gconv_directory(&path.path));
        let modules = modules.filter(|directory| !self.image.is_named_in_recipe(directory));
        listed.map(|path| path.path.clone()).chain(modules).collect()
    }

    /// Returns whether a directory that was only checked is included: no other path that was used is in it, and it
    /// is small.
    fn is_needed_directory(&self, directory: &Path) -> bool {
        let Trace {
            files_read, directories_listed, libraries_mapped, programs_executed, paths_checked, ..
        } = self.trace;
        let used =
            [files_read, directories_listed, libraries_mapped, programs_executed, paths_checked].into_iter();
        let is_parent = used.flatten().any(|path| path.path != directory && path.path.starts_with(directory));
        let count = || count_files_if_includable(directory, true, &|path| self.user.is_ignored_path(path));
        directory.is_dir() && !is_parent && count().is_some_and(|files| files <= MAX_CHECKED_FILES)
    }

    /// Returns whether the run has written the file, or created a directory above it.
    fn is_made_by_run(&self, path: &Path) -> bool {
        let is_written = self.trace.files_written.iter().any(|written| written.path == path);
        is_written || self.trace.directories_created.iter().any(|directory| path.starts_with(&directory.path))
    }

    /// Returns the paths that are neither noise nor in the image, and exist.
    fn missing_paths<'a>(
        &'a self,
        paths: &'a BTreeSet<RecordedPath>,
    ) -> impl Iterator<Item = &'a RecordedPath> {
        paths.iter().filter(|path| {
            let in_image = self.image.image_path(path);
            let is_there = self.image.has_path(&in_image)
                || self.image.is_mounted(&in_image)
                || (self.user.is_in_project(&path.path) && self.image.has_source(&path.path));
            !is_there
                && !self.user.is_ignored_path(&path.path)
                && !self.user.is_input(&path.path)
                && !self.is_made_by_run(&path.path)
                && path.path.exists()
        })
    }

    /// Returns whether the image has every entry of a directory, or the recipe names it.
    fn has_all_entries(&self, directory: &RecordedPath) -> bool {
        let in_image = self.image.image_path(directory);
        if self.image.is_named_in_recipe(&in_image) {
            return true;
        }
        // A directory that can't be listed now can't be included.
        let Ok(entries) = std::fs::read_dir(&directory.path) else { return true };
        let mut is_empty = true;
        let is_cache = |entry: &std::fs::DirEntry| entry.file_name() == "__pycache__";
        let has_all = entries.flatten().filter(|entry| !is_cache(entry)).all(|entry| {
            is_empty = false;
            self.image.has_path(&in_image.join(entry.file_name()))
                || (self.user.is_in_project(&directory.path) && self.image.has_source(&entry.path()))
        });
        if is_empty { self.image.has_path(&in_image) } else { has_all }
    }

    fn is_in_state_dir(&self, in_image: &Path) -> bool {
        self.state.directories.iter().any(|directory| in_image.starts_with(directory))
    }

    fn fold_files(&self, files: &BTreeSet<PathBuf>, listed: &BTreeSet<PathBuf>) -> FoldedPaths {
        let is_excluded = |path: &Path| {
            let is_module_data = path.components().any(|part| part.as_os_str() == "gconv");
            let is_cache = path.components().any(|part| part.as_os_str() == "__pycache__");
            let is_own = self.user.is_ignored_path(path) || self.is_made_by_run(path);
            !is_module_data && !is_cache && (is_own || self.rejected.rejects(path, path))
        };
        fold_into_directories(files, listed, &|directory| {
            let keeps_path = self.image.image_path(&self.to_recorded_path(directory)) == directory;
            match self.user.is_too_broad(directory) {
                true => None,
                false => count_files_if_includable(directory, keeps_path, &is_excluded),
            }
        })
    }

    fn proposed_includes(&self, folded: &FoldedPaths, packaged: &BTreeSet<PathBuf>) -> Vec<CopiedPath> {
        let directories = folded.directories.iter().map(|(path, read)| {
            let is_listed = self.trace.directories_listed.iter().any(|listed| listed.path == *path);
            let reason = match read {
                _ if is_gconv(path) => "modules of character sets".to_owned(),
                0 if is_listed => "a directory that the program lists".to_owned(),
                0 => "a directory that the program checks".to_owned(),
                read => format!("a directory of which the program reads {}", count_noun(*read, "file")),
            };
            let is_configuration = packaged.iter().any(|file| file.starts_with(path));
            self.to_copied_path(
                &self.to_recorded_path(path),
                &with_config_advice(reason, path, is_configuration),
            )
        });
        let files = folded.files.iter().map(|path| {
            let reason = "read by the program".to_owned();
            let directory = path.parent().unwrap_or(path);
            let reason = with_config_advice(reason, directory, packaged.contains(path));
            self.to_copied_path(&self.to_recorded_path(path), &reason)
        });
        directories.chain(files).collect()
    }

    /// Returns the path as the program named it. A directory above a relative path is relative, too.
    fn to_recorded_path(&self, path: &Path) -> RecordedPath {
        let trace = self.trace;
        let named =
            [&trace.files_read, &trace.directories_listed, &trace.libraries_mapped, &trace.paths_checked];
        let is_relative = named.into_iter().flatten().any(|named| {
            named.relative.is_some() && (named.path.starts_with(path) || path.starts_with(&named.path))
        });
        let relative = path.strip_prefix(&self.user.start).ok().filter(|_| is_relative);
        RecordedPath { path: path.to_owned(), relative: relative.map(Path::to_owned) }
    }

    /// Returns the source as a path of the recipe, and the target in the image.
    fn to_copied_path(&self, path: &RecordedPath, reason: &str) -> CopiedPath {
        let from = match path.path.starts_with(&self.user.start) && self.user.is_in_project(&path.path) {
            true => relative_path(&self.image.recipe_dir, &path.path),
            false => path.path.clone(),
        };
        let to = self.image.without_links(&self.image.image_path(path));
        CopiedPath { from: utf8_text(&from), to: utf8_text(&to), reason: reason.to_owned() }
    }

    fn config_candidates(&self, paths: &[PathBuf]) -> Vec<String> {
        paths.iter().filter(|path| !self.image.is_named_in_recipe(path)).map(|path| utf8_text(path)).collect()
    }

    fn proposed_remarks(
        &self,
        read: &MissingReadFiles,
        listed: &BTreeSet<PathBuf>,
        folded: &FoldedPaths,
    ) -> Vec<Remark> {
        let sockets = self.connected_sockets();
        let partial: Vec<PathBuf> = listed.iter().filter(|path| !folded.contains(path)).cloned().collect();
        let impossible: Vec<PathBuf> = self.state.impossible.iter().cloned().collect();
        let remarks = [
            (&read.in_state, "is read in a directory that is written to: let the program create it there"),
            (
                &read.rejected,
                "is rejected by the secret scanner: mount it, or accept it below `[allow]` and include it",
            ),
            (&read.private, "is read from a home directory, which no image has"),
            (&partial, "is listed, but cannot be included as a whole"),
            (
                &impossible,
                "is written where nothing can be mounted: set `working-dir`, or let the program use another path",
            ),
            (&sockets, "is a Unix socket that the program connects to: mount its directory"),
        ];
        let remarks = remarks.into_iter().flat_map(|(paths, advice)| {
            let new = paths.iter().filter(|path| !self.image.is_named_in_recipe(path));
            new.map(move |path| Remark { path: utf8_text(path), advice })
        });
        remarks.collect()
    }

    /// Returns the sockets of servers that the program did not start itself. Sockets of the C
    /// library, the kernel and the user's session are left out.
    fn connected_sockets(&self) -> Vec<PathBuf> {
        let is_ignored_path = |path: &RecordedPath| {
            let name = path.path.to_string_lossy();
            let is_general = ["/dev/", "/run/user/", "/run/systemd/", "/tmp/.X11-unix/"];
            name.contains("/nscd/") || is_general.iter().any(|general| name.starts_with(general))
        };
        let sockets = self.trace.sockets_connected.iter().filter(|path| {
            !is_ignored_path(path)
                && !self.trace.sockets_bound.contains(path)
                && !self.image.is_mounted(&self.image.image_path(path))
        });
        sockets.map(|path| self.image.image_path(path)).collect()
    }
}

/// The maximum number of files in a directory that is included only because it was checked.
const MAX_CHECKED_FILES: usize = 100;

/// Returns whether a path that was only checked is a file that a program may need. Programs that it did not start
/// were looked up in `PATH`.
fn is_needed_file(path: &Path) -> bool {
    let directory = path.parent().and_then(Path::file_name).unwrap_or_default();
    path.is_file() && !["bin", "sbin", "games"].iter().any(|name| directory == *name)
}

/// Returns the directory of modules for character sets that `library` is in.
fn gconv_directory(library: &Path) -> Option<PathBuf> {
    library.ancestors().skip(1).find(|directory| is_gconv(directory)).map(Path::to_owned)
}

fn is_gconv(directory: &Path) -> bool {
    directory.file_name().is_some_and(|name| name == "gconv")
}

/// Returns the reason, and how to mount configuration instead of including it.
fn with_config_advice(reason: String, directory: &Path, is_configuration: bool) -> String {
    match is_configuration {
        true => format!(
            "{reason}; it is configuration of the distribution, without which the program may fail. To change it \
             without a new image,\nuse a [[config]] with mount = \"{}\" and its files as templates instead.",
            directory.display()
        ),
        false => reason,
    }
}

/// Returns `path` relative to `directory`; both are absolute.
fn relative_path(directory: &Path, path: &Path) -> PathBuf {
    let is_shared = |above: &&Path| path.starts_with(above);
    let shared = directory.ancestors().find(is_shared).unwrap_or(Path::new("/"));
    let up = directory.strip_prefix(shared).unwrap_or(directory).components().map(|_| "..");
    up.collect::<PathBuf>().join(path.strip_prefix(shared).unwrap_or(path))
}

/// Converts a recorded path to text. All recorded paths are UTF-8.
fn utf8_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
