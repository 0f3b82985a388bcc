//! A directory with programs, libraries and whatever else somebody builds an image of.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use coracle_testing::{Coracle, coracle_in, write_executable};
use tempfile::TempDir;

use crate::build::layout::Layout;

/// Prints a line, its arguments and the variable GREETING.
pub(crate) const HELLO: &str = r#"
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **values) {
    printf("hello");
    for (int i = 1; i < count; i++) printf(" %s", values[i]);
    printf("%s\n", getenv("GREETING") ? getenv("GREETING") : "");
    return 0;
}
"#;

/// A directory of its own, removed at the end.
pub(crate) struct Project(TempDir);

impl Project {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A project with `hello`, as [`HELLO`] with these flags of cc.
    pub(crate) fn hello(flags: &[&str]) -> Self {
        let project = Self::new();
        project.program("hello", HELLO, flags);
        project
    }

    /// The path of something in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A file with its directories.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// A file that can be executed.
    pub(crate) fn script(&self, name: &str, content: &str) -> &Self {
        write_executable(&self.path(name), content);
        self
    }

    /// A symbolic link with its directories.
    pub(crate) fn link(&self, name: &str, target: impl AsRef<Path>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    /// A program without symbols, so that nothing is said about `--strip`.
    pub(crate) fn program(&self, name: &str, source: &str, flags: &[&str]) -> &Self {
        self.compile("cc", name, source, &[&["-s", "-O1"], flags].concat())
    }

    /// A shared library that defines the function `answer_NAME` and may call others: `int answer_a(void)`.
    pub(crate) fn library(&self, path: &str, symbol: &str, value: &str, flags: &[&str]) -> &Self {
        let calls: String = value
            .split_whitespace()
            .filter(|word| word.ends_with("()"))
            .fold(String::new(), |text, call| format!("{text}int {}(void);\n", call.trim_end_matches("()")));
        let source = format!("{calls}int {symbol}(void) {{ return {value}; }}\n");
        self.compile("cc", path, &source, &[&["-s", "-shared", "-fPIC"], flags].concat())
    }

    /// Runs a compiler in the project.
    pub(crate) fn compile(&self, compiler: &str, name: &str, source: &str, flags: &[&str]) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = tempfile::Builder::new().suffix(".c").tempfile().unwrap();
        fs::write(text.path(), source).unwrap();
        let done = Command::new(compiler)
            .arg("-o")
            .arg(&path)
            .arg(text.path())
            .args(flags)
            .current_dir(self.folder())
            .status()
            .unwrap();
        assert!(done.success(), "{compiler} {flags:?}");
        self
    }

    /// `coracle` with these arguments, started here.
    pub(crate) fn coracle<const N: usize>(&self, args: [&str; N]) -> Coracle {
        coracle_in(self.folder(), args)
    }

    /// Builds what is only the way to something else; its layout.
    #[track_caller]
    pub(crate) fn built(&self, args: &[&str], layout: &str) -> Layout {
        let output = self.coracle(["build", "--quiet"]).command().args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        self.layout(layout)
    }

    /// The sound layout `name`.
    #[track_caller]
    pub(crate) fn layout(&self, name: &str) -> Layout {
        Layout::open(self.path(name))
    }

    /// The output of `name` on this machine.
    pub(crate) fn run(&self, name: &str, args: &[&str]) -> String {
        let output = Command::new(self.path(name)).args(args).env_clear().output().unwrap();
        assert!(output.status.success(), "{name}");
        String::from_utf8(output.stdout).unwrap()
    }
}
