//! When a signal is sent, and how often.

use std::fs::{self, File};

use rustix::process::Signal;

use crate::setup::{Project, SERVE_HUP};

const FILES: &[(&str, &str)] = &[("app.conf", "2")];

#[test]
fn sends_one_signal_for_each_update() {
    let project = Project::new();
    let mut volume = project.volume("etc");
    let helper = project.start_helper(&["etc"]);
    let server = project.start_server(SERVE_HUP);
    for count in 1..=3 {
        volume.write(FILES);
        server.wait_for_lines("HUP", count);
        helper.wait_for_lines("sent SIGHUP", count);
    }
    assert_eq!(helper.lines_with("sent"), 3);
    assert_eq!(server.lines_with("HUP"), 3);
}

#[test]
fn sends_one_signal_for_directories_that_are_updated_together() {
    let project = Project::new();
    let (mut config, mut secret) = (project.volume("etc"), project.volume("run"));
    let helper = project.start_helper(&["etc", "run"]);
    let server = project.start_server(SERVE_HUP);
    helper.signal(Signal::STOP);
    config.write(FILES);
    secret.write(FILES);
    helper.signal(Signal::CONT);
    server.wait_for_lines("HUP", 1);
    helper.wait_for_lines("sent", 1);
    secret.write(FILES);
    server.wait_for_lines("HUP", 2);
    helper.wait_for_lines("sent", 2);
    assert_eq!((helper.lines_with("sent"), server.lines_with("HUP")), (2, 2));
}

#[test]
fn a_program_that_starts_after_an_update_gets_no_signal() {
    let project = Project::new();
    let mut volume = project.volume("etc");
    let helper = project.start_helper(&["etc"]);
    volume.write(FILES);
    helper.wait_for_lines("is not running", 1);
    let server = project.start_server(SERVE_HUP);
    assert_eq!(helper.lines_with("sent"), 0);
    volume.write(FILES);
    server.wait_for_lines("HUP", 1);
    helper.wait_for_lines("sent", 1);
    assert_eq!(server.lines_with("HUP"), 1);
}

#[test]
fn a_program_that_restarts_gets_the_signals_of_later_updates() {
    let project = Project::new();
    let mut volume = project.volume("etc");
    let helper = project.start_helper(&["etc"]);
    let first = project.start_server(SERVE_HUP);
    volume.write(FILES);
    first.wait_for_lines("HUP", 1);
    first.kill();
    volume.write(FILES);
    helper.wait_for_lines("is not running", 1);
    let second = project.start_server(SERVE_HUP);
    volume.write(FILES);
    second.wait_for_lines("HUP", 1);
    helper.wait_for_lines("sent", 2);
    assert_eq!((helper.lines_with("sent"), second.lines_with("HUP")), (2, 1));
}

/// An update between its start and that of the helper would be lost otherwise.
#[test]
fn a_program_that_runs_before_the_helper_gets_a_signal() {
    let project = Project::new();
    project.volume("etc");
    let server = project.start_server(SERVE_HUP);
    let helper = project.start_helper(&["etc"]);
    server.wait_for_lines("HUP", 1);
    helper.wait_for_lines("sent", 1);
}

#[test]
fn waits_until_the_program_handles_the_signal() {
    let project = Project::new();
    let mut volume = project.volume("etc");
    let helper = project.start_helper(&["etc"]);
    let go = project.path("go");
    let starts_slowly =
        format!("echo starting; until [ -e '{}' ]; do sleep 0.01; done; {SERVE_HUP}", go.display());
    let mut command = std::process::Command::new(project.server_program());
    let server = project.start(command.args(["-c", &starts_slowly]));
    server.wait_for_lines("starting", 1);
    helper.signal(Signal::STOP);
    volume.write(FILES);
    helper.signal(Signal::CONT);
    helper.wait_for_lines("waits", 1);
    File::create(go).unwrap();
    server.wait_for_lines("HUP", 1);
    helper.wait_for_lines("sent", 1);
    assert_eq!(helper.lines_with("sent"), 1);
}

#[test]
fn events_that_are_lost_count_as_an_update() {
    let project = Project::new();
    let mut volume = project.volume("etc");
    let helper = project.start_helper(&["etc"]);
    let server = project.start_server(SERVE_HUP);
    let limit: usize =
        fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    helper.signal(Signal::STOP);
    for number in 0..=limit {
        // Equal events in a row would be one.
        let path = project.path("etc").join(if number % 2 == 0 { "a" } else { "b" });
        File::create(&path).unwrap();
        fs::remove_file(path).unwrap();
    }
    volume.write(FILES);
    helper.signal(Signal::CONT);
    server.wait_for_lines("HUP", 1);
}

#[test]
fn other_changes_of_the_directory_are_ignored() {
    let project = Project::new();
    let mut volume = project.volume("etc");
    let helper = project.start_helper(&["etc"]);
    let server = project.start_server(SERVE_HUP);
    helper.signal(Signal::STOP);
    for name in ["app.conf2", "..data2", "..2026", ".data"] {
        File::create(project.path("etc").join(name)).unwrap();
    }
    helper.signal(Signal::CONT);
    // Events have an order.
    volume.write(FILES);
    server.wait_for_lines("HUP", 1);
    helper.wait_for_lines("sent", 1);
    assert_eq!(helper.lines_with("sent"), 1);
}

/// The process must sleep without a time limit.
#[test]
fn uses_no_time_while_nothing_changes() {
    let project = Project::new();
    project.volume("etc");
    let helper = project.start_helper(&["etc"]);
    let path = format!("/proc/{}/syscall", helper.pid().as_raw_nonzero());
    let ppoll = if cfg!(target_arch = "aarch64") { "73" } else { "271" };
    let sleeps = coracle_testing::process::poll(std::time::Duration::from_secs(60), || {
        let call = fs::read_to_string(&path).unwrap();
        let fields: Vec<&str> = call.split_whitespace().collect();
        // The third argument is the time limit.
        (fields[0] == ppoll && fields[3] == "0x0").then_some(())
    });
    assert!(sleeps.is_some());
}
