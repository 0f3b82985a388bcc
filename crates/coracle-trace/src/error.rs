//! Errors of recording.

use std::io;
use std::path::PathBuf;

use coracle_core::hint::Hint;

/// Why a command cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// There is no such file.
    #[error("cannot run `{}`: there is no such file", .0.display())]
    NotFound(PathBuf),
    /// The file exists, but cannot be executed.
    #[error("cannot run `{}`", program.display())]
    CannotExecute {
        /// The program.
        program: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
    /// The program would run as another user or group, which the kernel prevents while it is traced.
    #[error(
        "cannot record `{}`: it is set-{what}-ID, and the kernel ignores that while a program is traced",
        program.display()
    )]
    SetId {
        /// The program.
        program: PathBuf,
        /// `user` or `group`.
        what: &'static str,
        /// The owner that it would run as.
        id: u32,
    },
    /// The program is for another machine.
    #[error("cannot record `{}`: it is for {machine}, but this process is for {own}", program.display())]
    ForeignArchitecture {
        /// The program.
        program: PathBuf,
        /// The program's architecture.
        machine: String,
        /// The architecture of this process.
        own: &'static str,
    },
    /// The kernel or a sandbox forbids `ptrace`.
    #[error("cannot record `{}`: this process is not permitted to trace it with ptrace", program.display())]
    NotPermitted {
        /// The program.
        program: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
    /// The command could not be started under the tracer.
    #[error("cannot record `{}`: the launcher ended before it started the program", .0.display())]
    LauncherFailed(PathBuf),
    /// A system call of the tracer failed.
    #[error("cannot trace a process: {call}")]
    SystemCall {
        /// The name of the system call.
        call: &'static str,
        /// The error of the system call.
        source: io::Error,
    },
    /// This machine is not supported.
    #[error("programs can be recorded only on Linux, for x86-64 and arm64")]
    Unsupported,
}

impl Hint for TraceError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound(_) => "check the path; a name without `/` is searched in PATH".into(),
            Self::CannotExecute { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "make it executable with `chmod +x`".into()
            }
            Self::CannotExecute { .. } => "check that it is a program for this machine, and that its interpreter exists".into(),
            Self::SetId { what: "user", id, .. } => {
                format!("record it as the user that it runs as: `sudo -u '#{id}' coracle record …`")
            }
            Self::SetId { id, .. } => {
                format!("record it with the group that it runs as: `sudo -g '#{id}' coracle record …`")
            }
            Self::ForeignArchitecture { machine, .. } => {
                format!("run this command on a machine for {machine}")
            }
            Self::NotPermitted { .. } => "allow it: for a container `--cap-add SYS_PTRACE`, on Kubernetes \
                                          `securityContext.capabilities.add: [SYS_PTRACE]`\n\
                                          on a host, `sysctl kernel.yama.ptrace_scope` must be 0 or 1, or 2 for root"
                .into(),
            Self::LauncherFailed(_) | Self::SystemCall { .. } => {
                "check that the sandbox or container allows ptrace and seccomp filters".into()
            }
            Self::Unsupported => "record the program on such a machine".into(),
        })
    }
}
