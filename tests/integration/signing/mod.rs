//! Signatures, verification, provenance and locks: with a fake registry that has the referrers API or
//! lacks it, with layouts, and with the programs of others that make and check the same signatures.

mod admission;
mod keys;
mod lock;
mod other_tools;
mod provenance;
mod rebuild;
mod sign;
mod verify;

use std::fs;
use std::path::Path;

use coracle_testing::coracle_in;
use tempfile::TempDir;

/// Runs `coracle` in a directory, without a passphrase in the environment.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    run_with(folder, args, &[])
}

fn run_with(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = coracle_in(folder, []).command();
    command.env_remove("COSIGN_PASSWORD").env_remove("CORACLE_KEY_PASSWORD").args(args);
    let output = command.envs(env.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A directory with a program, and the keys `one` and `two`.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::copy("/usr/bin/env", folder.path().join("app")).unwrap();
    for name in ["one", "two"] {
        let (code, _, said) = run(folder.path(), &["key", "generate", "--unencrypted", "-o", name]);
        assert_eq!(code, Some(0), "{said}");
    }
    folder
}

/// Succeeds, and returns stdout.
#[track_caller]
fn succeed(folder: &Path, args: &[&str]) -> String {
    let (code, stdout, said) = run(folder, args);
    assert_eq!(code, Some(0), "{args:?}: {said}");
    stdout
}

/// Fails with this exit code, and returns stderr.
#[track_caller]
fn fail(folder: &Path, code: i32, args: &[&str]) -> String {
    let (found, stdout, said) = run(folder, args);
    assert_eq!(found, Some(code), "{args:?}: {stdout}{said}");
    said
}
