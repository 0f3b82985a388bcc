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

/// Where the flags of `open` are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OpenFlags {
    /// In this argument.
    Argument(usize),
    /// In the structure that this argument points to.
    Structure(usize),
    /// As those of `creat`.
    Create,
}

/// A path at this position, relative to the working directory.
#[cfg(target_arch = "x86_64")]
const fn plain(path: usize) -> PathArgument {
    PathArgument { directory: None, path }
}

/// A path relative to the descriptor at this position, followed by it.
const fn at(directory: usize) -> PathArgument {
    PathArgument { directory: Some(directory), path: directory + 1 }
}

/// Recorded only for mappings of code.
pub(super) const MMAP: c_long = libc::SYS_mmap;

/// All other system calls that are recorded.
pub(super) const RECORDED_CALLS: &[(c_long, CallKind)] = &[
    (libc::SYS_openat, CallKind::Open { path: at(0), flags: OpenFlags::Argument(2) }),
    (libc::SYS_openat2, CallKind::Open { path: at(0), flags: OpenFlags::Structure(2) }),
    (libc::SYS_getdents64, CallKind::ListDirectory),
    (libc::SYS_execve, CallKind::Execute(PathArgument { directory: None, path: 0 })),
    (libc::SYS_execveat, CallKind::Execute(at(0))),
    (libc::SYS_connect, CallKind::Connect),
    (libc::SYS_bind, CallKind::Bind),
    (libc::SYS_mkdirat, CallKind::CreateDirectory(at(0))),
    (libc::SYS_mknodat, CallKind::Write(at(0))),
    (libc::SYS_truncate, CallKind::Write(PathArgument { directory: None, path: 0 })),
    (libc::SYS_unlinkat, CallKind::Remove(at(0))),
    (libc::SYS_renameat2, CallKind::Rename(at(0), at(2))),
    (libc::SYS_renameat, CallKind::Rename(at(0), at(2))),
    (libc::SYS_linkat, CallKind::Write(at(2))),
    (libc::SYS_symlinkat, CallKind::Write(at(1))),
    (libc::SYS_chroot, CallKind::ChangeRoot),
    (libc::SYS_pivot_root, CallKind::ChangeRoot),
    (libc::SYS_mount, CallKind::ChangeRoot),
    (libc::SYS_io_uring_setup, CallKind::IoUring),
    (libc::SYS_ptrace, CallKind::Ptrace),
    (libc::SYS_newfstatat, CallKind::Check(at(0))),
    (libc::SYS_statx, CallKind::Check(at(0))),
    (libc::SYS_faccessat, CallKind::Check(at(0))),
    (libc::SYS_faccessat2, CallKind::Check(at(0))),
    (libc::SYS_readlinkat, CallKind::Check(at(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, CallKind::Open { path: plain(0), flags: OpenFlags::Argument(1) }),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, CallKind::Open { path: plain(0), flags: OpenFlags::Create }),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_getdents, CallKind::ListDirectory),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, CallKind::CreateDirectory(plain(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, CallKind::Write(plain(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, CallKind::Remove(plain(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rmdir, CallKind::Remove(plain(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, CallKind::Rename(plain(0), plain(1))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_link, CallKind::Write(plain(1))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_symlink, CallKind::Write(plain(1))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_stat, CallKind::Check(plain(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lstat, CallKind::Check(plain(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_access, CallKind::Check(plain(0))),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_readlink, CallKind::Check(plain(0))),
];

/// Returns what the system call `number` does. `None` if it is not recorded.
pub(super) fn call_kind(number: u64) -> Option<CallKind> {
    let number = c_long::try_from(number).ok()?;
    if number == MMAP {
        return Some(CallKind::MapCode);
    }
    RECORDED_CALLS.iter().find(|(recorded, _)| *recorded == number).map(|(_, kind)| *kind)
}
