//! The loop that handles the events of all recorded processes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::unistd::Pid;
use rustix::process::{WaitOptions, WaitStatus};

use super::forward_signals::RunningProcesses;
use super::observed_paths::{Observation, ObservedPaths};
use super::program_check::{foreign_machine_name, set_id_owner};
use super::recorded_call::{PendingCall, StoppedCall};
use super::recorder::system_call_error;
use super::resume_process::{Resume, resume};
use super::tracee::{self, CallRegisters};
use crate::{ProgramStatus, RecordedPath, Trace, TraceError, TraceGap};

/// Waits for all processes and threads of this tracer, but not for other children of this process.
const WAIT_OPTIONS: u32 = (libc::__WALL | libc::__WNOTHREAD).cast_unsigned();

/// The signal of a stop at a system call, with `PTRACE_O_TRACESYSGOOD`.
const SYSTEM_CALL_STOP: i32 = libc::SIGTRAP | 0x80;

/// Records the processes of one command.
pub(super) struct Tracer {
    program: Pid,
    /// `true` if processes stop only at the system calls that are recorded.
    is_filtered: bool,
    threads: BTreeMap<i32, Thread>,
    processes: RunningProcesses,
    paths: ObservedPaths,
    /// The directory that relative paths of the command start at.
    start_directory: PathBuf,
    program_file: Arc<Path>,
    start: LauncherState,
    status: Option<ProgramStatus>,
}

/// The state of the launcher: before or after it has executed the program.
enum LauncherState {
    Pending,
    Executed,
    Failed(Errno),
}

/// A thread of a recorded process.
struct Thread {
    /// The program that the thread executes, for messages.
    program: Arc<Path>,
    /// The system call that the thread executes, if its end matters.
    pending: Option<PendingCall>,
}

impl Tracer {
    pub(super) fn new(
        program: Pid,
        program_file: &Path,
        is_filtered: bool,
        processes: RunningProcesses,
    ) -> Self {
        let program_file: Arc<Path> = program_file.into();
        processes.add(program);
        let thread = Thread { program: program_file.clone(), pending: None };
        Self {
            program,
            is_filtered,
            threads: [(program.as_raw(), thread)].into(),
            processes,
            paths: ObservedPaths::default(),
            start_directory: tracee::working_directory(program).unwrap_or_default(),
            program_file,
            start: LauncherState::Pending,
            status: None,
        }
    }

    /// Handles events until all processes have ended.
    pub(super) fn trace_to_end(&mut self) -> Result<(), TraceError> {
        loop {
            match rustix::process::wait(WaitOptions::from_bits_retain(WAIT_OPTIONS)) {
                Ok(Some((pid, status))) => {
                    self.handle_event(Pid::from_raw(pid.as_raw_nonzero().get()), status)?;
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CHILD) => return Ok(()),
                Err(error) => return Err(TraceError::SystemCall { call: "wait", source: error.into() }),
            }
        }
    }

    /// Returns what was recorded. Fails if the program was never executed.
    pub(super) fn finish(self) -> Result<(Trace, ProgramStatus), TraceError> {
        let program = self.program_file.to_path_buf();
        match (self.start, self.status) {
            (LauncherState::Executed, Some(status)) => Ok((self.paths.into_trace(), status)),
            (LauncherState::Failed(error), _) => {
                Err(TraceError::CannotExecute { program, source: error.into() })
            }
            _ => Err(TraceError::LauncherFailed(program)),
        }
    }

    fn handle_event(&mut self, pid: Pid, status: WaitStatus) -> Result<(), TraceError> {
        if status.stopped() {
            let (how, signal) = self.handle_stop(pid, status.as_raw());
            return resume(pid, how, signal).map_err(|error| system_call_error("ptrace", error));
        }
        self.threads.remove(&pid.as_raw());
        self.processes.remove(pid);
        if pid == self.program {
            let exited = status.exit_status().map(ProgramStatus::Exited);
            self.status = exited.or_else(|| status.terminating_signal().map(ProgramStatus::Killed));
        }
        Ok(())
    }

    /// Handles a stop. Returns how the thread goes on, and with which signal.
    fn handle_stop(&mut self, pid: Pid, status: i32) -> (Resume, i32) {
        let (signal, event) = ((status >> 8) & 0xff, status >> 16);
        match event {
            libc::PTRACE_EVENT_SECCOMP => self.enter_call(pid),
            libc::PTRACE_EVENT_EXEC => self.record_executed(pid),
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                self.add_child(pid);
            }
            libc::PTRACE_EVENT_STOP if signal != libc::SIGTRAP => return (Resume::StayStopped, 0),
            0 if signal == SYSTEM_CALL_STOP => match self.thread(pid).pending.is_some() {
                true => self.leave_call(pid),
                false => self.enter_call(pid),
            },
            0 => return (self.resume_kind(pid), signal),
            _ => {}
        }
        (self.resume_kind(pid), 0)
    }

    fn resume_kind(&mut self, pid: Pid) -> Resume {
        match self.is_filtered && self.thread(pid).pending.is_none() {
            true => Resume::Continue,
            false => Resume::UntilSystemCall,
        }
    }

    /// Returns the thread, which may stop before its parent's event is handled.
    fn thread(&mut self, pid: Pid) -> &mut Thread {
        let program = &self.program_file;
        self.threads.entry(pid.as_raw()).or_insert_with(|| Thread { program: program.clone(), pending: None })
    }

    /// Adds the process or thread that `parent` has started.
    fn add_child(&mut self, parent: Pid) {
        let Some(child) = ptrace::getevent(parent).ok().and_then(|pid| i32::try_from(pid).ok()) else {
            return;
        };
        let program = self.thread(parent).program.clone();
        let child = Pid::from_raw(child);
        self.thread(child).program = program;
        if !Path::new(&format!("/proc/{parent}/task/{child}")).exists() {
            self.processes.add(child);
        }
    }

    /// Records that `pid` executes another program now.
    fn record_executed(&mut self, pid: Pid) {
        // All other threads have ended, and the one that called has this number now.
        let caller = ptrace::getevent(pid).ok().and_then(|caller| i32::try_from(caller).ok());
        let caller = caller.unwrap_or(pid.as_raw());
        let pending = self.threads.get_mut(&caller).and_then(|thread| thread.pending.take());
        if caller != pid.as_raw() {
            self.threads.remove(&caller);
            self.processes.remove(Pid::from_raw(caller));
        }
        self.start = LauncherState::Executed;
        let executable = tracee::executable(pid);
        let named = match pending {
            Some(PendingCall::Execute(path)) => Some(path),
            _ => executable.as_deref().map(RecordedPath::from),
        };
        // Its end is a stop of its own.
        self.thread(pid).pending = Some(PendingCall::Ignored);
        let Some(named) = named else { return };
        let program: Arc<Path> = named.path.as_path().into();
        self.paths.add(Observation::Executed, named, &program);
        self.thread(pid).program = program.clone();
        if let Some(executable) = executable {
            if executable.metadata().ok().as_ref().and_then(set_id_owner).is_some() {
                self.paths.add_gap(TraceGap::SetId(executable.clone()));
            }
            if foreign_machine_name(&executable).is_some() {
                self.paths.add_gap(TraceGap::ForeignArchitecture(executable));
            }
        }
    }

    /// Handles the start of a system call. Calls whose failure does not matter are recorded at once.
    fn enter_call(&mut self, pid: Pid) {
        let program = self.thread(pid).program.clone();
        let reader = StoppedCall { pid, start_directory: &self.start_directory };
        let pending = match reader.read_call(&program, &mut self.paths) {
            Ok(pending) => pending,
            Err(Errno::EPERM | Errno::EACCES) => {
                self.paths.add_gap(TraceGap::NotDumpable(program.to_path_buf()));
                None
            }
            // The address is invalid, so the call fails; or the process was killed.
            Err(_) => None,
        };
        let pending = pending.or_else(|| (!self.is_filtered).then_some(PendingCall::Ignored));
        self.thread(pid).pending = pending;
    }

    /// Handles the end of a system call.
    fn leave_call(&mut self, pid: Pid) {
        let thread = self.thread(pid);
        let program = thread.program.clone();
        let Some(pending) = thread.pending.take() else { return };
        // Otherwise the process was killed.
        if let Ok(CallRegisters { result, .. }) = tracee::call_registers(pid) {
            let error = i32::try_from(result.checked_neg().unwrap_or_default()).unwrap_or_default();
            match (&pending, &self.start) {
                (PendingCall::Execute(_), LauncherState::Pending | LauncherState::Failed(_)) => {
                    self.start = LauncherState::Failed(Errno::from_raw(error));
                }
                _ => pending.record(result >= 0, error, &program, &mut self.paths),
            }
        }
    }
}
