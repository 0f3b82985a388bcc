//! The seccomp filter that stops a process for the tracer at the system calls that are recorded.

use nix::libc;
use seccompiler::{BpfProgram, sock_filter};

use super::system_calls::{MMAP, RECORDED_CALLS};

/// The architecture in `struct seccomp_data`. Source: linux/audit.h.
#[cfg(target_arch = "x86_64")]
const NATIVE_ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const NATIVE_ARCHITECTURE: u32 = 0xC000_00B7;

/// Offsets in `struct seccomp_data`. Source: linux/seccomp.h.
const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;
/// The low half of the third argument, the protection of `mmap`.
const THIRD_ARGUMENT_OFFSET: u32 = 16 + 2 * 8;

/// Instructions. Source: linux/bpf_common.h.
/// `BPF_LD | BPF_W | BPF_ABS`
const LOAD: u16 = 0x20;
/// `BPF_JMP | BPF_JEQ | BPF_K`
const JUMP_IF_EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JSET | BPF_K`
const JUMP_IF_SET: u16 = 0x45;
/// `BPF_RET | BPF_K`
const RETURN: u16 = 0x06;

/// Returns whether the kernel has filters that stop a process for its tracer.
pub(super) fn kernel_supports_filters() -> bool {
    let actions = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail");
    actions.is_ok_and(|actions| actions.split_whitespace().any(|action| action == "trace"))
}

/// Installs the filter for this process and all its later children. They can gain no privileges by
/// executing programs from now on, as with any tracer.
pub(super) fn install_filter() -> seccompiler::Result<()> {
    seccompiler::apply_filter(&filter_program())
}

/// Returns the BPF program of the filter. System calls of another architecture pass unrecorded,
/// because their numbers differ.
fn filter_program() -> BpfProgram {
    let allow = filter_instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
    let trace = filter_instruction(RETURN, 0, 0, libc::SECCOMP_RET_TRACE);
    let mut program = vec![
        filter_instruction(LOAD, 0, 0, ARCHITECTURE_OFFSET),
        filter_instruction(JUMP_IF_EQUAL, 1, 0, NATIVE_ARCHITECTURE),
        allow.clone(),
        filter_instruction(LOAD, 0, 0, NUMBER_OFFSET),
    ];
    for &(number, _) in RECORDED_CALLS {
        program.push(filter_instruction(JUMP_IF_EQUAL, 0, 1, system_call_number(number)));
        program.push(trace.clone());
    }
    program.extend([
        // Only mappings of code matter: libraries.
        filter_instruction(JUMP_IF_EQUAL, 1, 0, system_call_number(MMAP)),
        allow.clone(),
        filter_instruction(LOAD, 0, 0, THIRD_ARGUMENT_OFFSET),
        filter_instruction(JUMP_IF_SET, 1, 0, libc::PROT_EXEC.unsigned_abs()),
        allow,
        trace,
    ]);
    program
}

/// Converts the number of a system call, which always fits.
fn system_call_number(number: libc::c_long) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn filter_instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}
