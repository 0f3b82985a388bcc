//! Reads that fail once: an image is the one that is built without the failure, or it is an error.

use std::process::{Command, Output};

use coracle_testing::skipped;

use crate::build::project::Project;

/// The calls that fail, by turns.
const CALLS: &[&str] = &["openat", "read", "pread64", "statx", "readlink,readlinkat", "getdents64"];

/// The number of calls of each kind that fail, spread evenly over all of a build.
const FAULTS: usize = 8;

/// Runs a build under strace with more flags of strace.
fn trace(project: &Project, flags: &[&str], args: &[&str]) -> Output {
    let build = project.coracle(["build", "--quiet", "-t", "shop:1"]).command();
    let mut command = Command::new("strace");
    command
        .args(["-f", "--seccomp-bpf", "-o"])
        .arg(project.path("calls"))
        .args(flags)
        .arg(build.get_program());
    command.args(build.get_args()).args(args).current_dir(project.folder()).env_clear();
    command.envs(build.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.output().unwrap()
}

/// Returns the number of calls of this kind in a build without failures.
fn count_calls(project: &Project, calls: &str, args: &[&str]) -> usize {
    let output = trace(project, &["-e", &format!("trace={calls}")], args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(project.path("calls")).unwrap();
    text.lines().filter(|line| line.contains('(')).count()
}

#[test]
fn a_failed_read_gives_the_same_image_or_an_error() {
    if Command::new("strace").arg("--version").output().is_err() {
        return skipped("there is no strace (on Debian: strace)");
    }
    let project = Project::new();
    project.library("lib/liba.so", "answer", "1", &[]).program(
        "app",
        "int answer(void); int main(void) { return answer(); }",
        &["-Wl,--no-as-needed", "-Llib", "-la", "-Wl,-rpath,$ORIGIN/lib"],
    );
    project.file("data/one", "1").file("data/two", "2");
    let args = ["app", "--include", "data:/srv", "--cache-dir", "cache", "-o", "oci:x"];
    let expected = project.built(&[&args[..], &["-t", "shop:1"]].concat(), "x").digests();
    let mut errors = 0;
    for calls in CALLS {
        reset(&project);
        let count = count_calls(&project, calls, &args);
        for step in 0..FAULTS.min(count) {
            let number = 1 + step * count / FAULTS.min(count);
            let inject = format!("inject={calls}:error=EIO:when={number}");
            reset(&project);
            let output = trace(&project, &["-e", &format!("trace={calls}"), "-e", &inject], &args);
            let said = String::from_utf8_lossy(&output.stderr);
            if !output.status.success() {
                errors += 1;
                // 127: ld.so could not map a library of Coracle itself.
                let code = output.status.code();
                assert!(matches!(code, Some(1 | 127)), "{inject}: {code:?} {said}");
            }
            if output.status.success() || project.path("x/index.json").exists() {
                assert_eq!(project.layout("x").digests(), expected, "{inject}: {said}");
            }
            // Nothing wrong is in the cache.
            let again = project.built(&[&args[..], &["-t", "shop:1"]].concat(), "x").digests();
            assert_eq!(again, expected, "after {inject}");
        }
    }
    assert!(errors > FAULTS, "only {errors} failures were seen");
}

fn reset(project: &Project) {
    for name in ["x", "cache"] {
        let _ = std::fs::remove_dir_all(project.path(name));
    }
}
