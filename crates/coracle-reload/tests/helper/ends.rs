//! How the program ends.

use std::fs;
use std::process::Command;

use coracle_testing::requirement;
use rustix::process::Signal;

use crate::setup::Project;

#[test]
fn signals_end_the_program() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP] {
        let project = Project::new();
        project.volume("etc");
        let mut helper = project.start_helper(&["etc"]);
        helper.signal(signal);
        assert_eq!(helper.wait().code(), Some(0), "{signal:?}");
    }
}

/// A process with PID 1 ignores signals without a handler. With `--fork`, the child has PID 1.
#[test]
fn signals_end_the_program_as_pid_1() {
    let flags = ["--user", "--map-root-user", "--pid", "--fork"];
    let works = Command::new("unshare").args(flags).arg("true").status().is_ok_and(|status| status.success());
    if !requirement::is_available("unshare with user namespaces", works, "util-linux") {
        return;
    }
    let project = Project::new();
    project.volume("etc");
    let helper = project.helper(&["etc"], "SIGHUP");
    let mut command = Command::new("unshare");
    command.args(flags).arg(helper.get_program());
    command.envs(helper.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut unshare = project.start(&mut command);
    unshare.wait_for_lines("watching", 1);
    let children = format!("/proc/{0}/task/{0}/children", unshare.pid().as_raw_nonzero());
    let pid: i32 = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(unshare.wait().code(), Some(0));
}

#[test]
fn a_removed_directory_ends_the_program() {
    let project = Project::new();
    project.volume("etc");
    let mut helper = project.start_helper(&["etc"]);
    fs::remove_dir_all(project.path("etc")).unwrap();
    assert_eq!(helper.wait().code(), Some(1));
    assert!(helper.output().ends_with("coracle-reload: a directory in WATCH_DIRS was removed\n"));
}

#[test]
fn a_missing_directory_is_an_error() {
    let project = Project::new();
    project.volume("etc");
    let mut helper = project.start(&mut project.helper(&["etc", "none"], "SIGHUP"));
    assert_eq!(helper.wait().code(), Some(1));
    let expected = format!("coracle-reload: cannot watch the directory {}\n", project.path("none").display());
    assert_eq!(helper.output(), expected);
}

#[test]
fn invalid_variables_are_errors() {
    let project = Project::new();
    for signal in ["HUP", "SIGNONE", "0", "65", "SIGRTMIN+31", "SIGRTMIN3", "SIGRTMAX-64", "+1", ""] {
        let mut helper = project.start(&mut project.helper(&["etc"], signal));
        assert_eq!(helper.wait().code(), Some(2), "{signal}");
    }
    for name in ["WATCH_DIRS", "SIGNAL", "PROCESS"] {
        let mut helper = project.start(project.helper(&["etc"], "SIGHUP").env_remove(name));
        assert_eq!(helper.wait().code(), Some(2));
        let expected = format!(
            "coracle-reload: the variable {name} is not set; set WATCH_DIRS=DIR[:DIR], SIGNAL=SIGHUP and PROCESS=NAME\n"
        );
        assert_eq!(helper.output(), expected);
    }
}
