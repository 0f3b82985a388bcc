//! The record of a run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The maximum number of paths in a [`Trace`]. Further ones are dropped, and [`TraceGap::TooManyPaths`] is
/// recorded.
pub const MAX_PATHS: usize = 200_000;

/// A path that a program named. All paths are UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RecordedPath {
    /// The absolute path, without `.`; links are not resolved.
    pub path: PathBuf,
    /// The path relative to the directory that the run started in, if it was named that way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<PathBuf>,
}

impl From<&str> for RecordedPath {
    fn from(path: &str) -> Self {
        Self { path: path.into(), relative: None }
    }
}

impl From<&Path> for RecordedPath {
    fn from(path: &Path) -> Self {
        Self { path: path.to_owned(), relative: None }
    }
}

/// The record of the processes of one or several runs.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Trace {
    /// Regular files that were opened for reading, without mapped libraries.
    pub files_read: BTreeSet<RecordedPath>,
    /// Directories whose entries were read.
    pub directories_listed: BTreeSet<RecordedPath>,
    /// Files that were mapped as code.
    pub libraries_mapped: BTreeSet<RecordedPath>,
    /// Programs that were started: ELF files and scripts.
    pub programs_executed: BTreeSet<RecordedPath>,
    /// Unix sockets that were connected to.
    pub sockets_connected: BTreeSet<RecordedPath>,
    /// Unix sockets that were created.
    pub sockets_bound: BTreeSet<RecordedPath>,
    /// Files that were opened for writing, created or changed, links, and new names of renamed files.
    pub files_written: BTreeSet<RecordedPath>,
    /// Directories that were created.
    pub directories_created: BTreeSet<RecordedPath>,
    /// Files and directories that were removed, and old names of renamed files.
    pub paths_removed: BTreeSet<RecordedPath>,
    /// Paths that do not exist and that a program tried to open or start.
    pub paths_absent: BTreeSet<RecordedPath>,
    /// Files and directories that exist, and that were only checked: by reading their metadata or the
    /// target of a link, or by opening a directory without listing it.
    pub paths_checked: BTreeSet<RecordedPath>,
    /// Why the trace is incomplete.
    pub gaps: BTreeSet<TraceGap>,
}

/// A reason why a trace is incomplete, with the program that it concerns.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "program")]
pub enum TraceGap {
    /// The program is not traceable (`PR_SET_DUMPABLE`, or its file is not readable): the paths
    /// that it names cannot be read.
    NotDumpable(PathBuf),
    /// The program is set-user-ID or set-group-ID, and ran without the other user or group.
    SetId(PathBuf),
    /// The program is for another architecture; its system calls are not recorded.
    ForeignArchitecture(PathBuf),
    /// The program uses `io_uring`; files that it opens through `io_uring` are not recorded.
    IoUring(PathBuf),
    /// The program has changed its root directory or its mounts, so that its paths differ from the
    /// paths on this machine.
    ChangedRoot(PathBuf),
    /// The program has tried to trace another process, but a process can have only one tracer.
    UsesPtrace(PathBuf),
    /// The program named a path that is not UTF-8.
    NotUtf8(PathBuf),
    /// The run named more than [`MAX_PATHS`] paths.
    TooManyPaths,
}

impl Trace {
    /// Adds everything in `other`.
    pub fn merge(&mut self, other: Self) {
        let Self { gaps, .. } = &other;
        self.gaps.extend(gaps.iter().cloned());
        let mut other = other;
        let mut is_full = false;
        for (own, new) in self.path_sets_mut().into_iter().zip(other.path_sets_mut()) {
            for path in std::mem::take(new) {
                if own.len() < MAX_PATHS {
                    own.insert(path);
                } else {
                    is_full = true;
                }
            }
        }
        if is_full {
            self.gaps.insert(TraceGap::TooManyPaths);
        }
    }

    fn path_sets_mut(&mut self) -> [&mut BTreeSet<RecordedPath>; 11] {
        [
            &mut self.files_read,
            &mut self.directories_listed,
            &mut self.libraries_mapped,
            &mut self.programs_executed,
            &mut self.sockets_connected,
            &mut self.sockets_bound,
            &mut self.files_written,
            &mut self.directories_created,
            &mut self.paths_removed,
            &mut self.paths_absent,
            &mut self.paths_checked,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_traces_have_the_paths_of_both() {
        let trace = |path: &str| Trace { files_read: [path.into()].into(), ..Trace::default() };
        let mut sum = trace("/a");
        sum.merge(trace("/b"));
        sum.merge(trace("/a"));
        assert_eq!(sum.files_read, ["/a".into(), "/b".into()].into());
        assert_eq!(sum.gaps, BTreeSet::new());
    }
}
