//! Which process gets the signal, and which signal.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Command;

use coracle_testing::write_executable;

use crate::setup::{Project, SERVE_HUP};

#[test]
fn finds_a_program_that_is_started_through_a_link() {
    let project = Project::new();
    project.volume("etc");
    symlink("/bin/sh", project.path(&project.name)).unwrap();
    let server = project.start_server(SERVE_HUP);
    let helper = project.start_helper(&["etc"]);
    server.wait_for_lines("HUP", 1);
    helper.wait_for_lines("sent", 1);
}

/// The kernel keeps 15 bytes of a name.
#[test]
fn finds_a_program_with_a_long_name_through_a_link() {
    let mut project = Project::new();
    project.name += "-with-a-long-name";
    project.volume("etc");
    symlink("/bin/sh", project.path(&project.name)).unwrap();
    let server = project.start_server(SERVE_HUP);
    let _helper = project.start_helper(&["etc"]);
    server.wait_for_lines("HUP", 1);
}

#[test]
fn finds_a_script_by_its_first_line_or_as_an_argument() {
    for is_argument in [false, true] {
        let project = Project::new();
        project.volume("etc");
        let script = project.path(&project.name);
        write_executable(&script, format!("#!/bin/sh -u\n{SERVE_HUP}\n"));
        let mut command = Command::new("/bin/sh");
        command.arg("-u").arg(&script);
        let mut direct = Command::new(&script);
        let server = project.start_ready(if is_argument { &mut command } else { &mut direct });
        let _helper = project.start_helper(&["etc"]);
        server.wait_for_lines("HUP", 1);
    }
}

#[test]
fn the_executable_takes_precedence_over_a_wrapper_that_names_it() {
    let project = Project::new();
    project.volume("etc");
    let wrapper = project.path("wrapper").join(&project.name);
    write_executable(&wrapper, SERVE_HUP);
    let other = project.start_ready(Command::new("/bin/sh").arg(&wrapper));
    let server = project.start_server(SERVE_HUP);
    let helper = project.start_helper(&["etc"]);
    server.wait_for_lines("HUP", 1);
    helper.wait_for_lines("sent", 1);
    assert_eq!(other.lines_with("HUP"), 0);
}

#[test]
fn the_parent_gets_the_signal_and_its_children_do_not() {
    let project = Project::new();
    project.volume("etc");
    // Both end with the test, whose end of stdin they see; a signal only interrupts `read`.
    let forks = "serve() { while :; do read -r line || [ $? -gt 128 ] || exit; done; }; \
                 trap 'echo PARENT' HUP; (trap 'echo CHILD' HUP; echo ready; serve) <&0 & serve";
    let server = project.start_server(forks);
    let helper = project.start_helper(&["etc"]);
    server.wait_for_lines("PARENT", 1);
    helper.wait_for_lines("sent", 1);
    assert_eq!((server.lines_with("CHILD"), helper.lines_with("sent")), (0, 1));
}

#[test]
fn processes_of_other_users_get_no_signal() {
    if !rustix::process::geteuid().is_root() {
        return coracle_testing::requirement::skipped("it needs root, to run programs as other users");
    }
    let project = Project::new();
    project.volume("etc");
    let other = project.start_server(SERVE_HUP);
    let mut command = Command::new(project.server_program());
    let own = project.start_ready(command.args(["-c", SERVE_HUP]).uid(65_531).gid(65_531));
    let helper = project.start(project.helper(&["etc"], "SIGHUP").uid(65_531).gid(65_531));
    own.wait_for_lines("HUP", 1);
    helper.wait_for_lines("sent", 1);
    assert_eq!(other.lines_with("HUP"), 0);
}

#[test]
fn knows_every_signal_of_recipes() {
    let project = Project::new();
    project.volume("etc");
    // Numbers as in signal(7); the shell knows no names of real-time signals.
    let signals = [
        ("SIGHUP", 1),
        ("SIGINT", 2),
        ("SIGQUIT", 3),
        ("SIGTRAP", 5),
        ("SIGABRT", 6),
        ("SIGIOT", 6),
        ("SIGBUS", 7),
        ("SIGFPE", 8),
        ("SIGUSR1", 10),
        ("SIGUSR2", 12),
        ("SIGPIPE", 13),
        ("SIGALRM", 14),
        ("SIGTERM", 15),
        ("SIGSTKFLT", 16),
        ("SIGCONT", 18),
        ("SIGTSTP", 20),
        ("SIGTTIN", 21),
        ("SIGTTOU", 22),
        ("SIGURG", 23),
        ("SIGXCPU", 24),
        ("SIGXFSZ", 25),
        ("SIGVTALRM", 26),
        ("SIGPROF", 27),
        ("SIGWINCH", 28),
        ("SIGIO", 29),
        ("SIGPOLL", 29),
        ("SIGPWR", 30),
        ("SIGSYS", 31),
        ("SIGRTMIN", 34),
        ("SIGRTMIN+3", 37),
        ("SIGRTMAX-14", 50),
        ("SIGRTMAX", 64),
        ("12", 12),
        ("64", 64),
    ];
    let traps: Vec<String> =
        signals.iter().map(|(_, number)| format!("trap 'echo got {number}.' {number}")).collect();
    for (name, number) in signals {
        let server = project.start_server(&format!("{}; {SERVE_HUP}", traps.join("; ")));
        let helper = project.start(&mut project.helper(&["etc"], name));
        server.wait_for_lines(if number == 1 { "HUP" } else { "got" }, 1);
        let expected = if number == 1 { "HUP".into() } else { format!("got {number}.") };
        assert_eq!(server.lines_with(&expected), 1, "{name}: {}", server.output());
        helper.kill();
        server.kill();
    }
}
