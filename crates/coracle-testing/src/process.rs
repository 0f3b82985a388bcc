//! Commands with a time limit, whose whole output is shown if they fail.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// No command of these tests takes a tenth of it.
const LIMIT: Duration = Duration::from_secs(60);

/// A process that was started here. Nothing kills it: what runs in a sandbox ends with the sandbox.
pub struct Running {
    child: Child,
    shown: String,
    stdout: File,
    stderr: File,
}

/// The output and the exit status of a process.
pub struct Finished {
    shown: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Starts a command. Its output is written to files, because processes that it leaves running would
/// keep a pipe open.
pub fn start(command: &mut Command) -> Running {
    let shown = format!("{command:?}");
    let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdin(Stdio::null()).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
    Running { child, shown, stdout, stderr }
}

/// Runs a command that must succeed, and gives what it printed to stdout.
pub fn stdout_of(command: &mut Command) -> String {
    start(command).finish().success()
}

impl Running {
    /// Waits for the end of the process.
    pub fn finish(mut self) -> Finished {
        let Some(status) = poll(LIMIT, || self.child.try_wait().unwrap()) else {
            panic!("no end after {LIMIT:?}: {}\n{}", self.shown, self.output_so_far());
        };
        let (stdout, stderr) = (text(&self.stdout), text(&self.stderr));
        Finished { shown: std::mem::take(&mut self.shown), status, stdout, stderr }
    }

    /// Returns whether the process has ended.
    pub fn has_exited(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Returns the output so far.
    pub fn output_so_far(&self) -> String {
        format!("stdout: {}\nstderr: {}", text(&self.stdout), text(&self.stderr))
    }
}

impl Finished {
    /// Returns stdout. Panics if the process failed.
    pub fn success(self) -> String {
        let Self { shown, status, stdout, stderr } = self;
        assert!(status.success(), "{status}: {shown}\nstdout: {stdout}\nstderr: {stderr}");
        stdout
    }
}

/// Asks again and again until there is an answer, or no time left.
pub fn poll<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Read by position: the process may still write to the file, at the position that both share.
fn text(file: &File) -> String {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    let read = file.read_at(&mut bytes, 0).unwrap();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}
