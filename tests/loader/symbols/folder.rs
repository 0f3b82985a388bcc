//! A temporary folder in which a test builds programs and libraries.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use coracle_ld::closure::Problem;
use coracle_testing::skipped;

use crate::symbols::messages::{has_errors, loader_messages, our_messages, problems};

/// A temporary folder with sources and compiled files.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    /// Runs a compiler. Returns false if it is not installed.
    pub(crate) fn run(&self, command: &str) -> bool {
        let mut words = command.split_whitespace();
        let program = words.next().unwrap();
        let output = Command::new(program).args(words).current_dir(self.0.path()).output();
        let Ok(output) = output else {
            skipped(&format!("`{program}` is not installed"));
            return false;
        };
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        true
    }

    /// Builds a shared library `NAME.so` from the source, with the version script if it is not empty.
    pub(crate) fn library(&self, name: &str, source: &str, script: &str, flags: &str) {
        self.write(&format!("{name}.c"), source).write(&format!("{name}.map"), script);
        let script =
            if script.is_empty() { String::new() } else { format!("-Wl,--version-script={name}.map") };
        self.run(&format!("cc -shared -fPIC -Wl,-soname,{name}.so {script} {flags} {name}.c -o {name}.so"));
    }

    /// Builds a program `main`.
    pub(crate) fn program(&self, source: &str, flags: &str) {
        self.write("main.c", source);
        self.run(&format!("cc main.c -Wl,--no-as-needed -L. {flags} -Wl,-rpath,$ORIGIN -o main"));
    }

    /// Asserts that our problems and the loader's messages are `expected`, and that there is an error
    /// exactly if the program does not start.
    #[track_caller]
    pub(crate) fn assert_problems(&self, expected: &[&str], starts: bool) -> Vec<Problem> {
        let main = self.path("main");
        let (interpreter, problems) = problems(&main).unwrap();
        let messages: Vec<&String> = problems.iter().map(|problem| &problem.message).collect();
        let expected: BTreeSet<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(our_messages(&problems), expected, "{messages:#?}");
        assert_eq!(loader_messages(&interpreter, &main), expected, "what the loader assert_problems");
        let output = Command::new(&main).env_clear().output().unwrap();
        assert_eq!(output.status.success(), starts, "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(has_errors(&problems), !starts, "{messages:#?}");
        problems
    }
}

pub(crate) const DEFINES_A_AND_B: &str = "int a(void) { return 1; } int b(void) { return 2; }";

pub(crate) const DEFINES_A: &str = "int a(void) { return 1; }";

pub(crate) const CALLS_A_AND_B: &str =
    "int a(void); int b(void); int main(int argc, char **argv) { return argc > 1 ? a() + b() : 0; }";

pub(crate) const V1: &str = "V1 { global: a; b; local: *; };";

pub(crate) const V1_V2: &str = "V1 { global: a; local: *; }; V2 { global: b; } V1;";
