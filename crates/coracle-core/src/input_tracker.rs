//! Everything that was looked at on the host, and what it was: whether it is still the same is told without reading
//! a byte of it.
//!
//! Files are known by their stat data, links by their targets, and what was looked for in vain by not being there. It
//! does not know why anybody looked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::digest::{Digest, Hasher};
use crate::fs::{self, Found, Stat};

/// What was looked at so far.
#[derive(Debug, Default)]
pub struct Witness {
    answers: BTreeMap<(PathBuf, Question), Vec<u8>>,
    stats: Vec<Stat>,
    contradicted: bool,
}

/// What can be asked of a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Question {
    /// What stands there?
    Look,
    /// Which names are in the directory?
    List,
}

/// The questions of a [`Witness`], and one digest of all the answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Testimony {
    questions: Vec<(PathBuf, Question)>,
    answers: Digest,
}

impl Witness {
    /// At `path` stood this; nothing when nothing did.
    pub(crate) fn looked(&mut self, path: PathBuf, found: &Option<Found>) {
        if let Some(Found::File(stat)) = found {
            self.stats.push(*stat);
        }
        self.add(path, Question::Look, looked(found));
    }

    /// The directory at `path` was listed, and this is what it was before.
    pub(crate) fn listed(&mut self, path: PathBuf, stat: Stat) {
        self.stats.push(stat);
        self.add(path, Question::List, stated(&stat));
    }

    /// Looks at `path` now; it was written just before, so its times are no reason for doubt.
    ///
    /// # Errors
    /// When the host refuses to look.
    pub fn wrote(&mut self, path: PathBuf) -> fs::Result<()> {
        let answer = looked(&fs::look(&path)?);
        self.add(path, Question::Look, answer);
        Ok(())
    }

    fn add(&mut self, path: PathBuf, question: Question, answer: Vec<u8>) {
        let old = self.answers.insert((path, question), answer.clone());
        // Two looks, two answers: it changed in between.
        self.contradicted |= old.is_some_and(|old| old != answer);
    }

    /// Whether all of it is as it was.
    pub fn holds(&self) -> bool {
        let mut answers = self.answers.iter();
        !self.contradicted
            && answers.all(|((path, question), answer)| question.ask(path).as_ref() == Some(answer))
    }

    /// What can be asked again later; nothing when a later change might not show, because something changed while it was
    /// looked at, or so shortly before `began` that another change in the same tick of the clock would look alike.
    pub fn testify(self, began: (i64, i64)) -> Option<Testimony> {
        let is_settled = self.stats.iter().all(|stat| stat.is_settled_by(began));
        let mut hasher = Hasher::default();
        self.answers.values().for_each(|answer| take(&mut hasher, answer));
        let questions = self.answers.into_keys().collect();
        (is_settled && !self.contradicted).then(|| Testimony { questions, answers: hasher.finish() })
    }
}

impl Testimony {
    /// Whether every question has the same answer today.
    pub fn holds(&self) -> bool {
        let mut hasher = Hasher::default();
        for (path, question) in &self.questions {
            let Some(answer) = question.ask(path) else { return false };
            take(&mut hasher, &answer);
        }
        hasher.finish() == self.answers
    }

    /// The digest of the answers, then each question: a letter, the path, a NUL byte.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.answers.hex().into_bytes();
        for (path, question) in &self.questions {
            bytes.push(question.letter());
            bytes.extend(fs::bytes_of(path));
            bytes.push(0);
        }
        bytes
    }

    /// What [`Testimony::to_bytes`] has written; nothing for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (digest, rest) = bytes.split_at_checked(64)?;
        let answers = format!("sha256:{}", std::str::from_utf8(digest).ok()?).parse().ok()?;
        let questions = rest.split_inclusive(|&byte| byte == 0).map(|question| {
            let (letter, path) = question.strip_suffix(&[0])?.split_first()?;
            Some((fs::path_of(path), Question::of(*letter)?))
        });
        Some(Self { questions: questions.collect::<Option<_>>()?, answers })
    }
}

impl Question {
    /// The answer of the host; nothing when it gives none.
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
        [Self::Look, Self::List].into_iter().find(|question| question.letter() == letter)
    }
}

/// Answers one after the other must not read like others.
fn take(hasher: &mut Hasher, answer: &[u8]) {
    hasher.update(&(answer.len() as u64).to_le_bytes());
    hasher.update(answer);
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

    /// Long after everything in a test.
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
    fn a_change_of_any_kind_shows() {
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
            // More than one tick of the clock of files.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change(at);
            assert_eq!(testimony.holds(), what == "nothing", "{what}");
        }
    }

    #[test]
    fn what_changed_just_before_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "one").unwrap();
        std::fs::create_dir(directory.path().join("directory")).unwrap();
        let [_, (seconds, nanoseconds)] = fs::stat(&directory.path().join("directory")).unwrap().times;
        assert!(witness(directory.path()).testify((seconds, nanoseconds)).is_none());
        assert!(witness(directory.path()).testify((seconds - 1, nanoseconds)).is_none());
        assert!(witness(directory.path()).testify((seconds + 3, nanoseconds)).is_some());
    }

    #[test]
    fn two_answers_to_one_question_testify_to_nothing() {
        let mut witness = Witness::default();
        witness.looked("/a".into(), &None);
        witness.looked("/a".into(), &None);
        assert!(witness.answers.len() == 1 && !witness.contradicted);
        witness.looked("/a".into(), &Some(Found::Directory));
        assert!(witness.testify(LATER).is_none());
    }

    #[test]
    fn what_is_no_testimony() {
        let digits = "ab".repeat(32);
        for text in ["", "ab", &format!("{digits}?/a"), &format!("{digits}x/a\0"), &format!("{digits}\0")] {
            assert!(Testimony::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Testimony::parse(format!("{digits}?/a\0*/b\0").as_bytes()).is_some());
    }
}
