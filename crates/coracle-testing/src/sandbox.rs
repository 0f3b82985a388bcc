//! A sandbox for one client: its files, mounts and processes end with it, even if the test panics
//! or is killed.
//!
//! It is a mount namespace and a process namespace. Process 1 in it reads from a pipe that the test
//! holds. When the pipe closes, process 1 ends, the kernel ends every other process of the
//! namespace (daemons, shims, containers), and the mounts are gone. The network is the host's.
//!
//! `nsenter` outside is the parent of each command inside, and must not be killed before it: the
//! kernel ends the namespace only after every process in it was waited for, and nothing may wait
//! for orphans outside.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{poll, start, stdout_of};
use crate::requirement::search_path;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sandbox.sh");

/// A directory, the namespaces, and the name of their control group.
pub struct Sandbox {
    directory: TempDir,
    holder: Child,
    pub cgroup: String,
}

impl Sandbox {
    /// Makes a sandbox. Several may stand at once.
    #[allow(clippy::new_without_default, reason = "it starts processes")]
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("coracle-clients-").tempdir().unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let mut holder = Command::new("unshare");
        holder.args(["--mount", "--pid", "--fork", "--mount-proc", "sh", SCRIPT]).arg(&data);
        holder.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = holder.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let cgroup = directory.path().file_name().unwrap().to_str().unwrap().to_owned();
        let sandbox = Self { directory, holder, cgroup };
        assert_eq!(ready, "ready\n", "no sandbox for a client: see stderr");
        sandbox
    }

    /// A directory that both the test and the client see.
    pub fn shared(&self) -> &Path {
        self.directory.path()
    }

    /// A directory in memory that only the client sees.
    pub fn data(&self) -> PathBuf {
        self.shared().join("data")
    }

    /// Where the test finds what the client has at `path`.
    pub fn host_path(&self, path: &Path) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.inside())).join(path.strip_prefix("/").unwrap())
    }

    /// Process 1 of the sandbox, as its parent outside knows it.
    fn inside(&self) -> String {
        let holder = self.holder.id();
        let children = std::fs::read_to_string(format!("/proc/{holder}/task/{holder}/children")).unwrap();
        children.split_whitespace().next().unwrap().to_owned()
    }

    /// Writes a file that both the test and the client see.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.shared().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Returns a command that runs in this sandbox, without variables that name other directories or
    /// servers.
    pub fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let holder = format!("/proc/{}", self.holder.id());
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount={holder}/ns/mnt")).arg(format!("--pid={holder}/ns/pid_for_children"));
        // Without them, entering a mount namespace would leave a chroot, or keep a directory of the namespace before.
        command.arg(format!("--root={holder}/root")).arg(format!("--wd={holder}/root"));
        command.arg("--").args(arguments);
        command.env_clear().env("PATH", search_path()).env("HOME", self.data());
        command
    }

    /// Runs a command that must succeed, and gives its stdout.
    pub fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
        stdout_of(&mut self.command(arguments))
    }

    /// Starts a daemon and waits until `ask` succeeds. It is stopped with the sandbox.
    pub fn daemon(&self, daemon: &mut Command, ask: impl Fn() -> Command) {
        let mut daemon = start(daemon);
        let serves = poll(Duration::from_secs(30), || {
            let over = daemon.has_exited();
            (over || start(&mut ask()).finish().status.success()).then_some(!over)
        });
        assert_eq!(serves, Some(true), "the daemon does not serve\n{}", daemon.output_so_far());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        self.holder.wait().unwrap();
        // Control groups are in no namespace.
        let pattern = format!("*/{}*", self.cgroup);
        let mut find = Command::new("find");
        find.args(["/sys/fs/cgroup", "-depth", "-type", "d", "-path", &pattern, "-exec", "rmdir", "{}", "+"]);
        let _ = find.stderr(Stdio::null()).status();
    }
}
