//! `coracle run` with runc and podman: what the program may do and sees, how it is changed and ended, and
//! that nothing is left.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use coracle_testing::process::{Running, poll, start, stdout_of};
use coracle_testing::requirement::{self, Program};
use coracle_testing::sandbox::Sandbox;

use crate::podman::{self, Podman};
use crate::test_images::compile;

const RUNC: &[Program] = &[Program("runc", "runc")];
/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A project with a program, configuration and a Secret, in a sandbox.
struct Project {
    sandbox: Sandbox,
    directory: PathBuf,
}

impl Project {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let directory = sandbox.shared().join("project");
        fs::create_dir(&directory).unwrap();
        compile(&directory, "run");
        let project = Self { sandbox, directory };
        project.write("app.conf.j2", "greeting = {{ greeting }}\n");
        project.write("values.toml", "greeting = \"hello\"\n");
        project.write("password", "s3cret\n");
        project.recipe("watch", "");
        project
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.join(name), text).unwrap();
    }

    fn recipe(&self, reload: &str, more: &str) {
        let cgroup = &self.sandbox.cgroup;
        self.write(
            "coracle.toml",
            &format!(
                "[image]\nname = \"{}\"\nprograms = [\"run\"]\nenv = {{ SET = \"by the recipe\" }}\n\
                 [[config]]\nmount = \"/etc/app\"\ntemplates = [\"app.conf.j2\"]\nreload = \"{reload}\"\n\
                 [[state]]\nmount = \"/var/lib/app\"\n[values]\nfiles = [\"values.toml\"]\n{more}",
                cgroup.to_lowercase().replace("coracle-clients-", "run")
            ),
        );
    }

    /// The name of the first run.
    fn name(&self) -> String {
        self.sandbox.cgroup.to_lowercase().replace("coracle-clients-", "run")
    }

    fn command(&self, command: &str, args: &[&str]) -> Command {
        let script = format!("cd {} && exec \"$0\" \"$@\"", self.directory.display());
        let mut coracle = self.sandbox.command(["sh", "-c", &script, env!("CARGO_BIN_EXE_coracle"), command]);
        coracle.args(args).env("XDG_RUNTIME_DIR", self.sandbox.shared());
        if command == "run" {
            let cache = self.sandbox.shared().join("cache");
            let at = format!("--cache-dir={}", cache.display());
            let mut with_cache =
                self.sandbox.command(["sh", "-c", &script, env!("CARGO_BIN_EXE_coracle"), command, &at]);
            with_cache.args(args).env("XDG_RUNTIME_DIR", self.sandbox.shared());
            return with_cache;
        }
        coracle
    }

    fn run(&self, args: &[&str]) -> Command {
        self.command("run", args)
    }

    /// Directories of runs.
    fn runs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.sandbox.shared().join("coracle")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }
}

/// Waits until a process has printed something.
#[track_caller]
fn wait_for(process: &Running, text: &str) {
    let found = poll(LIMIT, || process.output_so_far().contains(text).then_some(()));
    assert!(found.is_some(), "not printed: {text}\n{}", process.output_so_far());
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_program_has_no_rights_and_its_exit_code_is_that_of_the_run() {
    if !requirement::programs_installed("coracle run", RUNC) {
        return;
    }
    let project = Project::new();
    let args = [
        "--env",
        "GIVEN=by a flag",
        "--",
        "id",
        "s=/etc/app",
        "s=/etc/app/..data/app.conf",
        "f=/etc/app/app.conf",
        "w=/etc/app/x",
        "w=/var/lib/app/x",
        "w=/tmp/x",
        "w=/x",
        "e=SET",
        "e=GIVEN",
        "f=/proc/self/status",
        "x=7",
    ];
    let finished = start(&mut project.run(&args)).finish();
    assert_eq!(finished.status.code(), Some(7), "{}", finished.stderr);
    for line in [
        "user 65532:65532, process 1",
        "/etc/app: 42777 0:65532",
        "/etc/app/..data/app.conf: 100644 0:65532",
        "/etc/app/app.conf: greeting = hello",
        "write /etc/app/x: Read-only file system",
        "write /var/lib/app/x: done",
        "write /tmp/x: No such file or directory",
        "write /x: Read-only file system",
        "SET=by the recipe",
        "GIVEN=by a flag",
        "CapBnd:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(finished.stdout.lines().any(|found| found == line), "{line}\n{}", finished.stdout);
    }
    assert!(finished.stderr.contains("with /"), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("runc: user 65532, read-only root, no capabilities"),
        "{}",
        finished.stderr
    );
    assert_eq!(project.runs(), [""; 0]);
}

#[test]
fn secrets_come_from_files_and_missing_ones_are_named() {
    if !requirement::programs_installed("coracle run", RUNC) {
        return;
    }
    let project = Project::new();
    project.recipe("watch", "[[secret]]\nmount = \"/etc/app\"\nkeys = [\"password\"]\n");
    let missing = start(&mut project.run(&["--", "id"])).finish();
    assert_eq!(missing.status.code(), Some(2));
    assert!(missing.stderr.contains("no file is given for the keys of Secrets: `password` for `/etc/app`"));
    let args = [
        "--secret-file",
        "password=password",
        "--",
        "s=/etc/app",
        "s=/etc/app/..data/password",
        "f=/etc/app/password",
    ];
    let said = stdout_of(&mut project.run(&args));
    // One projected volume, in memory.
    assert_eq!(
        said,
        "/etc/app: 43777 0:65532\n/etc/app/..data/password: 100440 0:65532\n/etc/app/password: s3cret\n"
    );
    let left = project.sandbox.run(["grep", "-rl", "s3cret", project.sandbox.shared().to_str().unwrap()]);
    assert_eq!(left.trim(), project.directory.join("password").to_str().unwrap());
}

#[test]
fn mounts_may_be_inside_of_each_other() {
    if !requirement::programs_installed("coracle run", RUNC) {
        return;
    }
    let project = Project::new();
    project.recipe("watch", "[[config]]\nmount = \"/etc/app/more\"\ntemplates = [\"app.conf.j2\"]\n");
    let said = stdout_of(&mut project.run(&["--", "f=/etc/app/app.conf", "f=/etc/app/more/app.conf"]));
    assert_eq!(said, "/etc/app/app.conf: greeting = hello\n/etc/app/more/app.conf: greeting = hello\n");
}

#[test]
fn changes_reach_a_watching_program_and_errors_leave_it_alone() {
    if !requirement::programs_installed("coracle run", RUNC) {
        return;
    }
    let project = Project::new();
    let run = start(&mut project.run(&["--watch", "--", "t", "id", "notify=/etc/app"]));
    wait_for(&run, "greeting = hello");
    project.write("values.toml", "greeting = \"changed\"\n");
    wait_for(&run, "greeting = changed");
    wait_for(&run, "replaced the files of /etc/app");
    project.write("app.conf.j2", "greeting = {{ greting }}\n");
    wait_for(&run, "`greting` is undefined; did you mean `greeting`?");
    wait_for(&run, "goes on with the configuration and the image that it has");
    project.write("app.conf.j2", "greeting = {{ greeting }}!\n");
    wait_for(&run, "greeting = changed!");
    assert_eq!(run.output_so_far().matches("process 1").count(), 1);
    // Another program is another image.
    let program = fs::read(project.directory.join("run")).unwrap();
    fs::write(project.directory.join("run.new"), [&program[..], b"changed"].concat()).unwrap();
    project.sandbox.run(["chmod", "755", project.directory.join("run.new").to_str().unwrap()]);
    fs::rename(project.directory.join("run.new"), project.directory.join("run")).unwrap();
    wait_for(&run, "restarts: the image has changed");
    let restarted = poll(LIMIT, || (run.output_so_far().matches("process 1").count() == 2).then_some(()));
    assert!(restarted.is_some(), "{}", run.output_so_far());
    stdout_of(&mut project.command("stop", &[]));
    assert_eq!(run.finish().status.code(), Some(3));
}

#[test]
fn configuration_is_taken_up_as_the_recipe_says() {
    if !requirement::programs_installed("coracle run", RUNC) {
        return;
    }
    let project = Project::new();
    project.recipe("signal:SIGHUP", "");
    let run = start(&mut project.run(&["--watch", "--", "t", "h", "id", "notify=/etc/app"]));
    wait_for(&run, "greeting = hello");
    project.write("values.toml", "greeting = \"changed\"\n");
    wait_for(&run, "signal 1");
    wait_for(&run, "and sent SIGHUP");
    stdout_of(&mut project.command("stop", &[]));
    drop(run.finish());
    project.recipe("restart", "");
    let run = start(&mut project.run(&["--watch", "--", "t", "id", "f=/etc/app/app.conf", "pause"]));
    wait_for(&run, "greeting = changed");
    project.write("values.toml", "greeting = \"again\"\n");
    wait_for(&run, "restarts: its configuration has changed");
    wait_for(&run, "greeting = again");
    stdout_of(&mut project.command("stop", &[]));
    drop(run.finish());
}

#[test]
fn reloading_is_checked_by_watching_the_files() {
    if !requirement::programs_installed("coracle run", RUNC) {
        return;
    }
    let project = Project::new();
    let checked = start(&mut project.run(&["--check-reload", "--", "t", "notify=/etc/app"])).finish();
    assert!(checked.stdout.contains("app.conf: opened"), "{}{}", checked.stdout, checked.stderr);
    assert_eq!(checked.status.code(), Some(0));
    let ignored = start(&mut project.run(&["--check-reload", "--", "t", "pause"])).finish();
    assert_eq!(ignored.status.code(), Some(4), "{}", ignored.stderr);
    assert!(ignored.stderr.contains("the program does not open `app.conf` after a change"));
}

#[test]
fn a_program_that_ignores_its_signal_is_told_and_killed() {
    if !requirement::programs_installed("coracle run", RUNC) {
        return;
    }
    let project = Project::new();
    project.recipe("watch", "[kubernetes]\ntermination-grace = 2\n");
    let run = start(&mut project.run(&["--", "id", "pause"]));
    wait_for(&run, "process 1");
    stdout_of(&mut project.command("stop", &[&project.name()]));
    let finished = run.finish();
    assert_eq!(finished.status.code(), Some(137));
    assert!(finished.stderr.contains("has not ended a second after SIGTERM"), "{}", finished.stderr);
    assert!(finished.stderr.contains("still runs: killed"), "{}", finished.stderr);
}

#[test]
fn a_killed_run_leaves_no_container_and_the_next_one_removes_the_rest() {
    if !requirement::programs_installed("coracle run", RUNC) {
        return;
    }
    let project = Project::new();
    let name = project.name();
    let said = stdout_of(&mut project.run(&["--detach", "-q", "--", "id", "w=/var/lib/app/x", "pause"]));
    assert_eq!(said, format!("{name}\n"));
    // Two runs of one image do not disturb each other.
    let second = stdout_of(&mut project.run(&["--detach", "-q", "--", "t", "pause"]));
    assert_eq!(second, format!("{name}-2\n"));
    let processes = || project.sandbox.run(["sh", "-c", "ps -eo args | grep -c '^/app/[r]un ' || true"]);
    assert_eq!(processes(), "2\n");
    let record = fs::read(project.sandbox.shared().join("coracle").join(&name).join("run.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    project.sandbox.run(["kill", "-9", &record["pid"].to_string()]);
    assert!(poll(LIMIT, || (processes() == "1\n").then_some(())).is_some());
    let mounts = project.sandbox.run(["sh", "-c", "grep -c coracle/.*/volumes /proc/mounts || true"]);
    assert_eq!(mounts, "0\n");
    stdout_of(&mut project.command("stop", &["-q", &format!("{name}-2")]));
    stdout_of(&mut project.run(&["-q", "--", "id"]));
    assert_eq!(project.runs(), [""; 0]);
    assert_eq!(fs::read_dir(project.sandbox.shared().join("cache/run/state")).unwrap().count(), 0);
}

#[test]
fn a_run_is_ready_when_its_port_answers_and_tools_enter_it() {
    if !requirement::programs_installed("coracle run", RUNC) {
        return;
    }
    let project = Project::new();
    let greeter = crate::test_images::greeter();
    fs::copy(greeter, project.directory.join("greeter")).unwrap();
    let [port, other] = [free_port(), free_port()];
    project.write(
        "greeter.toml.j2",
        &format!("listen = \"127.0.0.1:{port}\"\ngreeting = {{{{ greeting | json }}}}\n"),
    );
    project.write(
        "coracle.toml",
        &format!(
            "[image]\nname = \"greeter\"\nprograms = [\"greeter\"]\nexpose = [{port}]\n\
             [[config]]\nmount = \"/etc/greeter\"\ntemplates = [\"greeter.toml.j2\"]\nreload = \"watch\"\n\
             [values]\nfiles = [\"values.toml\"]\n[kubernetes]\nprobes = {{ http = \"/health\" }}\n"
        ),
    );
    let address = stdout_of(&mut project.run(&["--wait-ready", "-q", "-p", &format!("{other}:{port}")]));
    assert_eq!(address, format!("127.0.0.1:{other}\n"));
    let answer = project.sandbox.run(["curl", "-s", &format!("http://127.0.0.1:{other}/ada")]);
    assert_eq!(answer, "hello, ada!\n");
    // The port is in use now.
    let refused = start(&mut project.run(&["-P"])).finish();
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains(&format!("port {port} of this machine is in use")), "{}", refused.stderr);
    let seen =
        stdout_of(&mut project.command(
            "debug",
            &["greeter", "--", "sh", "-c", "cat /proc/1/comm; hostname; ls /proc/1/root/app"],
        ));
    assert_eq!(seen, "greeter\ngreeter\ngreeter\n");
    stdout_of(&mut project.command("stop", &["-q"]));
    assert_eq!(project.runs(), [""; 0]);
}

#[test]
fn users_without_root_run_in_a_user_namespace() {
    if !requirement::programs_installed("coracle run", &[RUNC, &[Program("newuidmap", "uidmap")]].concat()) {
        return;
    }
    let project = Project::new();
    let shared = project.sandbox.shared();
    let ranges = project.sandbox.file("ranges", "nobody:200000:65536\n");
    project.sandbox.run(["chown", "-R", "nobody:nogroup", shared.to_str().unwrap()]);
    let coracle = shared.join("coracle-program");
    fs::copy(env!("CARGO_BIN_EXE_coracle"), &coracle).unwrap();
    let run = |with_ranges: bool| {
        let mount = match with_ranges {
            true => {
                format!("mount --bind {0} /etc/subuid && mount --bind {0} /etc/subgid && ", ranges.display())
            }
            false => String::new(),
        };
        let script = format!(
            "{mount}cd {} && exec setpriv --reuid=65534 --regid=65534 --clear-groups env XDG_RUNTIME_DIR={} {} run \
             --cache-dir={} -- id s=/etc/app/..data/app.conf w=/var/lib/app/x w=/x",
            project.directory.display(),
            shared.display(),
            coracle.display(),
            shared.join("own-cache").display(),
        );
        start(&mut project.sandbox.command(["unshare", "--mount", "sh", "-c", &script])).finish()
    };
    let mapped = run(true);
    assert_eq!(
        mapped.stdout,
        "user 65532:65532, process 1\n/etc/app/..data/app.conf: 100644 0:65532\nwrite /var/lib/app/x: done\n\
         write /x: Read-only file system\n",
        "{}",
        mapped.stderr
    );
    assert!(mapped.stderr.contains("in a user namespace: user 65532"), "{}", mapped.stderr);
    let single = run(false);
    assert!(single.stdout.starts_with("user 0:0, process 1\n"), "{}{}", single.stdout, single.stderr);
    assert!(single.stderr.contains("the program runs as user 0 of a user namespace"), "{}", single.stderr);
}

#[test]
fn podman_runs_the_same_and_its_printed_command_does() {
    if !requirement::programs_installed("coracle run with podman", podman::NEEDS) {
        return;
    }
    let project = Project::new();
    project.recipe("watch", "[[secret]]\nmount = \"/etc/app\"\nkeys = [\"password\"]\n");
    let podman = Podman::new(&project.sandbox);
    let program = [
        "--",
        "id",
        "f=/etc/app/app.conf",
        "f=/etc/app/password",
        "w=/var/lib/app/x",
        "w=/x",
        "w=/tmp/x",
        "f=/proc/self/status",
        "x=7",
    ];
    let secret = ["--secret-file", "password=password"];
    let direct = start(
        project.run(&[&["--runtime", "podman"], &secret[..], &program].concat()).envs(podman.environment()),
    );
    let direct = direct.finish();
    let script = stdout_of(&mut project.run(&[&["--print", "podman"], &secret[..], &program].concat()));
    let path = project.sandbox.file("run.sh", &script);
    let tools = Path::new(env!("CARGO_BIN_EXE_coracle")).parent().unwrap();
    let line =
        format!("cd {} && PATH={}:$PATH sh {}", project.directory.display(), tools.display(), path.display());
    let printed = start(project.sandbox.command(["sh", "-c", &line]).envs(podman.environment())).finish();
    for (finished, how) in [(&direct, "--runtime podman"), (&printed, "--print podman")] {
        assert_eq!(finished.status.code(), Some(7), "{how}: {}{}", finished.stdout, finished.stderr);
        for line in [
            "user 65532:65532, process 1",
            "/etc/app/app.conf: greeting = hello",
            "/etc/app/password: s3cret",
            "write /var/lib/app/x: done",
            "write /x: Read-only file system",
            "CapEff:\t0000000000000000",
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
        ] {
            assert!(finished.stdout.lines().any(|found| found == line), "{how}: {line}\n{}", finished.stdout);
        }
    }
}
