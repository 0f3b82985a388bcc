//! Durability after a crash of the machine: the order of the system calls that write a layout.

use std::collections::BTreeSet;
use std::process::Command;

use coracle_testing::skipped;

use crate::build::project::Project;

/// The calls that matter, as strace prints them with paths of descriptors (`-y`).
const CALLS: &str = "trace=fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat";

/// A system call that changes or flushes files.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    /// The path of the flushed file or directory.
    Sync(String),
    /// The new path.
    Placed(String),
    Removed(String),
}

/// Returns the calls of a build, with paths relative to the project.
fn calls_of<const N: usize>(project: &Project, args: [&str; N]) -> Vec<Call> {
    let log = project.path("calls");
    let build = project.coracle(["build", "--quiet"]).more_args(args).command();
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "4096", "-e", CALLS, "-o"]).arg(&log).arg(build.get_program());
    command.args(build.get_args()).current_dir(project.path(""));
    command.envs(build.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let prefix = format!("{}/", project.path("").canonicalize().unwrap().display());
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(log).unwrap();
    text.lines().filter_map(|line| parse(line, &prefix)).collect()
}

fn parse(line: &str, prefix: &str) -> Option<Call> {
    let (_, call) = line.split_once(' ')?;
    let (name, arguments) = call.trim().split_once('(')?;
    if !line.contains("= 0") {
        return None;
    }
    let relative = |path: &str| path.trim_end_matches('/').replacen(prefix, "", 1);
    let last_quoted = || arguments.rsplit('"').nth(1).map(relative);
    Some(match name {
        "fsync" | "fdatasync" => Call::Sync(relative(arguments.split(['<', '>']).nth(1)?)),
        "link" | "linkat" | "rename" | "renameat" | "renameat2" => Call::Placed(last_quoted()?),
        _ => Call::Removed(last_quoted()?),
    })
}

fn position(calls: &[Call], what: &Call) -> usize {
    calls.iter().position(|call| call == what).unwrap_or_else(|| panic!("{what:?} in {calls:#?}"))
}

#[test]
fn blobs_are_flushed_before_the_index_and_the_index_before_old_blobs_are_removed() {
    if !has_strace() {
        return skipped("there is no strace (on Debian: strace)");
    }
    let project = Project::hello(&["-static"]);
    project.file("note", "old").built(&["hello", "--include", "note:/note", "-o", "oci:x"], "x");
    let old: BTreeSet<String> = blobs(&project);
    project.file("note", "new");
    let calls = calls_of(&project, ["hello", "--include", "note:/note", "-o", "oci:x"]);
    let indexed = position(&calls, &Call::Placed("x/index.json".into()));
    let new = blobs(&project);
    for blob in new.difference(&old) {
        let path = format!("x/blobs/sha256/{blob}");
        let placed = position(&calls, &Call::Placed(path.clone()));
        // The content is flushed under its final name, or before it gets that name.
        let before = &calls[..indexed];
        let is_flushed = before[placed..].contains(&Call::Sync(path))
            || matches!(&calls[placed - 1], Call::Sync(temporary) if temporary.starts_with("x/.coracle-"));
        assert!(is_flushed, "{blob} in {calls:#?}");
        let named = before[placed..].contains(&Call::Sync("x/blobs/sha256".into()));
        assert!(named, "the name of {blob} in {calls:#?}");
    }
    assert!(matches!(&calls[indexed - 1], Call::Sync(path) if path.starts_with("x/.coracle-")), "{calls:#?}");
    let index_named = indexed + position(&calls[indexed..], &Call::Sync("x".into()));
    for blob in old.difference(&new) {
        let removed = position(&calls, &Call::Removed(format!("x/blobs/sha256/{blob}")));
        assert!(removed > index_named, "{blob} in {calls:#?}");
    }
    assert!(old.difference(&new).count() > 0 && new.difference(&old).count() > 0);
}

fn blobs(project: &Project) -> BTreeSet<String> {
    let entries = std::fs::read_dir(project.path("x/blobs/sha256")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn archives_are_flushed_before_they_get_their_name() {
    if !has_strace() {
        return skipped("there is no strace (on Debian: strace)");
    }
    let project = Project::hello(&["-static"]);
    let calls = calls_of(&project, ["hello", "-o", "oci-archive:x.tar"]);
    let named = position(&calls, &Call::Placed("x.tar".into()));
    assert!(matches!(&calls[named - 1], Call::Sync(path) if path.contains(".coracle-")), "{calls:#?}");
    assert!(matches!(&calls[named + 1], Call::Sync(_)), "the directory's names in {calls:#?}");
}

#[test]
fn no_sync_flushes_nothing() {
    if !has_strace() {
        return skipped("there is no strace (on Debian: strace)");
    }
    let project = Project::hello(&["-static"]);
    let calls = calls_of(&project, ["hello", "--no-sync", "-o", "oci:x", "-o", "oci-archive:x.tar"]);
    assert!(calls.contains(&Call::Placed("x/index.json".into())), "{calls:#?}");
    assert!(!calls.iter().any(|call| matches!(call, Call::Sync(_))), "{calls:#?}");
}

fn has_strace() -> bool {
    Command::new("strace").arg("--version").output().is_ok()
}
