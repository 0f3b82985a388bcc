//! Programs and libraries that are built for one test.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use coracle_ld::closure::Problem;
use coracle_testing::skipped;

use crate::symbols::messages::{loaders, ours, problems, stops};

/// A folder with sources, in which things are built.
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

    /// Runs a compiler; nothing is built when there is none.
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

    /// A shared library `NAME.so` of this source and, where there is one, version script.
    pub(crate) fn library(&self, name: &str, source: &str, script: &str, flags: &str) {
        self.write(&format!("{name}.c"), source).write(&format!("{name}.map"), script);
        let script =
            if script.is_empty() { String::new() } else { format!("-Wl,--version-script={name}.map") };
        self.run(&format!("cc -shared -fPIC -Wl,-soname,{name}.so {script} {flags} {name}.c -o {name}.so"));
    }

    /// A program `main` that calls `a` and `b` (and uses `data`) only when it has an argument.
    pub(crate) fn program(&self, source: &str, flags: &str) {
        self.write("main.c", source);
        self.run(&format!("cc main.c -Wl,--no-as-needed -L. {flags} -Wl,-rpath,$ORIGIN -o main"));
    }

    /// Our problems, which must be the loader's, and stop the program where it does.
    #[track_caller]
    pub(crate) fn says(&self, expected: &[&str], starts: bool) -> Vec<Problem> {
        let main = self.path("main");
        let (interpreter, problems) = problems(&main).unwrap();
        let messages: Vec<&String> = problems.iter().map(|problem| &problem.message).collect();
        let expected: BTreeSet<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(ours(&problems), expected, "{messages:#?}");
        assert_eq!(loaders(&interpreter, &main), expected, "what the loader says");
        let output = Command::new(&main).env_clear().output().unwrap();
        assert_eq!(output.status.success(), starts, "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(stops(&problems), !starts, "{messages:#?}");
        problems
    }
}

pub(crate) const BOTH: &str = "int a(void) { return 1; } int b(void) { return 2; }";

pub(crate) const ONE: &str = "int a(void) { return 1; }";

pub(crate) const CALLS: &str =
    "int a(void); int b(void); int main(int argc, char **argv) { return argc > 1 ? a() + b() : 0; }";

pub(crate) const V1: &str = "V1 { global: a; b; local: *; };";

pub(crate) const V1_V2: &str = "V1 { global: a; local: *; }; V2 { global: b; } V1;";
