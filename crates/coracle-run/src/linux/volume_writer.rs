//! Writes the files of a volume with the same system calls, in the same order, as a kubelet, so that
//! a program that watches the directory sees the same events.
//!
//! Source: Kubernetes 1.37, `pkg/volume/util/atomic_writer.go`, `pkg/volume/volume_linux.go`.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use coracle_core::fs::{Context as _, Error, Result};

use crate::volume::{VolumeFile, files_by_path};

const DATA_LINK: &str = "..data";
const NEW_DATA_LINK: &str = "..data_tmp";
/// What `fsGroup` adds to the mode of files and directories of a read-only volume.
const GROUP_READ: u32 = 0o440;
const GROUP_DIRECTORY: u32 = 0o2110;

/// The directory of one volume.
#[derive(Clone, Debug)]
pub struct VolumeWriter {
    directory: PathBuf,
    group: Option<u32>,
}

impl VolumeWriter {
    /// Creates the directory of a volume whose files belong to `group`, as with `fsGroup`. A kubelet
    /// keeps Secrets and projected volumes in memory, where directories have the sticky bit.
    ///
    /// # Errors
    /// Fails if the directory exists or cannot be created.
    pub fn create(directory: PathBuf, group: Option<u32>, has_secrets: bool) -> Result<Self> {
        fs::create_dir(&directory).context("create", &directory)?;
        set_mode(&directory, if has_secrets { 0o1777 } else { 0o777 })?;
        Ok(Self { directory, group })
    }

    /// Replaces the files of the volume if any of them differs, or always with `is_forced`. Returns
    /// whether they were replaced. `before_swap` is called with the directory of the new files before
    /// a program can see them.
    ///
    /// # Errors
    /// Fails if a path is invalid, or if a file cannot be written.
    pub fn write(
        &self,
        files: &[VolumeFile],
        is_forced: bool,
        before_swap: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<bool> {
        let files: Vec<&VolumeFile> = files_by_path(files).into_values().collect();
        if let Some(file) = files.iter().find(|file| !file.has_valid_path()) {
            let why = io::Error::new(io::ErrorKind::InvalidInput, "the path is invalid in a volume");
            return Err(Error::new("write", Path::new(&file.path), why));
        }
        let data_link = self.directory.join(DATA_LINK);
        let old = fs::read_link(&data_link).ok().map(|name| self.directory.join(name));
        if let Some(old) = &old
            && !is_forced
            && is_current(old, &files)
        {
            return Ok(false);
        }
        let new = self.create_timestamped_directory()?;
        for file in &files {
            write_file(&new, file)?;
        }
        if let Some(group) = self.group {
            give_to_group(&self.directory, group)?;
        }
        before_swap(&new).context("watch", &new)?;
        let new_link = self.directory.join(NEW_DATA_LINK);
        symlink(new.file_name().unwrap_or_default(), &new_link).context("create", &new_link)?;
        fs::rename(&new_link, &data_link).context("replace", &data_link)?;
        for file in &files {
            let link = self.directory.join(file.top_name());
            if fs::read_link(&link).is_err() {
                symlink(Path::new(DATA_LINK).join(file.top_name()), &link).context("create", &link)?;
            }
        }
        if let Some(old) = old {
            self.remove_old(&old, &files)?;
        }
        Ok(true)
    }

    #[allow(clippy::disallowed_methods, reason = "a kubelet names the directory after the time")]
    fn create_timestamped_directory(&self) -> Result<PathBuf> {
        let now = SystemTime::now();
        let text = humantime::format_rfc3339_seconds(now).to_string();
        let text = text.trim_end_matches('Z').replace(['-', ':', 'T'], "_");
        let nanoseconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        let mut number = u64::from(nanoseconds);
        loop {
            let new = self.directory.join(format!("..{text}.{number}"));
            match fs::create_dir(&new) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                created => {
                    created.context("create", &new)?;
                    set_mode(&new, 0o755)?;
                    return Ok(new);
                }
            }
        }
    }

    /// Removes the links to files that are gone, and the old files.
    fn remove_old(&self, old: &Path, files: &[&VolumeFile]) -> Result<()> {
        for entry in fs::read_dir(old).context("read", old)? {
            let name = entry.context("read", old)?.file_name();
            if !files.iter().any(|file| name == file.top_name()) {
                let link = self.directory.join(name);
                fs::remove_file(&link).context("remove", &link)?;
            }
        }
        fs::remove_dir_all(old).context("remove", old)
    }
}

/// Returns whether the directory has these files and no other.
fn is_current(old: &Path, files: &[&VolumeFile]) -> bool {
    let is_same = |file: &&VolumeFile| {
        let path = old.join(&file.path);
        fs::read(&path).is_ok_and(|bytes| bytes == file.bytes)
    };
    files.iter().all(is_same) && count_files(old).is_ok_and(|count| count == files.len())
}

fn count_files(directory: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() { count_files(&entry.path())? } else { 1 };
    }
    Ok(count)
}

fn write_file(directory: &Path, file: &VolumeFile) -> Result<()> {
    let path = directory.join(&file.path);
    let parent = path.parent().unwrap_or(directory);
    fs::create_dir_all(parent).context("create", parent)?;
    fs::write(&path, &file.bytes).context("write", &path)?;
    set_mode(&path, file.mode)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode)).context("set the mode of", path)
}

/// Gives everything at and below `path` to a group that may read it: a directory after its entries, which
/// come in the order of the file system.
fn give_to_group(path: &Path, group: u32) -> Result<()> {
    let metadata = fs::symlink_metadata(path).context("read", path)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path).context("read", path)? {
            give_to_group(&entry.context("read", path)?.path(), group)?;
        }
    }
    lchown(path, None, Some(group)).context("set the group of", path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let added = if metadata.is_dir() { GROUP_READ | GROUP_DIRECTORY } else { GROUP_READ };
    set_mode(path, (metadata.permissions().mode() & 0o7777) | added)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

    use super::*;

    fn file(path: &str, text: &str, mode: u32) -> VolumeFile {
        VolumeFile { path: path.into(), bytes: text.into(), mode }
    }

    fn write(writer: &VolumeWriter, files: &[VolumeFile]) -> bool {
        writer.write(files, false, |_| Ok(())).unwrap()
    }

    /// Returns the tree with links and modes; the timestamped directory is called `..time`.
    fn listing(directory: &Path) -> BTreeMap<String, String> {
        let timed = fs::read_link(directory.join(DATA_LINK)).unwrap().to_str().unwrap().to_owned();
        let mut found = BTreeMap::new();
        let mut pending = vec![directory.to_owned()];
        while let Some(next) = pending.pop() {
            for entry in fs::read_dir(next).unwrap().map(|entry| entry.unwrap()) {
                let path = entry.path();
                let metadata = entry.metadata().unwrap();
                let name = path.strip_prefix(directory).unwrap().to_str().unwrap().replace(&timed, "..time");
                let what = if metadata.is_symlink() {
                    format!("-> {}", fs::read_link(&path).unwrap().display()).replace(&timed, "..time")
                } else {
                    format!("{:o}", metadata.mode() & 0o7777)
                };
                found.insert(name, what);
                if metadata.is_dir() {
                    pending.push(path);
                }
            }
        }
        found
    }

    fn expected<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, String> {
        entries.map(|(name, what)| (name.to_owned(), what.to_owned())).into()
    }

    #[test]
    fn links_lead_through_the_data_link_to_a_timestamped_directory() {
        let scratch = tempfile::tempdir().unwrap();
        let writer = VolumeWriter::create(scratch.path().join("v"), None, false).unwrap();
        assert!(write(&writer, &[file("app.conf", "1", 0o644), file("tls/key", "2", 0o400)]));
        let tree = expected([
            ("..data", "-> ..time"),
            ("..time", "755"),
            ("..time/app.conf", "644"),
            ("..time/tls", "755"),
            ("..time/tls/key", "400"),
            ("app.conf", "-> ..data/app.conf"),
            ("tls", "-> ..data/tls"),
        ]);
        assert_eq!(listing(&scratch.path().join("v")), tree);
        assert_eq!(fs::metadata(scratch.path().join("v")).unwrap().mode() & 0o7777, 0o777);
        let name = fs::read_link(scratch.path().join("v/..data")).unwrap();
        let name = name.to_str().unwrap();
        assert_eq!(name.split(['_', '.']).filter(|part| !part.is_empty()).count(), 7, "{name}");
    }

    #[test]
    fn the_group_of_volumes_may_read_all_files() {
        let scratch = tempfile::tempdir().unwrap();
        let group = fs::metadata(scratch.path()).unwrap().gid();
        let writer = VolumeWriter::create(scratch.path().join("v"), Some(group), true).unwrap();
        write(&writer, &[file("open", "1", 0o644), file("key", "2", 0o400)]);
        let tree = listing(&scratch.path().join("v"));
        assert_eq!(tree["..time"], "2755");
        assert_eq!((&*tree["..time/open"], &*tree["..time/key"]), ("644", "440"));
        assert_eq!(fs::metadata(scratch.path().join("v")).unwrap().mode() & 0o7777, 0o3777);
    }

    #[test]
    fn equal_files_are_not_replaced_and_links_to_lost_files_are_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("v");
        let writer = VolumeWriter::create(directory.clone(), None, false).unwrap();
        let (one, two) = (file("a", "1", 0o644), file("b/c", "2", 0o644));
        write(&writer, &[one.clone(), two.clone()]);
        let first = fs::read_link(directory.join(DATA_LINK)).unwrap();
        assert!(!write(&writer, &[one.clone(), two]));
        assert_eq!(fs::read_link(directory.join(DATA_LINK)).unwrap(), first);
        assert!(writer.write(std::slice::from_ref(&one), true, |_| Ok(())).unwrap());
        assert_eq!(listing(&directory).keys().collect::<Vec<_>>(), ["..data", "..time", "..time/a", "a"]);
        assert!(writer.write(&[file("../x", "", 0o644)], false, |_| Ok(())).is_err());
    }

    #[test]
    fn a_watcher_of_the_directory_sees_the_events_of_a_kubelet() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("v");
        let writer = VolumeWriter::create(directory.clone(), None, false).unwrap();
        write(&writer, &[file("a", "1", 0o644)]);
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        inotify
            .add_watch(
                &directory,
                AddWatchFlags::IN_ALL_EVENTS
                    - AddWatchFlags::IN_OPEN
                    - AddWatchFlags::IN_ACCESS
                    - AddWatchFlags::IN_CLOSE_NOWRITE,
            )
            .unwrap();
        write(&writer, &[file("a", "2", 0o644)]);
        let events: Vec<(String, AddWatchFlags)> = inotify
            .read_events()
            .unwrap()
            .into_iter()
            .map(|event| {
                let name = event.name.unwrap_or_default().into_string().unwrap();
                let is_timed = name.starts_with("..2");
                (if is_timed { "..time".into() } else { name }, event.mask - AddWatchFlags::IN_ISDIR)
            })
            .collect();
        let event = |name: &str, mask| (name.to_owned(), mask);
        assert_eq!(
            events,
            [
                event("..time", AddWatchFlags::IN_CREATE),
                event("..time", AddWatchFlags::IN_ATTRIB),
                event("..data_tmp", AddWatchFlags::IN_CREATE),
                event("..data_tmp", AddWatchFlags::IN_MOVED_FROM),
                event("..data", AddWatchFlags::IN_MOVED_TO),
                event("..time", AddWatchFlags::IN_DELETE),
            ]
        );
    }

    #[test]
    fn readers_never_see_files_of_two_versions() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("v");
        let writer = VolumeWriter::create(directory.clone(), None, false).unwrap();
        let version = |number: u32| {
            let text = format!("{number}\n").repeat(2000);
            [file("a", &text, 0o644), file("b", &text, 0o644)]
        };
        write(&writer, &version(0));
        let inotify = Inotify::init(InitFlags::empty()).unwrap();
        inotify.add_watch(&directory, AddWatchFlags::IN_MOVED_TO).unwrap();
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut reads = 0;
                while !is_done.load(Ordering::Acquire) {
                    inotify.read_events().unwrap();
                    let Ok(data) = fs::read_link(directory.join(DATA_LINK)) else { panic!("no ..data") };
                    // The directory may be replaced meanwhile; a file that is opened is whole.
                    let texts = ["a", "b"].map(|name| fs::read_to_string(directory.join(&data).join(name)));
                    if let [Ok(a), Ok(b)] = texts {
                        assert_eq!(a, b);
                        assert_eq!(a.lines().count(), 2000);
                        reads += 1;
                    }
                    // Through the link there is always a file.
                    let text = fs::read_to_string(directory.join("a")).unwrap();
                    assert!(text.lines().all(|line| Some(line) == text.lines().next()));
                }
                reads
            });
            for number in 1..=1000 {
                assert!(write(&writer, &version(number)));
            }
            is_done.store(true, Ordering::Release);
            write(&writer, &version(1001));
            assert!(reader.join().unwrap() > 0);
        });
    }
}
