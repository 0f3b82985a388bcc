//! The system calls that are recorded, and which of their arguments are paths.

use nix::libc::{self, c_long};

/// The effects of recorded system calls. The numbers are positions of arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallKind {
    /// Opens a path with flags.
    Open { path: PathArgument, flags: OpenFlags },
    /// Executes a path.
    Execute(PathArgument),
    /// Lists the directory of a descriptor.
    ListDirectory,
    /// Maps the descriptor in the fifth argument as code.
    MapCode,
    /// Connects to a socket address.
    Connect,
    /// Binds a socket address.
    Bind,
    /// Creates a directory.
    CreateDirectory(PathArgument),
    /// Creates or changes a file.
    Write(PathArgument),
    /// Removes a path.
    Remove(PathArgument),
    /// Renames the first path to the second.
    Rename(PathArgument, PathArgument),
    /// Changes the root directory or the mounts.
    ChangeRoot,
    /// Sets up an `io_uring`.
    IoUring,
    /// Traces a process.
    Ptrace,
    /// Checks whether a path exists, or reads its metadata or the target of a link.
    Check(PathArgument),
}

/// A path in the arguments of a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PathArgument {
    /// The descriptor of the directory that the path is relative to. `None` for the working directory.
    pub(super) directory: Option<usize>,
    pub(super) path: usize,
}

/// Where a system call that opens a file has its flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OpenFlags {
    /// The flags are in this argument.
    Argument(usize),
    /// The flags are in the structure that this argument points to.
    Structure(usize),
    /// There are no flags: the call is `creat`, which creates or truncates the file.
    Create,
}

/// The path in the argument at position `path`, relative to the working directory.
#[cfg(target_arch = "x86_64")]
const fn cwd_path(path: usize) -> PathArgument {
    PathArgument { directory: None, path }
}

/// The path in the argument after position `directory`, relative to the descriptor at that
/// position.
const fn dirfd_path(directory: usize) -> PathArgument {
    PathArgument { directory: Some(directory), path: directory + 1 }
}

/// The number of `mmap`, which is recorded only if it maps code.
pub(super) const MMAP: c_long = libc::SYS_mmap;

/// The recorded system calls except `mmap`, with their effects.
pub(super) const RECORDED_CALLS: &[(c_long, CallKind)] = &[
    (libc::SYS_openat, CallKind::Open { path: dirfd_path(0), flags: OpenFlags::Argument(2) }),
    (libc::SYS_openat2, CallKind::Open { path: dirfd_path(0), flags: OpenFlags::Structure(2) }),
    (libc::SYS_getdents64, CallKind::ListDirectory),
    (libc::SYS_execve, CallKind::Execute(PathArgument { directory: None, path: 0 })),
    (libc::SYS_execveat, CallKind::Execute(dirfd_path(0))),
    (libc::SYS_connect, CallKind::Connect),
    (libc::SYS_bind, CallKind::Bind),
    (libc::SYS_mkdirat, CallKind::CreateDirectory(dirfd_path(0))),
    (libc::SYS_mknodat, CallKind::Write(dirfd_path(0))),
    (libc::SYS_truncate, CallKind::Write(PathArgument { directory: None, path: 0 })),
    (libc::SYS_unlinkat, CallKind::Remove(dirfd_path(0))),
    (libc::SYS_renameat2, CallKind::Rename(dirfd_path(0), dirfd_path(2))),
    (libc::SYS_renameat, CallKind::Rename(dirfd_path(0), dirfd_path(2))),
    (libc::SYS_linkat, CallKind::Write(dirfd_path(2))),
    (libc::SYS_symlinkat, CallKind::Write(dirfd_path(1))),
    (libc::SYS_chroot, CallKind::ChangeRoot),
    (libc::SYS_pivot_root, CallKind::ChangeRoot),
    (libc::SYS_mount, CallKind::ChangeRoot),
    (libc::SYS_io_uring_setup, CallKind::IoUring),
    (libc::SYS_ptrace, CallKind::Ptrace),
    (libc::SYS_newfstatat, CallKind::Check(dirfd_path(0))),
    (libc::SYS_statx, CallKind::Check(dirfd_path(0))),
    (libc::SYS_faccessat, CallKind::Check(dirfd_path(0))),
    (libc::SYS_faccessat2, CallKind::Check(dirfd_path(0))),
    (libc::SYS_readlinkat, CallKind::Check(dirfd_path(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, CallKind::Open { path: cwd_path(0), flags: OpenFlags::Argument(1) }),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, CallKind::Open { path: cwd_path(0), flags: OpenFlags::Create }),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_getdents, CallKind::ListDirectory),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, CallKind::CreateDirectory(cwd_path(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, CallKind::Write(cwd_path(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, CallKind::Remove(cwd_path(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rmdir, CallKind::Remove(cwd_path(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, CallKind::Rename(cwd_path(0), cwd_path(1))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_link, CallKind::Write(cwd_path(1))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_symlink, CallKind::Write(cwd_path(1))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_stat, CallKind::Check(cwd_path(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lstat, CallKind::Check(cwd_path(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_access, CallKind::Check(cwd_path(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_readlink, CallKind::Check(cwd_path(0))),
];

/// Returns what the system call `number` does. `None` if it is not recorded.
pub(super) fn call_kind(number: u64) -> Option<CallKind> {
    let number = c_long::try_from(number).ok()?;
    if number == MMAP {
        return Some(CallKind::MapCode);
    }
    RECORDED_CALLS.iter().find(|(recorded, _)| *recorded == number).map(|(_, kind)| *kind)
}
