//! A container that an OCI runtime runs. The runtime stays its parent, copies its terminal, and
//! exits with its code.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use coracle_core::json;
use serde_json::Value;

use super::process;
use super::protocol::{ContainerExit, RuntimeCommand, SandboxEvent};
use super::sandbox_init::EventSender;

/// How often it is checked whether the runtime has started the program.
const START_POLL: Duration = Duration::from_millis(1);

/// A container and the runtime that runs it.
pub(super) struct RunningContainer {
    runtime: RuntimeCommand,
    pid: i32,
}

/// A command that is run in a container.
pub(super) struct ExecCommand(Command);

impl RunningContainer {
    /// Starts the runtime. A thread waits for it and reports when the program starts and ends.
    pub(super) fn start(
        runtime: RuntimeCommand,
        config: &Value,
        events: EventSender,
        slot: Arc<Mutex<Option<Self>>>,
    ) -> io::Result<()> {
        fs::create_dir_all(&runtime.bundle)?;
        fs::write(runtime.bundle.join("config.json"), json::to_bytes(config)?)?;
        let config = config.clone();
        thread::spawn(move || {
            let exit = match run(&runtime, &events, &slot) {
                // Without the right to write to cgroups, runc runs containers as an ordinary user's.
                ContainerExit::NotStarted(message) if message.contains("cgroup") && runtime.is_runc() => {
                    run_without_cgroup(&runtime, config, &events, &slot)
                }
                exit => exit,
            };
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
            events.send(&SandboxEvent::Exited(exit));
        });
        Ok(())
    }

    /// Sends a signal to the program. It fails only if the program has ended.
    pub(super) fn signal(&self, number: i32) {
        process::signal_process(self.pid, number);
    }

    pub(super) fn exec_command(&self, command: &[String]) -> ExecCommand {
        let mut exec = self.runtime.command();
        exec.arg("exec").arg(&self.runtime.id).args(command).stdin(Stdio::null()).stdout(Stdio::null());
        ExecCommand(exec)
    }
}

impl ExecCommand {
    /// Runs the command; its exit code.
    pub(super) fn run(mut self) -> Result<i32, String> {
        let output = self.0.output().map_err(|error| error.to_string())?;
        output.status.code().ok_or_else(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

impl RuntimeCommand {
    fn is_runc(&self) -> bool {
        self.program.file_name().is_some_and(|name| name == "runc")
    }

    fn log_path(&self) -> PathBuf {
        self.bundle.join("runtime.log")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.flags).arg("--root").arg(&self.state);
        command
    }

    fn start(&self, pid_file: &Path) -> io::Result<Child> {
        File::create(self.log_path())?;
        let mut command = self.command();
        command.arg("--log").arg(self.log_path()).arg("--log-format").arg("json");
        command.arg("run").arg("--bundle").arg(&self.bundle).arg("--pid-file").arg(pid_file).arg(&self.id);
        command.spawn()
    }
}

/// Runs the container until it ends.
fn run(
    runtime: &RuntimeCommand,
    events: &EventSender,
    slot: &Mutex<Option<RunningContainer>>,
) -> ContainerExit {
    let pid_file = runtime.bundle.join("pid");
    let _ = fs::remove_file(&pid_file);
    let mut child = match runtime.start(&pid_file) {
        Ok(child) => child,
        Err(error) => return ContainerExit::NotStarted(error.to_string()),
    };
    let mut is_started = false;
    while !is_started {
        if let Some(pid) = fs::read_to_string(&pid_file).ok().and_then(|text| text.trim().parse().ok()) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(RunningContainer { runtime: runtime.clone(), pid });
            events.send(&SandboxEvent::Started { pid });
            is_started = true;
        } else if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            break;
        } else {
            thread::sleep(START_POLL);
        }
    }
    let status = child.wait();
    let code = status.ok().and_then(|status| status.code());
    match (code, error_message(&runtime.log_path())) {
        (Some(0), _) => ContainerExit::Code(0),
        // The runtime may log an error of the program's start after it has written the process ID.
        (_, Some(message)) => ContainerExit::NotStarted(message),
        (Some(code), None) if is_started => ContainerExit::Code(code),
        (code, None) => ContainerExit::NotStarted(format!("it ended with exit code {}", code.unwrap_or(-1))),
    }
}

fn run_without_cgroup(
    runtime: &RuntimeCommand,
    mut config: Value,
    events: &EventSender,
    slot: &Mutex<Option<RunningContainer>>,
) -> ContainerExit {
    let mut runtime = runtime.clone();
    runtime.flags.push("--rootless=true".into());
    if let Some(linux) = config.get_mut("linux").and_then(Value::as_object_mut) {
        linux.remove("cgroupsPath");
    }
    let written = json::to_bytes(&config).map_err(io::Error::from);
    match written.and_then(|bytes| fs::write(runtime.bundle.join("config.json"), bytes)) {
        Ok(()) => run(&runtime, events, slot),
        Err(error) => ContainerExit::NotStarted(error.to_string()),
    }
}

/// Returns the last error in the runtime's log. Warnings are not errors of the program.
fn error_message(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    let lines = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut errors = lines.filter(|line| line.get("level").is_some_and(|level| level == "error"));
    let message = errors.next()?.get("msg")?.as_str()?.to_owned();
    Some(message.trim_start_matches("runc run failed: ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_of_the_log_is_the_reason() {
        let scratch = tempfile::tempdir().unwrap();
        let log = scratch.path().join("log");
        fs::write(
            &log,
            "{\"level\":\"error\",\"msg\":\"first\"}\n\
             {\"level\":\"error\",\"msg\":\"runc run failed: exec: no such file\"}\n\
             {\"level\":\"warning\",\"msg\":\"unable to get oom kill count\"}\n",
        )
        .unwrap();
        assert_eq!(error_message(&log).unwrap(), "exec: no such file");
        fs::write(&log, "{\"level\":\"warning\",\"msg\":\"x\"}\n").unwrap();
        assert_eq!(error_message(&log), None);
    }
}
