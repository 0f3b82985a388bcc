//! Programs and rights that a test needs and a machine may lack. A test that lacks one says so on
//! stderr and passes; with `CORACLE_TESTS=all`, as CI sets it, it fails.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// A program, and the Debian package that contains it.
#[derive(Clone, Copy)]
pub struct Program(pub &'static str, pub &'static str);

/// Programs that compile and query the subjects of all tests with sandboxes.
const ALWAYS: &[Program] = &[Program("gcc", "gcc libc6-dev"), Program("curl", "curl")];

/// Returns whether `programs` are installed and sandboxes can be made, or skips the test.
pub fn programs_installed(test: &str, programs: &[Program]) -> bool {
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
    assert!(!is_everything_required(), "CORACLE_TESTS=all, but {missing}");
    write_past_capture(&format!("SKIPPED {test}: {missing}\n"));
    false
}

/// Returns `is_there`, and skips the test if it is false. `package` contains `thing` on Debian.
pub fn is_available(thing: &str, is_there: bool, package: &str) -> bool {
    static REPORTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if is_there {
        return true;
    }
    assert!(!is_everything_required(), "CORACLE_TESTS=all, but {thing} is missing (on Debian: {package})");
    if REPORTED.lock().unwrap().insert(thing.to_owned()) {
        write_past_capture(&format!("SKIPPED rules of loaders: {thing} is missing (on Debian: {package})\n"));
    }
    false
}

/// Reports that a test can't run here.
#[track_caller]
pub fn skipped(why: &str) {
    assert!(!is_everything_required(), "CORACLE_TESTS=all, but {why}");
    eprintln!("SKIPPED: {why}");
}

fn is_everything_required() -> bool {
    variable("CORACLE_TESTS").is_some_and(|tests| tests == "all")
}

/// Writes to stderr, which the test harness would capture from `eprintln!`.
fn write_past_capture(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// `PATH` with the directories of daemons, which that of an ordinary user may lack.
pub fn search_path() -> OsString {
    let mut path = variable("PATH").unwrap_or_default();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    path
}

/// The path of a program in [`search_path`].
pub fn find(program: &str) -> Option<PathBuf> {
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

/// A variable of the test's environment.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
