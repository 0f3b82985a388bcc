//! Records the host files that a build reads, to detect later changes without reading their
//! contents.
//!
//! Files are identified by their metadata, links by their targets. Paths that do not exist are
//! recorded too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::digest::{Digest, Hasher};
use crate::fs::{self, Found, Stat};

/// Collects the inputs of a build: the paths read so far and their state.
#[derive(Debug, Default)]
pub struct Witness {
    answers: BTreeMap<(PathBuf, Question), Vec<u8>>,
    stats: Vec<Stat>,
    contradicted: bool,
}

/// How a path was read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Question {
    /// Its metadata or link target was read.
    Look,
    /// The directory was listed.
    List,
}

/// The paths recorded by a [`Witness`], and one digest of their states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Testimony {
    questions: Vec<(PathBuf, Question)>,
    answers: Digest,
}

impl Witness {
    /// Records what was found at `path`; `None` if the path did not exist.
    pub(crate) fn looked(&mut self, path: PathBuf, found: &Option<Found>) {
        if let Some(Found::File(stat)) = found {
            self.stats.push(*stat);
        }
        self.add(path, Question::Look, looked(found));
    }

    /// Records that the directory at `path` was listed. `stat` is its metadata before.
    pub(crate) fn listed(&mut self, path: PathBuf, stat: Stat) {
        self.stats.push(stat);
        self.add(path, Question::List, stated(&stat));
    }

    /// Records the current state of `path`, which the build has just written. Its recent times are
    /// accepted.
    ///
    /// # Errors
    /// Fails if the metadata cannot be read.
    pub fn wrote(&mut self, path: PathBuf) -> fs::Result<()> {
        let state = looked(&fs::look(&path)?);
        self.add(path, Question::Look, state);
        Ok(())
    }

    fn add(&mut self, path: PathBuf, kind: Question, state: Vec<u8>) {
        let old = self.answers.insert((path, kind), state.clone());
        // The path changed between two reads.
        self.contradicted |= old.is_some_and(|old| old != state);
    }

    /// Whether all recorded paths are unchanged.
    pub fn holds(&self) -> bool {
        let mut answers = self.answers.iter();
        !self.contradicted && answers.all(|((path, kind), state)| kind.ask(path).as_ref() == Some(state))
    }

    /// Returns the fingerprint of the recorded inputs. `None` if a later change could go unnoticed:
    /// an input changed while it was read, or so shortly before `began` (seconds, nanoseconds) that
    /// another change could have the same timestamp.
    pub fn testify(self, began: (i64, i64)) -> Option<Testimony> {
        let is_settled = self.stats.iter().all(|stat| stat.is_settled_by(began));
        let mut hasher = Hasher::default();
        self.answers.values().for_each(|state| take(&mut hasher, state));
        let questions = self.answers.into_keys().collect();
        (is_settled && !self.contradicted).then(|| Testimony { questions, answers: hasher.finish() })
    }
}

impl Testimony {
    /// Whether all inputs are unchanged.
    pub fn holds(&self) -> bool {
        let mut hasher = Hasher::default();
        for (path, kind) in &self.questions {
            let Some(state) = kind.ask(path) else { return false };
            take(&mut hasher, &state);
        }
        hasher.finish() == self.answers
    }

    /// Serializes the fingerprint: the digest of the states, then for each path a letter, the path
    /// and a NUL byte.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.answers.hex().into_bytes();
        for (path, kind) in &self.questions {
            bytes.push(kind.letter());
            bytes.extend(fs::bytes_of(path));
            bytes.push(0);
        }
        bytes
    }

    /// Parses the output of [`Testimony::to_bytes`]; `None` if it is malformed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (digest, rest) = bytes.split_at_checked(64)?;
        let answers = format!("sha256:{}", std::str::from_utf8(digest).ok()?).parse().ok()?;
        let questions = rest.split_inclusive(|&byte| byte == 0).map(|input| {
            let (letter, path) = input.strip_suffix(&[0])?.split_first()?;
            Some((fs::path_of(path), Question::of(*letter)?))
        });
        Some(Self { questions: questions.collect::<Option<_>>()?, answers })
    }
}

impl Question {
    /// Reads the current state of `path`; `None` if it cannot be read.
    fn ask(self, path: &Path) -> Option<Vec<u8>> {
        match self {
            Self::Look => fs::look(path).ok().as_ref().map(looked),
            Self::List => fs::stat(path).ok().as_ref().map(stated),
        }
    }

    fn letter(self) -> u8 {
        match self {
            Self::Look => b'?',
            Self::List => b'*',
        }
    }

    fn of(letter: u8) -> Option<Self> {
        [Self::Look, Self::List].into_iter().find(|kind| kind.letter() == letter)
    }
}

/// Hashes a state with its length, so that concatenated states are unambiguous.
fn take(hasher: &mut Hasher, state: &[u8]) {
    hasher.update(&(state.len() as u64).to_le_bytes());
    hasher.update(state);
}

fn looked(found: &Option<Found>) -> Vec<u8> {
    match found {
        None => vec![b'-'],
        Some(Found::Directory) => vec![b'd'],
        Some(Found::Special(kind)) => [b"s", kind.as_bytes()].concat(),
        Some(Found::Link(target)) => [b"l", target.as_slice()].concat(),
        Some(Found::File(stat)) => [vec![b'f'], stated(stat)].concat(),
    }
}

fn stated(stat: &Stat) -> Vec<u8> {
    let Stat { identity, size, mode, links, times } = stat;
    let numbers = [identity.device, identity.inode, *size, u64::from(*mode), *links];
    let times = times.iter().flat_map(|&(seconds, nanoseconds)| [seconds, nanoseconds]);
    let bytes = numbers.map(u64::to_le_bytes).into_iter().chain(times.map(i64::to_le_bytes));
    bytes.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time after everything in a test.
    const LATER: (i64, i64) = (1 << 40, 1);

    fn witness(directory: &Path) -> Witness {
        let mut witness = Witness::default();
        for name in ["file", "link", "absent", "directory"] {
            let path = directory.join(name);
            let found = fs::look(&path).unwrap();
            witness.looked(path, &found);
        }
        witness.listed(directory.join("directory"), fs::stat(&directory.join("directory")).unwrap());
        witness
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
            ("what was not there", |at| std::fs::write(at.join("absent"), "").unwrap()),
            ("a name in a directory", |at| std::fs::write(at.join("directory/new"), "").unwrap()),
            ("what stood there", |at| std::fs::remove_file(at.join("file")).unwrap()),
        ];
        for (what, change) in changes {
            let directory = tempfile::tempdir().unwrap();
            let at = directory.path();
            std::fs::write(at.join("file"), "one").unwrap();
            std::os::unix::fs::symlink("file", at.join("link")).unwrap();
            std::fs::create_dir(at.join("directory")).unwrap();
            let testimony = witness(at).testify(LATER).unwrap();
            let testimony = Testimony::parse(&testimony.to_bytes()).unwrap();
            // Longer than the granularity of file timestamps.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change(at);
            assert_eq!(testimony.holds(), what == "nothing", "{what}");
        }
    }

    #[test]
    fn rejects_inputs_changed_just_before() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "one").unwrap();
        std::fs::create_dir(directory.path().join("directory")).unwrap();
        let [_, (seconds, nanoseconds)] = fs::stat(&directory.path().join("directory")).unwrap().times;
        assert!(witness(directory.path()).testify((seconds, nanoseconds)).is_none());
        assert!(witness(directory.path()).testify((seconds - 1, nanoseconds)).is_none());
        assert!(witness(directory.path()).testify((seconds + 3, nanoseconds)).is_some());
    }

    #[test]
    fn rejects_inputs_that_change_while_reading() {
        let mut witness = Witness::default();
        witness.looked("/a".into(), &None);
        witness.looked("/a".into(), &None);
        assert!(witness.answers.len() == 1 && !witness.contradicted);
        witness.looked("/a".into(), &Some(Found::Directory));
        assert!(witness.testify(LATER).is_none());
    }

    #[test]
    fn rejects_malformed_fingerprints() {
        let digits = "ab".repeat(32);
        for text in ["", "ab", &format!("{digits}?/a"), &format!("{digits}x/a\0"), &format!("{digits}\0")] {
            assert!(Testimony::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Testimony::parse(format!("{digits}?/a\0*/b\0").as_bytes()).is_some());
    }
}
