//! Records the host files that a build reads, to detect later changes without reading their
//! contents.
//!
//! The state of a file is its metadata, that of a link its target. Paths that do not exist are
//! recorded too, so that a file that appears there later is a change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::digest::{Digest, DigestHasher};
use crate::fs::{self, PathMetadata, Stat, Timestamp};

/// Collects the inputs of a build: the paths read so far and their state.
#[derive(Debug, Default)]
pub struct InputTracker {
    states: BTreeMap<(PathBuf, InputKind), Vec<u8>>,
    stats: Vec<Stat>,
    has_conflict: bool,
}

/// How a path was read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum InputKind {
    /// The path's metadata or link target was read.
    Metadata,
    /// The directory was listed.
    Listing,
}

/// The paths recorded by an [`InputTracker`], and one digest of their states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputFingerprint {
    inputs: Vec<(PathBuf, InputKind)>,
    states_digest: Digest,
}

impl InputTracker {
    /// Records the metadata that was read at `path`; `None` if the path did not exist.
    pub(crate) fn record_metadata(&mut self, path: PathBuf, metadata: &Option<PathMetadata>) {
        if let Some(PathMetadata::File(stat)) = metadata {
            self.stats.push(*stat);
        }
        self.record(path, InputKind::Metadata, encode_metadata(metadata));
    }

    /// Records that the directory at `path` was listed. `stat` is the directory's metadata before
    /// it was listed.
    pub(crate) fn record_listing(&mut self, path: PathBuf, stat: Stat) {
        self.stats.push(stat);
        self.record(path, InputKind::Listing, encode_stat(&stat));
    }

    /// Records the current state of `path`, which the build has just written. Recent timestamps of
    /// `path` do not keep [`InputTracker::finish`] from returning a fingerprint.
    ///
    /// # Errors
    /// Fails if the metadata cannot be read.
    pub fn record_written(&mut self, path: PathBuf) -> fs::Result<()> {
        let state = encode_metadata(&fs::symlink_metadata(&path)?);
        self.record(path, InputKind::Metadata, state);
        Ok(())
    }

    fn record(&mut self, path: PathBuf, kind: InputKind, state: Vec<u8>) {
        let old = self.states.insert((path, kind), state.clone());
        // The path changed between two reads.
        self.has_conflict |= old.is_some_and(|old| old != state);
    }

    /// Returns whether all recorded paths are unchanged.
    pub fn is_current(&self) -> bool {
        let mut states = self.states.iter();
        !self.has_conflict
            && states.all(|((path, kind), state)| kind.read_state(path).as_ref() == Some(state))
    }

    /// Returns the fingerprint of the recorded inputs. `None` if a later change could go unnoticed:
    /// an input changed while it was read, or so shortly before `started` that another change could
    /// have the same timestamp.
    pub fn finish(self, started: Timestamp) -> Option<InputFingerprint> {
        let is_settled = self.stats.iter().all(|stat| stat.detects_changes_after(started));
        let mut hasher = DigestHasher::default();
        self.states.values().for_each(|state| hash_state(&mut hasher, state));
        let inputs = self.states.into_keys().collect();
        (is_settled && !self.has_conflict)
            .then(|| InputFingerprint { inputs, states_digest: hasher.finish() })
    }
}

impl InputFingerprint {
    /// Returns whether all inputs are unchanged.
    pub fn is_current(&self) -> bool {
        let mut hasher = DigestHasher::default();
        for (path, kind) in &self.inputs {
            let Some(state) = kind.read_state(path) else { return false };
            hash_state(&mut hasher, &state);
        }
        hasher.finish() == self.states_digest
    }

    /// Serializes the fingerprint: the hexadecimal digest of the states, then for each path a byte
    /// for its kind, the path and a NUL byte.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.states_digest.hex().into_bytes();
        for (path, kind) in &self.inputs {
            bytes.push(kind.to_byte());
            bytes.extend(fs::path_to_bytes(path));
            bytes.push(0);
        }
        bytes
    }

    /// Parses the output of [`InputFingerprint::to_bytes`]; `None` if it is malformed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (digest, rest) = bytes.split_at_checked(64)?;
        let states_digest = format!("sha256:{}", std::str::from_utf8(digest).ok()?).parse().ok()?;
        let inputs = rest.split_inclusive(|&byte| byte == 0).map(|input| {
            let (kind, path) = input.strip_suffix(&[0])?.split_first()?;
            Some((fs::path_from_bytes(path), InputKind::from_byte(*kind)?))
        });
        Some(Self { inputs: inputs.collect::<Option<_>>()?, states_digest })
    }
}

impl InputKind {
    /// Reads the current state of `path`; `None` if it cannot be read.
    fn read_state(self, path: &Path) -> Option<Vec<u8>> {
        match self {
            Self::Metadata => fs::symlink_metadata(path).ok().as_ref().map(encode_metadata),
            Self::Listing => fs::stat(path).ok().as_ref().map(encode_stat),
        }
    }

    fn to_byte(self) -> u8 {
        match self {
            Self::Metadata => b'?',
            Self::Listing => b'*',
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Metadata, Self::Listing].into_iter().find(|kind| kind.to_byte() == byte)
    }
}

/// Hashes a state with its length, so that concatenated states are unambiguous.
fn hash_state(hasher: &mut DigestHasher, state: &[u8]) {
    hasher.update(&(state.len() as u64).to_le_bytes());
    hasher.update(state);
}

fn encode_metadata(metadata: &Option<PathMetadata>) -> Vec<u8> {
    match metadata {
        None => vec![b'-'],
        Some(PathMetadata::Directory) => vec![b'd'],
        Some(PathMetadata::Special(kind)) => [b"s", kind.as_bytes()].concat(),
        Some(PathMetadata::Link(target)) => [b"l", target.as_slice()].concat(),
        Some(PathMetadata::File(stat)) => [vec![b'f'], encode_stat(stat)].concat(),
    }
}

fn encode_stat(stat: &Stat) -> Vec<u8> {
    let Stat { file_id, size, mode, hard_links, mtime, ctime } = stat;
    let numbers = [file_id.device, file_id.inode, *size, u64::from(*mode), *hard_links];
    let times = [mtime.seconds, mtime.nanoseconds, ctime.seconds, ctime.nanoseconds];
    let bytes = numbers.map(u64::to_le_bytes).into_iter().chain(times.map(i64::to_le_bytes));
    bytes.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time after everything in a test.
    const LATER: Timestamp = Timestamp { seconds: 1 << 40, nanoseconds: 1 };

    fn track_directory(directory: &Path) -> InputTracker {
        let mut tracker = InputTracker::default();
        for name in ["file", "link", "absent", "directory"] {
            let path = directory.join(name);
            let found = fs::symlink_metadata(&path).unwrap();
            tracker.record_metadata(path, &found);
        }
        tracker.record_listing(directory.join("directory"), fs::stat(&directory.join("directory")).unwrap());
        tracker
    }

    #[cfg(unix)]
    #[test]
    fn detects_every_kind_of_change() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 8] = [
            ("nothing", |_| ()),
            ("a file's bytes", |at| std::fs::write(at.join("file"), "two").unwrap()),
            ("another file of this name", |at| {
                std::fs::write(at.join("new"), "one").unwrap();
                std::fs::rename(at.join("new"), at.join("file")).unwrap();
            }),
            ("a file's mode", |at| {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(at.join("file"), std::fs::Permissions::from_mode(0o700)).unwrap();
            }),
            ("a link's target", |at| {
                std::fs::remove_file(at.join("link")).unwrap();
                std::os::unix::fs::symlink("elsewhere", at.join("link")).unwrap();
            }),
            ("a new file where none was", |at| std::fs::write(at.join("absent"), "").unwrap()),
            ("a new name in a directory", |at| std::fs::write(at.join("directory/new"), "").unwrap()),
            ("a removed file", |at| std::fs::remove_file(at.join("file")).unwrap()),
        ];
        for (change_name, change) in changes {
            let directory = tempfile::tempdir().unwrap();
            let at = directory.path();
            std::fs::write(at.join("file"), "one").unwrap();
            std::os::unix::fs::symlink("file", at.join("link")).unwrap();
            std::fs::create_dir(at.join("directory")).unwrap();
            let fingerprint = track_directory(at).finish(LATER).unwrap();
            let fingerprint = InputFingerprint::parse(&fingerprint.to_bytes()).unwrap();
            // Longer than the granularity of file timestamps.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change(at);
            assert_eq!(fingerprint.is_current(), change_name == "nothing", "{change_name}");
        }
    }

    #[test]
    fn rejects_inputs_changed_just_before() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "one").unwrap();
        std::fs::create_dir(directory.path().join("directory")).unwrap();
        let changed = fs::stat(&directory.path().join("directory")).unwrap().ctime;
        for (seconds_later, is_recorded) in [(0, false), (-1, false), (3, true)] {
            let started = Timestamp { seconds: changed.seconds + seconds_later, ..changed };
            let fingerprint = track_directory(directory.path()).finish(started);
            assert_eq!(fingerprint.is_some(), is_recorded, "{seconds_later}");
        }
    }

    #[test]
    fn rejects_inputs_that_change_while_reading() {
        let mut tracker = InputTracker::default();
        tracker.record_metadata("/a".into(), &None);
        tracker.record_metadata("/a".into(), &None);
        assert!(tracker.states.len() == 1 && !tracker.has_conflict);
        tracker.record_metadata("/a".into(), &Some(PathMetadata::Directory));
        assert!(tracker.finish(LATER).is_none());
    }

    #[test]
    fn rejects_malformed_fingerprints() {
        let digits = "ab".repeat(32);
        for text in ["", "ab", &format!("{digits}?/a"), &format!("{digits}x/a\0"), &format!("{digits}\0")] {
            assert!(InputFingerprint::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(InputFingerprint::parse(format!("{digits}?/a\0*/b\0").as_bytes()).is_some());
    }
}
