//! Runs in the background, and `coracle stop`.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use coracle_core::fs::Context as _;
use coracle_run::{RunDirectory, RunRecord};
use signal_hook::consts::SIGTERM;

use super::backend::own_executable;
use super::runs_directory;
use crate::cli::args::{RunArgs, StopArgs};
use crate::cli::console_output;
use crate::cli::error::{CliError, CliExit};
use crate::cli::interrupt;

/// How often it is checked whether a run has started or ended.
const POLL: Duration = Duration::from_millis(10);
/// How long `coracle stop` waits beyond the time after which a run kills its program.
const STOP_TIMEOUT: Duration = Duration::from_secs(600);
/// Flags of this command that the run in the background does not get.
const FOREGROUND_FLAGS: [&str; 3] = ["--detach", "--wait-ready", "-d"];

/// Starts this command again in the background, and waits until the program runs or is ready.
pub(super) fn start_in_background(args: &RunArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let base = runs_directory();
    RunDirectory::create_base(&base)?;
    let log = base.join(format!(".log-{}", std::process::id()));
    let mut child = spawn(&log)?;
    let record = wait_for_start(&mut child, &base, args.wait_ready, &log)?;
    if !args.quiet {
        console_output::print_message(&format!(
            "runs in the background; its output is in {}; end it with `coracle stop {}`\n",
            log.display(),
            record.name
        ));
    }
    let said: Vec<String> = if args.wait_ready { record.addresses } else { vec![record.name] };
    console_output::print_data(&said.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    Ok(CliExit::Success)
}

fn spawn(log: &Path) -> Result<Child, CliError> {
    let open = || File::options().create(true).append(true).open(log).context("create", log);
    let executable = own_executable()?;
    let mut own: Vec<OsString> = std::env::args_os().collect();
    let name = if own.is_empty() { OsString::from("coracle") } else { own.remove(0) };
    let mut is_for_program = false;
    own.retain(|arg| {
        is_for_program |= arg == "--";
        is_for_program || !FOREGROUND_FLAGS.iter().any(|flag| arg == flag)
    });
    let at = own.iter().position(|arg| arg == "--").unwrap_or(own.len());
    own.splice(at..at, ["--background-log".into(), log.as_os_str().to_owned()]);
    let mut command = Command::new(&executable);
    command.arg0(name).args(own).stdin(Stdio::null()).stdout(open()?).stderr(open()?).process_group(0);
    let child = command.spawn();
    child.map_err(|error| CliError::failed(format!("cannot run `{}`: {error}", executable.display())))
}

/// Waits until the run in the background has a program that runs, or with `is_ready_needed` is ready.
fn wait_for_start(
    child: &mut Child,
    base: &Path,
    is_ready_needed: bool,
    log: &Path,
) -> Result<RunRecord, CliError> {
    loop {
        if let Some(record) = RunRecord::find_process(base, child.id())
            && (record.is_ready || !is_ready_needed && record.container_pid.is_some())
        {
            return Ok(record);
        }
        if let Ok(Some(status)) = child.try_wait() {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            let _ = std::fs::remove_file(log);
            console_output::print_unwrapped(&said);
            let code = status.code().unwrap_or(CliExit::Failed as i32);
            return Err(CliError::failed(format!(
                "the run has ended with exit code {code} before it was {}",
                if is_ready_needed { "ready" } else { "running" }
            )));
        }
        if interrupt::is_cancelled() {
            if let Some(record) = RunRecord::find_process(base, child.id()) {
                record.signal(SIGTERM);
            }
            let _ = child.wait();
            return Err(CliError::interrupted("the run has ended"));
        }
        thread::sleep(POLL);
    }
}

/// Runs `coracle stop`.
pub(in crate::cli) fn run_stop(args: &StopArgs) -> Result<CliExit, CliError> {
    let base = runs_directory();
    let record = find_run(&base, args.name.as_deref())?;
    let start = Instant::now();
    record.signal(SIGTERM);
    let still_runs = || RunRecord::read(&base, &record.name).is_some_and(|current| current.pid == record.pid);
    let mut is_told = false;
    while still_runs() {
        if start.elapsed() > Duration::from_secs(1) && !is_told && !args.quiet {
            is_told = true;
            console_output::print_message(&format!(
                "`{}` has not ended yet; it is killed after its time\n",
                record.name
            ));
        }
        if start.elapsed() > STOP_TIMEOUT {
            return Err(CliError::failed_with_hint(
                format!("`{}` does not end", record.name),
                format!("kill it: `kill -9 {}`", record.pid),
            ));
        }
        thread::sleep(POLL);
    }
    if !args.quiet {
        console_output::print_message(&format!("stopped {}\n", record.name));
    }
    Ok(CliExit::Success)
}

/// Returns the run with this name, or the only one.
pub(super) fn find_run(base: &Path, name: Option<&str>) -> Result<RunRecord, CliError> {
    let runs = RunRecord::read_all(base);
    let names = || runs.iter().map(|run| format!("`{}`", run.name)).collect::<Vec<_>>().join(", ");
    match name {
        Some(name) => RunRecord::read(base, name).ok_or_else(|| CliError {
            exit: CliExit::Usage,
            message: format!("no run is called `{name}`"),
            hint: Some(if runs.is_empty() {
                "nothing runs".to_owned()
            } else {
                format!("there are {}", names())
            }),
        }),
        None => match runs.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(CliError::usage(
                "nothing runs",
                "start something in the background with `coracle run --detach`",
            )),
            _ => Err(CliError::usage("several programs run", format!("name one of {}", names()))),
        },
    }
}
