//! The system calls, the entry point and the panic handler: the only unsafe code.
//!
//! There is no C library, so that the program has no dependency and its bytes are the same on every
//! machine. Numbers and structures: `arch/x86/entry/syscalls/syscall_64.tbl`,
//! `include/uapi/asm-generic/unistd.h`, and the headers in `include/uapi/linux`.
#![allow(unsafe_code, reason = "system calls and the entry point cannot be written in safe code")]

use core::arch::{asm, global_asm};
use core::ffi::{CStr, c_char};

#[cfg(target_arch = "x86_64")]
mod number {
    pub(super) const READ: usize = 0;
    pub(super) const WRITE: usize = 1;
    pub(super) const CLOSE: usize = 3;
    pub(super) const RT_SIGPROCMASK: usize = 14;
    pub(super) const GETPID: usize = 39;
    pub(super) const KILL: usize = 62;
    pub(super) const GETDENTS64: usize = 217;
    pub(super) const EXIT_GROUP: usize = 231;
    pub(super) const INOTIFY_ADD_WATCH: usize = 254;
    pub(super) const OPENAT: usize = 257;
    pub(super) const READLINKAT: usize = 267;
    pub(super) const PPOLL: usize = 271;
    pub(super) const SIGNALFD4: usize = 289;
    pub(super) const INOTIFY_INIT1: usize = 294;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub(super) const INOTIFY_INIT1: usize = 26;
    pub(super) const INOTIFY_ADD_WATCH: usize = 27;
    pub(super) const OPENAT: usize = 56;
    pub(super) const CLOSE: usize = 57;
    pub(super) const GETDENTS64: usize = 61;
    pub(super) const READ: usize = 63;
    pub(super) const WRITE: usize = 64;
    pub(super) const PPOLL: usize = 73;
    pub(super) const SIGNALFD4: usize = 74;
    pub(super) const READLINKAT: usize = 78;
    pub(super) const EXIT_GROUP: usize = 94;
    pub(super) const KILL: usize = 129;
    pub(super) const RT_SIGPROCMASK: usize = 135;
    pub(super) const GETPID: usize = 172;
}

const AT_FDCWD: usize = -100_isize as usize;
const O_CLOEXEC: usize = 0o2_000_000;
/// `O_NONBLOCK`, `IN_NONBLOCK` and `SFD_NONBLOCK`.
const NONBLOCK: usize = 0o4_000;
const STDERR: usize = 2;
const SIG_BLOCK: usize = 0;
/// The size of the kernel's signal sets in bytes.
const SIGNAL_SET_SIZE: usize = 8;
const SIGHUP: u32 = 1;
const SIGINT: u32 = 2;
const SIGQUIT: u32 = 3;
const SIGPIPE: u32 = 13;
const SIGTERM: u32 = 15;
const POLLIN: i16 = 1;

// The kernel passes the arguments and the environment on the stack, whose alignment the C ABI
// prescribes for calls.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    start = sym start,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "and sp, x0, #-16",
    "bl {start}",
    "brk #1",
    start = sym start,
);

extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: `stack` is the initial stack pointer: argc, argc pointers and a null pointer precede
    // the pointers to the environment.
    let variables = unsafe { stack.add(*stack + 2).cast::<*const c_char>() };
    exit(crate::run(Environment { variables, lifetime: core::marker::PhantomData }))
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    write_stderr(b"coracle-reload: internal error\n");
    exit(70)
}

#[cfg(target_arch = "x86_64")]
unsafe fn system_call(number: usize, arguments: [usize; 5]) -> isize {
    let [first, second, third, fourth, fifth] = arguments;
    let result;
    // SAFETY: the caller guarantees that the arguments are valid for this call.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") first, in("rsi") second,
            in("rdx") third, in("r10") fourth, in("r8") fifth, lateout("rcx") _, lateout("r11") _,
            options(nostack));
    }
    result
}

#[cfg(target_arch = "aarch64")]
unsafe fn system_call(number: usize, arguments: [usize; 5]) -> isize {
    let [first, second, third, fourth, fifth] = arguments;
    let result;
    // SAFETY: the caller guarantees that the arguments are valid for this call.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") first as isize => result, in("x1") second,
            in("x2") third, in("x3") fourth, in("x4") fifth, options(nostack));
    }
    result
}

/// The variables of the process.
pub(crate) struct Environment<'a> {
    variables: *const *const c_char,
    lifetime: core::marker::PhantomData<&'a [u8]>,
}

impl<'a> Environment<'a> {
    pub(crate) fn value(&self, name: &[u8]) -> Option<&'a [u8]> {
        let mut next = self.variables;
        loop {
            // SAFETY: the array ends with a null pointer, which is not passed; the strings end with
            // a null byte and exist as long as the process.
            let variable = unsafe {
                if (*next).is_null() {
                    return None;
                }
                let variable = CStr::from_ptr(*next).to_bytes();
                next = next.add(1);
                variable
            };
            if let Some(value) = variable.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) {
                return Some(value);
            }
        }
    }
}

/// An open file descriptor, closed at the end.
pub(crate) struct Descriptor(usize);

impl Descriptor {
    fn from_result(result: isize) -> Option<Self> {
        usize::try_from(result).ok().map(Self)
    }

    /// Reads into `buffer`. Returns the bytes read; `None` if the call fails.
    pub(crate) fn read<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        self.fill(number::READ, buffer)
    }

    /// Reads entries of a directory into `buffer`.
    pub(crate) fn read_entries<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        self.fill(number::GETDENTS64, buffer)
    }

    fn fill<'b>(&self, number: usize, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        // SAFETY: the kernel writes at most `buffer.len()` bytes.
        let length =
            unsafe { system_call(number, [self.0, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0]) };
        buffer.get(..usize::try_from(length).ok()?)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: nothing else uses the descriptor.
        unsafe { system_call(number::CLOSE, [self.0, 0, 0, 0, 0]) };
    }
}

/// Opens a file or directory for reading.
pub(crate) fn open(path: &CStr) -> Option<Descriptor> {
    // SAFETY: the path ends with a null byte.
    Descriptor::from_result(unsafe {
        system_call(number::OPENAT, [AT_FDCWD, path.as_ptr() as usize, O_CLOEXEC, 0, 0])
    })
}

/// Reads the target of a link.
pub(crate) fn read_link<'b>(path: &CStr, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let arguments = [AT_FDCWD, path.as_ptr() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0];
    // SAFETY: the path ends with a null byte, and the kernel writes at most `buffer.len()` bytes.
    let length = unsafe { system_call(number::READLINKAT, arguments) };
    buffer.get(..usize::try_from(length).ok()?)
}

/// Sends a signal. Returns whether this process may; signal 0 only asks.
pub(crate) fn kill(pid: u32, signal: u32) -> bool {
    // SAFETY: the call has no pointers.
    unsafe { system_call(number::KILL, [pid as usize, signal as usize, 0, 0, 0]) == 0 }
}

pub(crate) fn own_pid() -> u32 {
    // SAFETY: the call has no pointers.
    unsafe { system_call(number::GETPID, [0; 5]) as u32 }
}

pub(crate) fn write_stderr(text: &[u8]) {
    // SAFETY: the kernel reads `text.len()` bytes. A message that cannot be written is lost.
    unsafe { system_call(number::WRITE, [STDERR, text.as_ptr() as usize, text.len(), 0, 0]) };
}

fn exit(code: i32) -> ! {
    loop {
        // SAFETY: the call has no pointers, and does not return.
        unsafe { system_call(number::EXIT_GROUP, [code as usize, 0, 0, 0, 0]) };
    }
}

/// Blocks the signals that end a process, and returns a descriptor that reports them. A process
/// with PID 1 has no default handlers, so it would ignore them.
pub(crate) fn stop_signals() -> Option<Descriptor> {
    let set = |signals: &[u32]| signals.iter().fold(0_u64, |set, signal| set | 1 << (signal - 1));
    let stop = set(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM]);
    // Without a reader of stderr, messages are lost.
    let blocked = stop | set(&[SIGPIPE]);
    let (blocked, stop) = (&raw const blocked as usize, &raw const stop as usize);
    // SAFETY: the kernel reads both sets, whose size is passed.
    unsafe {
        system_call(number::RT_SIGPROCMASK, [SIG_BLOCK, blocked, 0, SIGNAL_SET_SIZE, 0]);
        let new = -1_isize as usize;
        Descriptor::from_result(system_call(
            number::SIGNALFD4,
            [new, stop, SIGNAL_SET_SIZE, O_CLOEXEC | NONBLOCK, 0],
        ))
    }
}

pub(crate) fn inotify() -> Option<Descriptor> {
    // SAFETY: the call has no pointers.
    Descriptor::from_result(unsafe { system_call(number::INOTIFY_INIT1, [O_CLOEXEC | NONBLOCK, 0, 0, 0, 0]) })
}

/// Watches a path. Returns whether it can be watched.
pub(crate) fn add_watch(inotify: &Descriptor, path: &CStr, events: u32) -> bool {
    let arguments = [inotify.0, path.as_ptr() as usize, events as usize, 0, 0];
    // SAFETY: the path ends with a null byte.
    unsafe { system_call(number::INOTIFY_ADD_WATCH, arguments) >= 0 }
}

/// Why [`wait`] has returned.
pub(crate) enum Wake {
    Stop,
    Readable,
    TimedOut,
}

#[repr(C)]
struct PollDescriptor {
    descriptor: i32,
    events: i16,
    returned: i16,
}

#[repr(C)]
struct TimeSpec {
    seconds: i64,
    nanoseconds: i64,
}

/// Waits for a signal that ends this process, for `readable`, or for the timeout in milliseconds.
pub(crate) fn wait(stop: &Descriptor, readable: Option<&Descriptor>, timeout_ms: Option<u32>) -> Wake {
    let poll = |descriptor: Option<&Descriptor>| PollDescriptor {
        // A negative descriptor is ignored.
        descriptor: descriptor.map_or(-1, |descriptor| descriptor.0 as i32),
        events: POLLIN,
        returned: 0,
    };
    let mut polled = [poll(Some(stop)), poll(readable)];
    let timeout = timeout_ms.map(|ms| TimeSpec {
        seconds: i64::from(ms / 1_000),
        nanoseconds: i64::from(ms % 1_000) * 1_000_000,
    });
    loop {
        // Linux writes the remaining time.
        let mut remaining = timeout.as_ref().map(|TimeSpec { seconds, nanoseconds }| TimeSpec {
            seconds: *seconds,
            nanoseconds: *nanoseconds,
        });
        let time = remaining.as_mut().map_or(0, |time| &raw mut *time as usize);
        let arguments = [polled.as_mut_ptr() as usize, polled.len(), time, 0, SIGNAL_SET_SIZE];
        // SAFETY: the kernel writes to the two structures, which outlive the call.
        let count = unsafe { system_call(number::PPOLL, arguments) };
        let [stop, _] = &polled;
        match count {
            // Interrupted, for example by SIGCONT.
            ..0 => {}
            0 => return Wake::TimedOut,
            _ if stop.returned != 0 => return Wake::Stop,
            _ => return Wake::Readable,
        }
    }
}
