//! One builder for every test that runs the binary: what it prints on stdout, what it says on stderr and how it ends
//! are always asserted together, and that a run which failed left nothing behind.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(dead_code, reason = "no test target needs all of it")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use snapbox::{Assert, Redactions, data::Inline};
use tempfile::TempDir;

/// A run of `coracle` in an empty environment.
#[must_use = "nothing runs before `ends`"]
pub(crate) struct Coracle {
    folder: PathBuf,
    /// Removes the folder when it was made for this run alone.
    _temporary: Option<TempDir>,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(&'static str, String)>,
    stdout: Stdio,
    /// What another program writes into the folder, even when the run fails.
    others: fn(&Path) -> bool,
}

/// `coracle` with these arguments in an empty directory of its own.
pub(crate) fn coracle<const N: usize>(args: [&str; N]) -> Coracle {
    let folder = TempDir::new().unwrap();
    Coracle { _temporary: Some(folder), ..coracle_in(Path::new(""), args) }.settled()
}

/// `coracle` with these arguments in the directory `folder`.
pub(crate) fn coracle_in<const N: usize>(folder: &Path, args: [&str; N]) -> Coracle {
    Coracle {
        folder: folder.to_owned(),
        _temporary: None,
        program: env!("CARGO_BIN_EXE_coracle").into(),
        args: args.map(OsString::from).into(),
        env: Vec::new(),
        stdout: Stdio::piped(),
        others: |_| false,
    }
}

impl Coracle {
    fn settled(mut self) -> Self {
        self.folder = self._temporary.as_ref().map_or(self.folder, |folder| folder.path().to_owned());
        self
    }

    /// The same with more arguments.
    pub(crate) fn more_args<const N: usize>(mut self, args: [&str; N]) -> Self {
        self.more(args);
        self
    }

    /// Adds arguments.
    pub(crate) fn more<const N: usize>(&mut self, args: [&str; N]) {
        self.args.extend(args.map(OsString::from));
    }

    /// Runs it through another program, which writes things of its own.
    pub(crate) fn through(self, program: impl Into<PathBuf>, others: fn(&Path) -> bool) -> Self {
        Self { program: program.into(), others, ..self }
    }

    /// Puts a file into the working directory.
    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Lets it write its output here, where no test sees it.
    pub(crate) fn writing_to(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = stdout.into();
        self
    }

    /// The process, not started; for those that are killed.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.folder).env_clear();
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it. `[FOLDER]` stands for the working directory, `[..]` for the rest of a line, `...` for any lines,
    /// `ESC` for the escape character.
    /// `SNAPSHOTS=overwrite` writes what was seen into the test.
    #[track_caller]
    pub(crate) fn ends(self, status: i32, stdout: Inline, stderr: Inline) {
        let own = || {
            let mut found = listing(&self.folder);
            found.retain(|path, _| !(self.others)(path));
            found
        };
        let before = (status != 0).then(own);
        let mut command = self.command();
        let output = command
            .stdin(Stdio::null())
            .stdout(self.stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        let mut names = Redactions::new();
        names.insert("[FOLDER]", self.folder.clone()).unwrap();
        names.insert("[VERSION]", env!("CARGO_PKG_VERSION")).unwrap();
        let assert = Assert::new().action_env("SNAPSHOTS").normalize_paths(false).redact_with(names);
        let text = |bytes| String::from_utf8(bytes).unwrap().replace('\x1b', "ESC");
        assert.eq(text(output.stderr), stderr);
        assert.eq(text(output.stdout), stdout);
        assert_eq!(output.status.code(), Some(status), "exit code");
        if let Some(before) = before {
            assert_eq!(own(), before, "a failed run left something behind");
        }
    }
}

/// Everything below `folder`: the names with their sizes and times, links not followed.
pub(crate) fn listing(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            let (kind, size) = (metadata.file_type(), metadata.len());
            if kind.is_dir() {
                pending.push(path.clone());
            }
            // A directory is touched by what comes and goes in it.
            let what = if kind.is_dir() {
                "directory".to_owned()
            } else {
                format!("{size} bytes, {:?}", metadata.modified().unwrap())
            };
            found.insert(path.strip_prefix(folder).unwrap().to_owned(), what);
        }
    }
    found
}

/// A static program for the machine with this number in ELF headers (62 is x86-64, 183 is aarch64), which does nothing.
pub(crate) fn static_program(machine: u8) -> Vec<u8> {
    let mut bytes = vec![0; 120];
    bytes[..20]
        .copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, machine, 0]);
    bytes[20] = 1;
    bytes[24] = 64;
    // Where its program headers are, how large they and the header are, and that there is one: PT_LOAD of everything.
    bytes[32] = 64;
    bytes[52] = 64;
    bytes[54] = 56;
    bytes[56] = 1;
    bytes[64] = 1;
    bytes[68] = 5;
    bytes[96] = 120;
    bytes[104] = 120;
    bytes
}

/// Says on stderr that a test can't run here; where `CORACLE_TESTS=all` is set, as in CI, it fails instead.
#[track_caller]
#[allow(clippy::disallowed_methods, clippy::print_stderr, reason = "how a test says what it needs")]
pub(crate) fn skipped(why: &str) {
    assert!(std::env::var("CORACLE_TESTS").as_deref() != Ok("all"), "CORACLE_TESTS=all, but {why}");
    eprintln!("SKIPPED: {why}");
}
