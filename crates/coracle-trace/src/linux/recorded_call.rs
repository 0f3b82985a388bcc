//! One system call: its paths when it starts, and what is recorded when it ends.

use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

use super::observed_paths::{Observation, ObservedPaths};
use super::system_calls::{CallKind, OpenFlags, PathArgument, call_kind};
use super::tracee::{self, CallRegisters};
use crate::{RecordedPath, TraceGap};

/// A system call whose result decides whether it is recorded.
pub(super) enum PendingCall {
    Ignored,
    Execute(RecordedPath),
    /// Paths with their uses. They are recorded if the call succeeds.
    Paths(Vec<(Observation, RecordedPath)>),
    Connect(RecordedPath),
}

impl PendingCall {
    /// Records the call of `program` once it has ended. `error` is its error number unless
    /// `is_success`.
    pub(super) fn record(self, is_success: bool, error: i32, program: &Path, paths: &mut ObservedPaths) {
        let is_absent = error == libc::ENOENT;
        match self {
            Self::Ignored => {}
            // A success is an event of its own.
            Self::Execute(path) if is_absent => paths.add(Observation::Absent, path, program),
            Self::Execute(_) => {}
            // A nonblocking socket is connected later.
            Self::Connect(path) if is_success || [libc::EINPROGRESS, libc::EAGAIN].contains(&error) => {
                paths.add(Observation::Connected, path, program);
            }
            Self::Connect(path) if is_absent => paths.add(Observation::Absent, path, program),
            Self::Connect(_) => {}
            Self::Paths(observations) => {
                for (observation, path) in observations {
                    if is_success {
                        paths.add(observation, path, program);
                    } else if is_absent && observation == Observation::Opened {
                        paths.add(Observation::Absent, path, program);
                    }
                }
            }
        }
    }
}

/// Reads the system call that a stopped thread starts.
pub(super) struct StoppedCall<'a> {
    pub(super) pid: Pid,
    /// The directory that relative paths of the command start at.
    pub(super) start_directory: &'a Path,
}

impl StoppedCall<'_> {
    /// Returns the call of `program` if its result decides what is recorded. Other calls are
    /// recorded at once.
    ///
    /// # Errors
    /// Fails with `EPERM` or `EACCES` if the process cannot be read.
    pub(super) fn read_call(
        &self,
        program: &Path,
        paths: &mut ObservedPaths,
    ) -> Result<Option<PendingCall>, Errno> {
        let call = tracee::call_registers(self.pid)?;
        let Some(kind) = call_kind(call.number) else { return Ok(None) };
        let done = |observation, path| Some(PendingCall::Paths(vec![(observation, path)]));
        let path = |argument| self.path_argument(&call, argument);
        Ok(match kind {
            CallKind::Open { path: argument, flags } => {
                let flags = self.open_flags(&call, flags)?;
                Some(PendingCall::Paths(open_observations(flags, path(argument)?)))
            }
            CallKind::Execute(argument) => Some(PendingCall::Execute(path(argument)?)),
            CallKind::CreateDirectory(argument) => done(Observation::DirectoryCreated, path(argument)?),
            CallKind::Write(argument) => done(Observation::Written, path(argument)?),
            CallKind::Remove(argument) => done(Observation::Removed, path(argument)?),
            CallKind::Rename(from, to) => Some(PendingCall::Paths(vec![
                (Observation::Removed, path(from)?),
                (Observation::Written, path(to)?),
            ])),
            CallKind::Connect => self.socket_path(&call)?.map(PendingCall::Connect),
            CallKind::Check(argument) => {
                // Without a path, the call is about a descriptor.
                if let Some(path) = self.nonempty_path_argument(&call, argument)? {
                    paths.add_checked(path, program);
                }
                None
            }
            CallKind::Bind => self.socket_path(&call)?.and_then(|path| done(Observation::Bound, path)),
            _ => {
                self.record_at_once(kind, &call, program, paths);
                None
            }
        })
    }

    fn record_at_once(
        &self,
        kind: CallKind,
        call: &CallRegisters,
        program: &Path,
        paths: &mut ObservedPaths,
    ) {
        let descriptor_path =
            |position| tracee::descriptor_path(self.pid, low_half(argument(call, position)));
        match kind {
            CallKind::ListDirectory => descriptor_path(0).into_iter().for_each(|path| paths.add_listed(path)),
            // Without the filter, all mappings stop.
            CallKind::MapCode if low_half(argument(call, 2)) & libc::PROT_EXEC != 0 => {
                descriptor_path(4).into_iter().for_each(|path| paths.add_mapped(path));
            }
            CallKind::ChangeRoot => paths.add_gap(TraceGap::ChangedRoot(program.to_owned())),
            CallKind::IoUring => paths.add_gap(TraceGap::IoUring(program.to_owned())),
            CallKind::Ptrace => paths.add_gap(TraceGap::UsesPtrace(program.to_owned())),
            _ => {}
        }
    }

    /// Returns the path of a Unix socket in the second argument.
    fn socket_path(&self, call: &CallRegisters) -> Result<Option<RecordedPath>, Errno> {
        let path = tracee::read_socket_path(self.pid, argument(call, 1), argument(call, 2))?;
        path.map(|path| self.recorded_path(&path, None)).transpose()
    }

    fn path_argument(
        &self,
        call: &CallRegisters,
        PathArgument { directory, path }: PathArgument,
    ) -> Result<RecordedPath, Errno> {
        let path = tracee::read_path(self.pid, argument(call, path))?;
        self.path_below(call, directory, &path)
    }

    /// Like [`Self::path_argument`]; `None` if the path is empty.
    fn nonempty_path_argument(
        &self,
        call: &CallRegisters,
        PathArgument { directory, path }: PathArgument,
    ) -> Result<Option<RecordedPath>, Errno> {
        // `statx` takes a null pointer for a descriptor.
        let address = argument(call, path);
        let path = if address == 0 { PathBuf::new() } else { tracee::read_path(self.pid, address)? };
        let is_empty = path.as_os_str().is_empty();
        if is_empty { Ok(None) } else { self.path_below(call, directory, &path).map(Some) }
    }

    fn path_below(
        &self,
        call: &CallRegisters,
        directory: Option<usize>,
        path: &Path,
    ) -> Result<RecordedPath, Errno> {
        let directory = directory.map(|directory| low_half(argument(call, directory)));
        self.recorded_path(path, directory.filter(|&fd| fd != libc::AT_FDCWD))
    }

    /// Returns the absolute path of `path`, which is relative to the descriptor or to the working
    /// directory.
    fn recorded_path(&self, path: &Path, directory: Option<i32>) -> Result<RecordedPath, Errno> {
        if path.is_absolute() {
            return Ok(RecordedPath { path: tracee::absolute_path(path, path), relative: None });
        }
        let directory = match directory {
            Some(fd) => tracee::descriptor_path(self.pid, fd),
            None => tracee::working_directory(self.pid),
        };
        // Unreadable, or the descriptor is invalid, and the call fails.
        let directory =
            directory.ok_or(if self.can_read_process() { Errno::EBADF } else { Errno::EACCES })?;
        let path = tracee::absolute_path(&directory, path);
        let relative = path.strip_prefix(self.start_directory).ok().map(Path::to_owned);
        Ok(RecordedPath { relative: relative.filter(|path| !path.as_os_str().is_empty()), path })
    }

    fn can_read_process(&self) -> bool {
        tracee::working_directory(self.pid).is_some()
    }

    fn open_flags(&self, call: &CallRegisters, flags: OpenFlags) -> Result<i32, Errno> {
        Ok(match flags {
            OpenFlags::Argument(position) => low_half(argument(call, position)),
            OpenFlags::Structure(position) => low_half(tracee::read_u64(self.pid, argument(call, position))?),
            OpenFlags::Create => libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC,
        })
    }
}

/// Returns how a call that opens `path` with these flags uses it.
fn open_observations(flags: i32, path: RecordedPath) -> Vec<(Observation, RecordedPath)> {
    let access = flags & libc::O_ACCMODE;
    let mut observations = Vec::new();
    if access != libc::O_RDONLY || flags & (libc::O_CREAT | libc::O_TRUNC) != 0 {
        observations.push((Observation::Written, path.clone()));
    }
    if access != libc::O_WRONLY && flags & libc::O_PATH == 0 {
        observations.push((Observation::Opened, path));
    }
    observations
}

/// Returns the argument at `position`.
fn argument(call: &CallRegisters, position: usize) -> u64 {
    call.arguments.get(position).copied().unwrap_or_default()
}

/// Returns the low half of an argument, which is a descriptor or flags.
fn low_half(argument: u64) -> i32 {
    let [a, b, c, d, ..] = argument.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}
