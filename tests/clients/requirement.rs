//! What a test needs and a machine may lack: the test says so and passes, or, where everything must be there, fails.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

/// A program, and the Debian package that has it.
#[derive(Clone, Copy)]
pub(crate) struct Program(pub(crate) &'static str, pub(crate) &'static str);

/// What every test here needs, for its subjects and its place.
const ALWAYS: &[Program] = &[Program("gcc", "gcc libc6-dev"), Program("curl", "curl")];

/// Whether everything is there that a test needs. If not: with `CORACLE_TESTS=all` the test fails, else this is said
/// on stderr (past the test harness, which would keep it to itself) and the test is to be left.
pub(crate) fn met(test: &str, programs: &[Program]) -> bool {
    let absent = ALWAYS.iter().chain(programs).filter(|program| find(program.0).is_none());
    let mut missing: Vec<String> = absent
        .map(|Program(name, package)| {
            format!("{name} is not installed (on Debian: apt-get install --no-install-recommends {package})")
        })
        .collect();
    if let Err(why) = namespaces() {
        missing.push(format!("it needs root, for namespaces of its own ({why})"));
    }
    if missing.is_empty() {
        return true;
    }
    let missing = missing.join("; ");
    assert!(variable("CORACLE_TESTS") != "all", "CORACLE_TESTS=all, but {missing}");
    std::io::stderr().write_all(format!("SKIPPED {test}: {missing}\n").as_bytes()).unwrap();
    false
}

/// `PATH` as root has it: that of an ordinary user may lack the directories of daemons.
pub(crate) fn search_path() -> OsString {
    let mut path = variable("PATH");
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    path
}

fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&search_path()).map(|directory| directory.join(program)).find(|path| path.is_file())
}

fn namespaces() -> Result<(), String> {
    let output = Command::new("unshare").args(["--mount", "--pid", "--fork", "true"]).output();
    let output = output.map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are asked for by the environment")]
fn variable(name: &str) -> OsString {
    std::env::var_os(name).unwrap_or_default()
}
