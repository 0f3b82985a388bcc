//! The processes between `coracle run` and the runtime, started as this program's own executable.
//!
//! The first one creates the namespaces; a process can enter a new process ID namespace only with its
//! children, so the second one is process 1 there. It mounts the volumes and starts the runtime. When
//! the connection to `coracle run` ends, it ends, and the kernel ends everything in its namespaces.

use std::ffi::OsString;
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use super::protocol::{Request, SandboxEvent, receive, send};
use super::{namespace_entry, sandbox_init};

/// The names of the stages in their own arguments.
pub(super) const NAMESPACES: &str = "coracle-run-namespaces";
pub(super) const USER_NAMESPACES: &str = "coracle-run-user-namespaces";
pub(super) const INIT: &str = "coracle-run-init";

/// The exit code of a stage that has reported an error.
const FAILED: i32 = 125;

/// Runs a stage if this process was started for one; then it does not return. `args` are all
/// arguments of this process. A program that uses `Sandbox` calls this at the start of `main`.
#[allow(clippy::exit, reason = "this process must not go on as anything else")]
pub fn run_stage(mut args: impl Iterator<Item = OsString>) {
    let Some(name) = args.next() else { return };
    let is_stage = |stage: &str| name == stage;
    if is_stage(NAMESPACES) || is_stage(USER_NAMESPACES) {
        let Some(socket) = args.next() else { return };
        std::process::exit(create_namespaces(Path::new(&socket), is_stage(USER_NAMESPACES)));
    }
    if is_stage(INIT) {
        let Some(socket) = args.next() else { return };
        std::process::exit(sandbox_init::run(Path::new(&socket)));
    }
    if is_stage(namespace_entry::ENTRY) || is_stage(namespace_entry::TOOL) {
        std::process::exit(namespace_entry::run_entry_stage(is_stage(namespace_entry::TOOL), args));
    }
}

fn create_namespaces(socket: &Path, has_user_namespace: bool) -> i32 {
    let Ok(stream) = UnixStream::connect(socket) else { return FAILED };
    let fail = |what: &str, error: &dyn std::fmt::Display| {
        // `coracle run` has ended if it cannot be reported.
        let _ = send(&stream, &SandboxEvent::Failed(format!("{what}: {error}")));
        FAILED
    };
    if has_user_namespace {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWUSER) {
            return fail("user namespace", &error);
        }
        let mapped = stream_and_reader(&stream).and_then(|(mut stream, mut reader)| {
            send(&mut stream, &SandboxEvent::Unshared)?;
            receive::<Request>(&mut reader)
        });
        if !matches!(mapped, Ok(Some(Request::Mapped))) {
            return FAILED;
        }
    }
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID) {
        return fail("mount and process ID namespaces", &error);
    }
    let init = Command::new("/proc/self/exe").arg0(INIT).arg(socket).spawn();
    match init.and_then(|mut init| init.wait()) {
        Ok(status) => status.code().unwrap_or(FAILED),
        Err(error) => fail("process", &error),
    }
}

/// Returns a writer and a reader of the connection.
pub(super) fn stream_and_reader(stream: &UnixStream) -> std::io::Result<(UnixStream, BufReader<UnixStream>)> {
    Ok((stream.try_clone()?, BufReader::new(stream.try_clone()?)))
}
