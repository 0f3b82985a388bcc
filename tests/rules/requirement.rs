//! What a test needs and a machine may lack: this is said once, and the test passes; where everything must be there it
//! fails.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

/// Whether `thing` is there; `package` has it on Debian.
pub(crate) fn is_met(thing: &str, there: bool, package: &str) -> bool {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if there {
        return true;
    }
    let everything = variable("CORACLE_TESTS").is_some_and(|tests| tests == "all");
    assert!(!everything, "CORACLE_TESTS=all, but there is no {thing} (on Debian: {package})");
    if SAID.lock().unwrap().insert(thing.to_owned()) {
        // Past the test harness, which would keep it to itself.
        let text = format!("SKIPPED rules of loaders: there is no {thing} (on Debian: {package})\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    false
}

/// A program, also where only root looks for it.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let mut path = variable("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// What a test is asked for.
#[expect(clippy::disallowed_methods, reason = "tests are asked for by the environment")]
pub(crate) fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
