//! The paths that processes have named, as the calls come, and their classification at the end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{MAX_PATHS, RecordedPath, Trace, TraceGap};

/// The paths that processes have named so far.
#[derive(Default)]
pub(super) struct ObservedPaths {
    /// The trace without the files that were opened for reading, which are classified at the end.
    trace: Trace,
    opened: BTreeSet<RecordedPath>,
    /// The paths that existed when they were checked.
    checked: BTreeSet<RecordedPath>,
    /// Directories that were listed and files that were mapped, by their real paths.
    listed: BTreeSet<PathBuf>,
    mapped: BTreeSet<PathBuf>,
    count: usize,
}

/// How a process has used a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Observation {
    Opened,
    Executed,
    Connected,
    Bound,
    Written,
    DirectoryCreated,
    Removed,
    Absent,
}

impl ObservedPaths {
    /// Adds a path that `program` has named.
    pub(super) fn add(&mut self, observation: Observation, path: RecordedPath, program: &Path) {
        if path.path.to_str().is_none() {
            self.add_gap(TraceGap::NotUtf8(program.to_owned()));
            return;
        }
        let trace = &mut self.trace;
        let paths = match observation {
            Observation::Opened => &mut self.opened,
            Observation::Executed => &mut trace.programs_executed,
            Observation::Connected => &mut trace.sockets_connected,
            Observation::Bound => &mut trace.sockets_bound,
            Observation::Written => &mut trace.files_written,
            Observation::DirectoryCreated => &mut trace.directories_created,
            Observation::Removed => &mut trace.paths_removed,
            Observation::Absent => &mut trace.paths_absent,
        };
        if self.count < MAX_PATHS {
            self.count += usize::from(paths.insert(path));
        } else {
            trace.gaps.insert(TraceGap::TooManyPaths);
        }
    }

    /// Adds a path that `program` has checked, if it exists.
    pub(super) fn add_checked(&mut self, path: RecordedPath, program: &Path) {
        if self.checked.contains(&path) || path.path.symlink_metadata().is_err() {
            return;
        }
        if path.path.to_str().is_none() {
            self.add_gap(TraceGap::NotUtf8(program.to_owned()));
        } else if self.count < MAX_PATHS {
            self.count += usize::from(self.checked.insert(path));
        } else {
            self.add_gap(TraceGap::TooManyPaths);
        }
    }

    /// Adds the real path of a directory that was listed.
    pub(super) fn add_listed(&mut self, path: PathBuf) {
        if self.count < MAX_PATHS {
            self.count += usize::from(self.listed.insert(path));
        }
    }

    /// Adds the real path of a file that was mapped as code.
    pub(super) fn add_mapped(&mut self, path: PathBuf) {
        if self.count < MAX_PATHS {
            self.count += usize::from(self.mapped.insert(path));
        }
    }

    /// Adds a reason why the trace is incomplete. Non-UTF-8 names of programs are replaced.
    pub(super) fn add_gap(&mut self, gap: TraceGap) {
        let printable = |path: PathBuf| PathBuf::from(path.to_string_lossy().into_owned());
        self.trace.gaps.insert(match gap {
            TraceGap::NotDumpable(path) => TraceGap::NotDumpable(printable(path)),
            TraceGap::SetId(path) => TraceGap::SetId(printable(path)),
            TraceGap::ForeignArchitecture(path) => TraceGap::ForeignArchitecture(printable(path)),
            TraceGap::IoUring(path) => TraceGap::IoUring(printable(path)),
            TraceGap::ChangedRoot(path) => TraceGap::ChangedRoot(printable(path)),
            TraceGap::UsesPtrace(path) => TraceGap::UsesPtrace(printable(path)),
            TraceGap::NotUtf8(path) => TraceGap::NotUtf8(printable(path)),
            TraceGap::TooManyPaths => TraceGap::TooManyPaths,
        });
    }

    /// Classifies the paths that were opened for reading, and returns the trace. Paths that no
    /// longer exist were temporary and are left out.
    pub(super) fn into_trace(self) -> Trace {
        let Self { mut trace, opened, mut checked, listed, mapped, .. } = self;
        let mut is_named = BTreeSet::new();
        for path in opened {
            let (Ok(metadata), Ok(real)) = (path.path.metadata(), path.path.canonicalize()) else { continue };
            if metadata.is_dir() && listed.contains(&real) {
                trace.directories_listed.insert(path);
                is_named.insert(real);
            } else if metadata.is_file() && mapped.contains(&real) {
                trace.libraries_mapped.insert(path);
                is_named.insert(real);
            } else if metadata.is_file() {
                trace.files_read.insert(path);
            } else if metadata.is_dir() {
                // It was opened to see that it exists.
                checked.insert(path);
            }
        }
        let known = [
            &trace.files_read,
            &trace.libraries_mapped,
            &trace.programs_executed,
            &trace.files_written,
            &trace.directories_created,
            &trace.directories_listed,
        ];
        let is_known = |path: &RecordedPath| known.iter().any(|paths| paths.contains(path));
        let is_kept = |path: &RecordedPath| {
            !is_known(path)
                && path.path.metadata().is_ok_and(|metadata| metadata.is_file() || metadata.is_dir())
        };
        checked.retain(is_kept);
        trace.paths_checked = checked;
        // Descriptors that were inherited or received have no name but their real path.
        let unnamed = |paths: BTreeSet<PathBuf>| {
            let is_named = &is_named;
            let paths = paths
                .into_iter()
                .filter(move |path| !is_named.contains(path) && path.to_str().is_some() && path.exists());
            paths.map(|path| RecordedPath { path, relative: None })
        };
        trace.directories_listed.extend(unnamed(listed));
        trace.libraries_mapped.extend(unnamed(mapped));
        trace
    }
}
