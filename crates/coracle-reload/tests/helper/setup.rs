//! The program under test, and servers that print signals.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use coracle_testing::config_map_volume::AtomicWriter;
use coracle_testing::process::poll;
use coracle_testing::write_executable;
use rustix::process::{Pid, Signal, kill_process};

const LIMIT: Duration = Duration::from_secs(60);

/// What a server runs: it prints each signal's name.
pub(crate) const SERVE_HUP: &str = "trap 'echo HUP' HUP; echo ready; while :; do read -r line; done";

/// A directory with volumes and programs.
pub(crate) struct Project {
    directory: tempfile::TempDir,
    /// A name that no other process has.
    pub(crate) name: String,
}

/// A process whose output is in files; killed at the end.
pub(crate) struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Project {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = tempfile::tempdir().unwrap();
        // Other users run programs in it.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let name = format!("s{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { directory, name }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Creates a volume with a file.
    pub(crate) fn volume(&self, name: &str) -> AtomicWriter {
        fs::create_dir(self.path(name)).unwrap();
        let mut volume = AtomicWriter::new(&self.path(name));
        volume.write(&[("app.conf", "1")]);
        volume
    }

    /// Copies the shell to a program with the name of this project.
    pub(crate) fn server_program(&self) -> PathBuf {
        let path = self.path(&self.name);
        if !path.exists() {
            write_executable(&path, fs::read("/bin/sh").unwrap());
        }
        path
    }

    /// Starts a server and waits until it handles signals.
    pub(crate) fn start_server(&self, text: &str) -> Process {
        let mut command = Command::new(self.server_program());
        command.args(["-c", text]);
        self.start_ready(&mut command)
    }

    /// Starts a process and waits until it prints `ready`.
    pub(crate) fn start_ready(&self, command: &mut Command) -> Process {
        let server = self.start(command);
        server.wait_for_lines("ready", 1);
        server
    }

    pub(crate) fn start(&self, command: &mut Command) -> Process {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let output = |stream: &str| {
            let path = self.path(&format!("{number}.{stream}"));
            (File::create(&path).unwrap(), path)
        };
        let ((stdout, stdout_path), (stderr, stderr_path)) = (output("stdout"), output("stderr"));
        // An open stdin, so that `read` waits.
        command.stdin(Stdio::piped()).stdout(stdout).stderr(stderr);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Process { child, stdout: stdout_path, stderr: stderr_path }
    }

    /// Returns a command that runs the helper for some directories.
    pub(crate) fn helper(&self, directories: &[&str], signal: &str) -> Command {
        let path = self.path("coracle-reload");
        if !path.exists() {
            write_helper(&path);
        }
        let paths: Vec<String> =
            directories.iter().map(|name| self.path(name).display().to_string()).collect();
        let mut command = Command::new(path);
        command
            .env_clear()
            .env("WATCH_DIRS", paths.join(":"))
            .env("SIGNAL", signal)
            .env("PROCESS", &self.name);
        command
    }

    /// Starts the helper and waits until it watches.
    pub(crate) fn start_helper(&self, directories: &[&str]) -> Process {
        let helper = self.start(&mut self.helper(directories, "SIGHUP"));
        helper.wait_for_lines("watching", 1);
        helper
    }
}

/// Writes the helper of this machine.
fn write_helper(path: &Path) {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let (_, program) = coracle_reload::PROGRAMS.iter().find(|(name, _)| *name == architecture).unwrap();
    write_executable(path, program);
}

impl Process {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until at least `count` lines of the output contain `text`.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, text: &str, count: usize) {
        let enough = poll(LIMIT, || (self.lines_with(text) >= count).then_some(()));
        assert!(enough.is_some(), "{count} × {text}: {}", self.output());
    }

    pub(crate) fn lines_with(&self, text: &str) -> usize {
        self.output().lines().filter(|line| line.contains(text)).count()
    }

    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap() + &fs::read_to_string(&self.stderr).unwrap()
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        poll(LIMIT, || self.child.try_wait().unwrap()).unwrap_or_else(|| panic!("{}", self.output()))
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
