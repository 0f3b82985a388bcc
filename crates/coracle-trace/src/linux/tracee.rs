//! Reads a stopped process: its registers, memory and descriptors.

use std::ffi::OsString;
use std::io::IoSliceMut;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

/// The longest path that the kernel accepts (`PATH_MAX`).
const MAX_PATH: usize = 4096;
/// The size of the smallest memory page, in bytes.
const PAGE_SIZE: usize = 4096;
/// The number of bytes that are read at a time of a path. Most paths are shorter.
const CHUNK_SIZE: usize = 256;

/// The registers of a system call.
pub(super) struct CallRegisters {
    pub(super) number: u64,
    pub(super) arguments: [u64; 6],
    /// The result; valid only at the end of the call.
    pub(super) result: i64,
}

#[cfg(target_arch = "x86_64")]
pub(super) fn call_registers(pid: Pid) -> Result<CallRegisters, Errno> {
    let registers = ptrace::getregs(pid)?;
    Ok(CallRegisters {
        number: registers.orig_rax,
        arguments: [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9],
        result: registers.rax.cast_signed(),
    })
}

#[cfg(target_arch = "aarch64")]
pub(super) fn call_registers(pid: Pid) -> Result<CallRegisters, Errno> {
    let registers = ptrace::getregs(pid)?;
    let [x0, x1, x2, x3, x4, x5, _, _, number, ..] = registers.regs;
    Ok(CallRegisters { number, arguments: [x0, x1, x2, x3, x4, x5], result: x0.cast_signed() })
}

/// Reads the path at `address` of `pid`. Fails with `ENAMETOOLONG` if it has no end.
pub(super) fn read_path(pid: Pid, address: u64) -> Result<PathBuf, Errno> {
    let mut bytes = Vec::new();
    let mut address = usize::try_from(address).map_err(|_| Errno::EFAULT)?;
    while bytes.len() < MAX_PATH {
        // The next page may not be mapped.
        let size = CHUNK_SIZE.min(PAGE_SIZE - address % PAGE_SIZE);
        let chunk = read_memory(pid, address, size)?;
        match chunk.iter().position(|&byte| byte == 0) {
            Some(end) => {
                bytes.extend(chunk.into_iter().take(end));
                return Ok(OsString::from_vec(bytes).into());
            }
            None => bytes.extend(chunk),
        }
        address = address.checked_add(size).ok_or(Errno::EFAULT)?;
    }
    Err(Errno::ENAMETOOLONG)
}

/// Reads the 64-bit number at `address` of `pid`.
pub(super) fn read_u64(pid: Pid, address: u64) -> Result<u64, Errno> {
    let address = usize::try_from(address).map_err(|_| Errno::EFAULT)?;
    let bytes = read_memory(pid, address, size_of::<u64>())?;
    bytes.try_into().map(u64::from_ne_bytes).map_err(|_| Errno::EFAULT)
}

/// Reads the path of a Unix socket's address. `None` for other addresses, and for abstract and
/// unnamed sockets. Source: unix(7).
pub(super) fn read_socket_path(pid: Pid, address: u64, size: u64) -> Result<Option<PathBuf>, Errno> {
    let address = usize::try_from(address).map_err(|_| Errno::EFAULT)?;
    let size = usize::try_from(size).map_err(|_| Errno::EFAULT)?.min(size_of::<libc::sockaddr_un>());
    let bytes = read_memory(pid, address, size)?;
    let Some((family, path)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
    if libc::c_int::from(u16::from_ne_bytes(*family)) != libc::AF_UNIX {
        return Ok(None);
    }
    let path: Vec<u8> = path.iter().copied().take_while(|&byte| byte != 0).collect();
    Ok((!path.is_empty()).then(|| OsString::from_vec(path).into()))
}

fn read_memory(pid: Pid, address: usize, size: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; size];
    let remote = RemoteIoVec { base: address, len: size };
    let read = process_vm_readv(pid, &mut [IoSliceMut::new(&mut bytes)], &[remote])?;
    bytes.truncate(read);
    if read == 0 && size > 0 { Err(Errno::EFAULT) } else { Ok(bytes) }
}

/// Returns the working directory of `pid`.
pub(super) fn working_directory(pid: Pid) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// Returns the file that `pid` executes; the interpreter of a script.
pub(super) fn executable(pid: Pid) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Returns the path of the descriptor `fd` of `pid`. `None` for pipes, sockets and removed files.
pub(super) fn descriptor_path(pid: Pid, fd: i32) -> Option<PathBuf> {
    let path = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
    let is_removed = path.as_os_str().as_encoded_bytes().ends_with(b" (deleted)");
    (path.is_absolute() && !is_removed).then_some(path)
}

/// Returns the absolute path of `path`, without `.`, relative to `directory`.
pub(super) fn absolute_path(directory: &Path, path: &Path) -> PathBuf {
    let joined: PathBuf = directory.join(path).components().collect();
    let has_parent = joined.components().any(|part| part == std::path::Component::ParentDir);
    // `..` after a link is the parent of its target.
    if has_parent { joined.canonicalize().unwrap_or(joined) } else { joined }
}
