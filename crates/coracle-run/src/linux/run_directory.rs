//! The directories of running containers. A lock says that one is in use; what a killed process has
//! left is removed by the next run.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use coracle_core::fs::{Context as _, create_private_dir_all};
use coracle_core::json;
use serde::{Deserialize, Serialize};

use super::process;
use crate::RunError;

const LOCK: &str = "lock";
const RECORD: &str = "run.json";
/// The maximum number of runs with one name.
const MAX_RUNS: u32 = 1000;
/// How long the output of runs in the background is kept.
const KEPT_LOGS: Duration = Duration::from_secs(24 * 3600);
/// Where runtimes make cgroups: the only hierarchy of version 2, and those of version 1.
const CGROUPS: &str = "/sys/fs/cgroup";

/// What is known of a run.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// The name of the run.
    pub name: String,
    /// The process ID of `coracle run`.
    pub pid: u32,
    /// The image, as it was given or built.
    pub image: String,
    /// The program that runs the container.
    pub runtime: String,
    /// The process ID of the container's first process; `None` while it does not run.
    pub container_pid: Option<i32>,
    /// Addresses of this machine where the program listens.
    pub addresses: Vec<String>,
    /// Mount paths in the container.
    pub mounts: Vec<String>,
    /// `true` if the program is ready.
    pub is_ready: bool,
    /// Why the run has ended, if it has.
    pub failure: Option<String>,
    /// Directories of the program's state, which are removed after the run.
    pub state_directories: Vec<PathBuf>,
    /// `true` if its files belong to users of a user namespace.
    pub has_user_namespace: bool,
}

/// The directory of this run.
#[derive(Debug)]
pub struct RunDirectory {
    /// The name of the run: the wanted one, or with a number.
    pub name: String,
    /// The directory.
    pub path: PathBuf,
    /// State directories that killed runs have left.
    pub left_state: Vec<PathBuf>,
    _lock: File,
}

impl RunDirectory {
    /// Creates the directory of all runs, which only this user may use.
    ///
    /// # Errors
    /// Fails if it cannot be created, or if another user has created it.
    pub fn create_base(base: &Path) -> Result<(), RunError> {
        create_private_dir_all(base).context("create", base)?;
        if is_own(base) {
            return Ok(());
        }
        let why = io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it belongs to another user, or others may write to it",
        );
        Err(coracle_core::fs::Error::new("use", base, why).into())
    }

    /// Creates a directory below `base` for a run with this name. If another run has the name, a
    /// number is added.
    ///
    /// # Errors
    /// Fails if the directory cannot be created.
    pub fn create(base: &Path, wanted: &str) -> Result<Self, RunError> {
        Self::create_base(base)?;
        let left_state = remove_ended(base);
        for number in 1..MAX_RUNS {
            let name = if number == 1 { wanted.to_owned() } else { format!("{wanted}-{number}") };
            let path = base.join(&name);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created.context("create", &path)?,
            }
            let lock_path = path.join(LOCK);
            let lock = File::create(&lock_path).context("create", &lock_path)?;
            lock.lock().context("lock", &lock_path)?;
            return Ok(Self { name, path, left_state, _lock: lock });
        }
        let error = io::Error::new(io::ErrorKind::AlreadyExists, "too many runs have this name");
        Err(coracle_core::fs::Error::new("create", &base.join(wanted), error).into())
    }

    /// Writes what is known of the run.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn write_record(&self, record: &RunRecord) -> Result<(), RunError> {
        let (new, path) = (self.path.join("run.json.new"), self.path.join(RECORD));
        let bytes = json::to_bytes(record).map_err(io::Error::from).context("write", &new)?;
        fs::write(&new, bytes).context("write", &new)?;
        Ok(fs::rename(&new, &path).context("write", &path)?)
    }

    /// Removes the directory and the cgroup of the run.
    pub fn remove(self) {
        remove_run(&self.path, &self.name);
    }
}

impl RunRecord {
    /// Reads the record of the run with this name; `None` if there is none.
    pub fn read(base: &Path, name: &str) -> Option<Self> {
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return None;
        }
        let path = base.join(name);
        (is_own(base) && !is_ended(&path)).then_some(())?;
        serde_json::from_slice(&fs::read(path.join(RECORD)).ok()?).ok()
    }

    /// Returns the records of all runs, sorted by name.
    pub fn read_all(base: &Path) -> Vec<Self> {
        let entries = fs::read_dir(base).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names.iter().filter_map(|name| Self::read(base, name)).collect()
    }

    /// Returns the record of the run with this process ID, which is written when the program is ready
    /// or has failed.
    pub fn find_process(base: &Path, pid: u32) -> Option<Self> {
        Self::read_all(base).into_iter().find(|record| record.pid == pid)
    }

    /// Sends a signal to `coracle run`. Returns whether it runs.
    pub fn signal(&self, number: i32) -> bool {
        i32::try_from(self.pid).is_ok_and(|pid| process::signal_process(pid, number))
    }
}

/// Removes the directories of runs that have ended without removing them. Returns their state.
fn remove_ended(base: &Path) -> Vec<PathBuf> {
    let mut left = Vec::new();
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_old = entry
            .metadata()
            .and_then(|found| found.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|elapsed| elapsed > KEPT_LOGS));
        if is_old && path.is_file() {
            let _ = fs::remove_file(&path);
        }
        if is_ended(&path) {
            let record = fs::read(path.join(RECORD))
                .ok()
                .and_then(|bytes| serde_json::from_slice::<RunRecord>(&bytes).ok());
            left.extend(record.into_iter().flat_map(|record| record.state_directories));
            remove_run(&path, &entry.file_name().to_string_lossy());
        }
    }
    left
}

/// Returns whether the directory belongs to this user alone: another user could name other processes in it.
fn is_own(base: &Path) -> bool {
    let found = fs::symlink_metadata(base);
    found.is_ok_and(|found| {
        found.is_dir()
            && found.uid() == nix::unistd::geteuid().as_raw()
            && found.permissions().mode() & 0o022 == 0
    })
}

/// Returns whether no process holds the lock of a run. A directory without a lock is being created.
fn is_ended(path: &Path) -> bool {
    let Ok(lock) = File::open(path.join(LOCK)) else { return false };
    !matches!(lock.try_lock(), Err(TryLockError::WouldBlock))
}

fn remove_run(path: &Path, name: &str) {
    // Mounts are gone with their namespace; what cannot be removed is tried again by the next run.
    let _ = fs::remove_dir_all(path);
    let hierarchies = fs::read_dir(CGROUPS).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in hierarchies.chain([PathBuf::from(CGROUPS)]) {
        let parent = hierarchy.join("coracle");
        let _ = fs::remove_dir(parent.join(name));
        let _ = fs::remove_dir(parent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_with_one_name_get_two_directories() {
        let scratch = tempfile::tempdir().unwrap();
        let first = RunDirectory::create(scratch.path(), "shop").unwrap();
        let second = RunDirectory::create(scratch.path(), "shop").unwrap();
        assert_eq!((first.name.as_str(), second.name.as_str()), ("shop", "shop-2"));
        let record = RunRecord { name: "shop".into(), pid: std::process::id(), ..RunRecord::default() };
        first.write_record(&record).unwrap();
        assert_eq!(RunRecord::read(scratch.path(), "shop"), Some(record.clone()));
        assert_eq!(RunRecord::find_process(scratch.path(), std::process::id()), Some(record));
        assert_eq!(RunRecord::read(scratch.path(), "../shop"), None);
        first.remove();
        assert!(!scratch.path().join("shop").exists() && scratch.path().join("shop-2").exists());
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_not_used() {
        let scratch = tempfile::tempdir().unwrap();
        let base = scratch.path().join("coracle");
        fs::create_dir(&base).unwrap();
        fs::set_permissions(&base, fs::Permissions::from_mode(0o777)).unwrap();
        let error = RunDirectory::create(&base, "shop").unwrap_err();
        assert_eq!(error.to_string(), format!("cannot use `{}`", base.display()));
    }

    #[test]
    fn what_a_killed_run_has_left_is_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let killed = RunDirectory::create(scratch.path(), "shop").unwrap();
        let state: PathBuf = "/state/shop".into();
        killed
            .write_record(&RunRecord { state_directories: vec![state.clone()], ..RunRecord::default() })
            .unwrap();
        // A process that is killed releases its locks.
        drop(killed);
        let next = RunDirectory::create(scratch.path(), "shop").unwrap();
        assert_eq!((next.name.as_str(), &next.left_state), ("shop", &vec![state]));
    }
}
