//! Tests that need a process of their own.

use std::process::Command;

/// Runs `test` in a new process, where no other test runs. `name` is the test's full name, as
/// `--list` shows it.
pub fn in_own_process(name: &str, test: impl FnOnce()) {
    const VARIABLE: &str = "CORACLE_TEST_IN_OWN_PROCESS";
    if std::env::var_os(VARIABLE).is_some() {
        return test();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([name, "--exact", "--nocapture"]).env(VARIABLE, "1").output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}{stderr}");
}
