//! Programs with many processes, threads and signals.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use coracle_testing::process::poll;

use super::{has_path, record, report};
use crate::build::project::Project;

/// Opens the file in its first argument, and never ends; with a second one it ignores SIGINT.
const SERVER: &str = r#"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(int count, char **args) {
    if (count > 2) signal(SIGINT, SIG_IGN);
    fopen(args[1], "r");
    fclose(fopen("ready", "w"));
    for (;;) pause();
}
"#;

fn server() -> Project {
    let project = Project::new();
    project.program("server", SERVER, &[]).file("data", "x");
    project
}

/// Starts `coracle record` and waits until the program runs.
fn start(project: &Project, args: &[&str]) -> Child {
    let mut command = project.coracle(["record", "--no-cache", "--"]).command();
    let child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    poll(Duration::from_secs(30), || project.path("ready").exists().then_some(())).unwrap();
    child
}

fn interrupt(child: &Child) {
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Asserts that the run was printed.
#[track_caller]
fn assert_recorded(child: Child, code: i32, warning: &str) {
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(stdout.contains("from = \"data\"\nto = \"/data\"\n"), "{stdout}{stderr}");
    assert!(stderr.contains(warning), "{stderr}");
    assert_eq!(output.status.code(), Some(code), "{stderr}");
}

#[test]
fn an_interrupt_ends_the_program_and_keeps_what_was_recorded() {
    let project = server();
    let child = start(&project, &["./server", "data"]);
    interrupt(&child);
    assert_recorded(child, 130, "warning: signal 2 ended the program\n");
}

#[test]
fn the_second_interrupt_kills_a_program_that_ignores_the_first() {
    let project = server();
    let mut child = start(&project, &["./server", "data", "ignore"]);
    interrupt(&child);
    std::thread::sleep(Duration::from_millis(600));
    assert!(child.try_wait().unwrap().is_none());
    interrupt(&child);
    assert_recorded(child, 137, "warning: signal 9 ended the program\n");
}

#[test]
fn processes_that_outlive_the_program_are_ended_by_an_interrupt() {
    let project = server();
    let child =
        start(&project, &["/bin/sh", "-c", "./server data & while ! [ -e ready ]; do sleep 0.01; done"]);
    std::thread::sleep(Duration::from_millis(2500));
    interrupt(&child);
    assert_recorded(child, 0, "warning: the program has ended; still running: 1 process that it started\n");
}

#[test]
fn no_process_survives_a_killed_recorder() {
    let project = server();
    let mut child = start(&project, &["/bin/sh", "-c", "echo $$ > pid; exec ./server data"]);
    let pid = std::fs::read_to_string(project.path("pid")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let process = format!("/proc/{}/exe", pid.trim());
    poll(Duration::from_secs(30), || std::fs::read_link(&process).is_err().then_some(())).unwrap();
}

#[test]
fn a_thousand_children_are_recorded() {
    let source = r#"
        #include <fcntl.h>
        #include <stdio.h>
        #include <sys/wait.h>
        #include <unistd.h>
        int main(void) {
            char name[20];
            for (int i = 0; i < 1000; i++) {
                snprintf(name, sizeof name, "data/%d", i);
                if (!fork()) _exit(open(name, O_RDONLY) < 0);
                if (i % 50 == 49) while (wait(NULL) > 0);
            }
            return 0;
        }
    "#;
    let project = Project::new();
    project.program("app", source, &[]);
    for number in 0..1000 {
        project.file(&format!("data/{number}"), "x");
    }
    let report = report(&project, 0, &["--", "./app"]);
    assert_eq!(report["proposals"]["include"].as_array().unwrap().len(), 1);
    assert_eq!(report["proposals"]["include"][0]["from"], "data");
    assert_eq!(
        report["proposals"]["include"][0]["reason"],
        "a directory of which the program reads 1000 files"
    );
}

#[test]
fn threads_may_be_cancelled_and_execute_programs() {
    let source = r#"
        #include <pthread.h>
        #include <stdio.h>
        #include <unistd.h>
        static void *waits(void *unused) { for (;;) pause(); return unused; }
        static void *executes(void *unused) { execl("/bin/true", "true", NULL); return unused; }
        int main(void) {
            pthread_t thread;
            pthread_create(&thread, NULL, waits, NULL);
            // Uses a real-time signal.
            pthread_cancel(thread);
            pthread_join(thread, NULL);
            if (seteuid(geteuid())) return 1;
            fopen("data", "r");
            pthread_create(&thread, NULL, executes, NULL);
            for (;;) pause();
        }
    "#;
    let project = Project::new();
    project.program("app", source, &["-pthread"]).file("data", "x");
    let report = report(&project, 0, &["--", "./app"]);
    assert!(has_path(&report, "programs_executed", "/bin/true"), "{report}");
    assert!(has_path(&report, "files_read", project.path("data").to_str().unwrap()), "{report}");
}

#[test]
fn the_exit_code_is_that_of_the_program() {
    let project = Project::new();
    assert_eq!(record(&project, &["--", "/bin/sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(record(&project, &["--", "/bin/sh", "-c", "kill -TERM $$"]).status.code(), Some(143));
}

#[test]
fn files_are_recorded_by_their_use() {
    let project = Project::new();
    let script = "read line < in; echo x > out; mv out moved; mkdir dir; rm -r dir; cat missing; ls list";
    project.file("in", "1\n").file("list/entry", "");
    let report = report(&project, 0, &["--", "/bin/sh", "-c", script]);
    let path = |name: &str| project.path(name).to_str().unwrap().to_owned();
    for (paths, name) in [
        ("files_read", "in"),
        ("files_written", "out"),
        ("files_written", "moved"),
        ("paths_removed", "out"),
        ("directories_created", "dir"),
        ("paths_removed", "dir"),
        ("paths_absent", "missing"),
        ("directories_listed", "list"),
    ] {
        assert!(has_path(&report, paths, &path(name)), "{paths} {name}: {report}");
    }
}
