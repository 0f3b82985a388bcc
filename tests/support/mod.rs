//! One builder for every test that runs the binary: what it prints on stdout, what it says on stderr and how it ends
//! are always asserted together.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::ffi::OsString;
use std::process::{Command, Stdio};

use snapbox::{Assert, Redactions, data::Inline};
use tempfile::TempDir;

/// A run of `coracle` in an empty directory and an empty environment.
#[must_use = "nothing runs before `ends`"]
pub(crate) struct Coracle {
    folder: TempDir,
    args: Vec<OsString>,
    env: Vec<(&'static str, String)>,
    stdout: Stdio,
}

/// `coracle` with these arguments.
pub(crate) fn coracle<const N: usize>(args: [&str; N]) -> Coracle {
    Coracle {
        folder: TempDir::new().unwrap(),
        args: args.map(OsString::from).into(),
        env: Vec::new(),
        stdout: Stdio::piped(),
    }
}

impl Coracle {
    /// Puts a file into the working directory.
    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(path);
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

    /// Runs it. `[FOLDER]` stands for the working directory, `[..]` for the rest of a line, `...` for any lines,
    /// `ESC` for the escape character.
    /// `SNAPSHOTS=overwrite` writes what was seen into the test.
    #[track_caller]
    pub(crate) fn ends(self, status: i32, stdout: Inline, stderr: Inline) {
        let output = Command::new(env!("CARGO_BIN_EXE_coracle"))
            .args(&self.args)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdout(self.stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        let mut names = Redactions::new();
        names.insert("[FOLDER]", self.folder.path().to_path_buf()).unwrap();
        names.insert("[VERSION]", env!("CARGO_PKG_VERSION")).unwrap();
        let assert = Assert::new().action_env("SNAPSHOTS").normalize_paths(false).redact_with(names);
        let text = |bytes| String::from_utf8(bytes).unwrap().replace('\x1b', "ESC");
        assert.eq(text(output.stderr), stderr);
        assert.eq(text(output.stdout), stdout);
        assert_eq!(output.status.code(), Some(status), "exit code");
        assert!(!self.folder.path().join("app.oci").exists() || status == 0, "a failed run wrote an image");
    }
}
