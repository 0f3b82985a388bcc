//! The builder for tests that run the binary. Stdout, stderr and the exit code are always asserted
//! together, and that a failed run left no file behind.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use snapbox::{Assert, Redactions, data::Inline};
use tempfile::TempDir;

/// A run of `coracle` in an empty environment.
#[must_use = "nothing runs before `ends`"]
pub struct Coracle {
    folder: PathBuf,
    /// Removes the folder when it was made for this run alone.
    _temporary: Option<TempDir>,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(&'static str, String)>,
    stdout: Stdio,
    /// Whether another program writes this file into the folder, even if the run fails.
    others: fn(&Path) -> bool,
}

/// `coracle` with these arguments in an empty directory of its own.
pub fn coracle<const N: usize>(args: [&str; N]) -> Coracle {
    let folder = TempDir::new().unwrap();
    Coracle { _temporary: Some(folder), ..coracle_in(Path::new(""), args) }.settled()
}

/// `coracle` with these arguments in the directory `folder`.
pub fn coracle_in<const N: usize>(folder: &Path, args: [&str; N]) -> Coracle {
    Coracle {
        folder: folder.to_owned(),
        _temporary: None,
        program: crate::program("coracle"),
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
    pub fn more_args<const N: usize>(mut self, args: [&str; N]) -> Self {
        self.more(args);
        self
    }

    /// Adds arguments.
    pub fn more<const N: usize>(&mut self, args: [&str; N]) {
        self.args.extend(args.map(OsString::from));
    }

    /// Runs `program` in its place, which may write files for which `others` returns true.
    pub fn through(self, program: impl Into<PathBuf>, others: fn(&Path) -> bool) -> Self {
        Self { program: program.into(), others, ..self }
    }

    /// Puts a file into the working directory.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Writes stdout to another file, which is not asserted.
    pub fn writing_to(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = stdout.into();
        self
    }

    /// The command, not started, for tests that kill it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.folder).env_clear();
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it and asserts exit code, stdout and stderr. In the expected text, `[FOLDER]` is the
    /// working directory, `[..]` the rest of a line, `...` any lines, and `ESC` the escape
    /// character. With `SNAPSHOTS=overwrite`, the actual output replaces the expected text.
    #[track_caller]
    pub fn ends(self, status: i32, stdout: Inline, stderr: Inline) {
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

/// Returns all paths below `folder` with their sizes and times. Links are not followed.
pub fn listing(folder: &Path) -> BTreeMap<PathBuf, String> {
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
            // The time of a directory changes with its entries.
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
