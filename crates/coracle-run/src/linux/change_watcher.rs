//! Watches files of this machine, such as templates and programs, by their directories, because
//! editors and linkers replace files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use std::os::fd::AsFd as _;

use coracle_core::fs::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// How long nothing may change before a change is reported: writers need several calls.
const QUIET: Duration = Duration::from_millis(15);
/// How often it is checked whether the watcher is still wanted.
const CHECK: Duration = Duration::from_millis(200);

/// Watches files until it is dropped.
#[derive(Debug)]
pub struct ChangeWatcher {
    is_stopped: Arc<AtomicBool>,
}

impl ChangeWatcher {
    /// Calls `report` from a thread with the files that have changed, once each time that they have
    /// been quiet for some milliseconds. A file need not exist, but its directory must. Of
    /// `directories`, all files are watched.
    ///
    /// # Errors
    /// Fails if a directory cannot be watched.
    pub fn start(
        files: &BTreeSet<PathBuf>,
        directories: &BTreeSet<PathBuf>,
        mut report: impl FnMut(BTreeSet<PathBuf>) + Send + 'static,
    ) -> Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .map_err(std::io::Error::from)
            .context("watch", std::path::Path::new("files"))?;
        let mut watched: BTreeMap<PathBuf, WatchDescriptor> = BTreeMap::new();
        for directory in
            files.iter().filter_map(|file| file.parent()).chain(directories.iter().map(PathBuf::as_path))
        {
            if !watched.contains_key(directory) {
                let flags = AddWatchFlags::IN_CLOSE_WRITE
                    | AddWatchFlags::IN_MOVED_TO
                    | AddWatchFlags::IN_CREATE
                    | AddWatchFlags::IN_DELETE;
                let at = if directory.as_os_str().is_empty() { std::path::Path::new(".") } else { directory };
                let watch =
                    inotify.add_watch(at, flags).map_err(std::io::Error::from).context("watch", at)?;
                watched.insert(directory.to_owned(), watch);
            }
        }
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (stopped, files, directories) = (is_stopped.clone(), files.clone(), directories.clone());
        thread::spawn(move || {
            let mut changed = BTreeSet::new();
            while !stopped.load(Ordering::Acquire) {
                let timeout = if changed.is_empty() { CHECK } else { QUIET };
                match wait(&inotify, timeout) {
                    true => changed.extend(changed_files(&inotify, &watched).into_iter().filter(|path| {
                        files.contains(path)
                            || path.parent().is_some_and(|parent| directories.contains(parent))
                    })),
                    false if !changed.is_empty() => report(std::mem::take(&mut changed)),
                    false => {}
                }
            }
        });
        Ok(Self { is_stopped })
    }
}

impl Drop for ChangeWatcher {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Release);
    }
}

fn wait(inotify: &Inotify, timeout: Duration) -> bool {
    let mut waited = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
    poll(&mut waited, timeout).is_ok_and(|count| count > 0)
}

fn changed_files(inotify: &Inotify, watched: &BTreeMap<PathBuf, WatchDescriptor>) -> Vec<PathBuf> {
    let events = inotify.read_events().unwrap_or_default();
    let paths = events.into_iter().filter_map(|event| {
        let (directory, _) = watched.iter().find(|(_, watch)| **watch == event.wd)?;
        let name: OsString = event.name?;
        Some(directory.join(name))
    });
    paths.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn reports_files_that_are_written_or_replaced_and_no_others() {
        let scratch = tempfile::tempdir().unwrap();
        let [written, replaced, other] = ["a", "b", "c"].map(|name| scratch.path().join(name));
        fs::write(&written, "1").unwrap();
        let (sender, receiver) = channel();
        let files = BTreeSet::from([written.clone(), replaced.clone()]);
        let _watcher =
            ChangeWatcher::start(&files, &BTreeSet::new(), move |changed| sender.send(changed).unwrap())
                .unwrap();
        fs::write(&other, "1").unwrap();
        fs::write(&written, "2").unwrap();
        let mut seen = receiver.recv().unwrap();
        fs::rename(&other, &replaced).unwrap();
        while !seen.contains(&replaced) {
            seen.extend(receiver.recv().unwrap());
        }
        assert_eq!(seen, files);
    }
}
