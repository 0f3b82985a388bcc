//! The program that reads the files, found through `/proc`.

use core::ffi::CStr;

use crate::settings::Settings;
use crate::system::{self, Descriptor};

/// The size of a name in `/proc/PID/stat`, without its null byte.
const COMM_LENGTH: usize = 15;

/// What has become of a signal.
pub(crate) enum Delivery {
    Sent(u32),
    NotRunning,
    /// The signal would end the program.
    NoHandler,
}

/// Sends the signal to the program, unless it would end it.
pub(crate) fn send_signal(settings: &Settings<'_>) -> Delivery {
    let Some(process) = find(settings.process) else { return Delivery::NotRunning };
    match survives(process.pid, settings.signal) {
        true if system::kill(process.pid, settings.signal) => Delivery::Sent(process.pid),
        true => Delivery::NotRunning,
        false => Delivery::NoHandler,
    }
}

pub(crate) fn is_running(settings: &Settings<'_>) -> bool {
    find(settings.process).is_some()
}

/// A process with the program's name. The best one is the smallest: of a program and its children,
/// the program has started first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    by: NameSource,
    start_time: u64,
    pid: u32,
}

/// Where the program's name was found. A program that was started through a link has the name of
/// the link; a script is an argument of its interpreter.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum NameSource {
    Executable,
    Comm,
    Argument,
}

fn find(name: &[u8]) -> Option<Process> {
    let directory = system::open(c"/proc")?;
    let own_pid = system::own_pid();
    let mut best: Option<Process> = None;
    let mut buffer = [0; 4096];
    while let Some(entries) = directory.read_entries(&mut buffer).filter(|entries| !entries.is_empty()) {
        let mut rest = entries;
        while let Some((pid, next)) = next_entry(rest) {
            rest = next;
            let Some(process) = pid.filter(|pid| *pid != own_pid).and_then(|pid| examine(pid, name)) else {
                continue;
            };
            if best.as_ref().is_none_or(|best| process < *best) {
                best = Some(process);
            }
        }
    }
    best
}

/// Parses the first entry of a directory. Returns its name, if it is a PID, and the other entries.
fn next_entry(entries: &[u8]) -> Option<(Option<u32>, &[u8])> {
    // `struct linux_dirent64`: inode, offset, size of the entry, type, name.
    let (header, _) = entries.split_first_chunk::<19>()?;
    let [.., l0, l1, _] = *header;
    let (entry, rest) = entries.split_at_checked(u16::from_ne_bytes([l0, l1]).into())?;
    let name = CStr::from_bytes_until_nul(entry.get(19..)?).ok()?.to_bytes();
    Some((number(name).and_then(|pid| u32::try_from(pid).ok()), rest))
}

/// Returns the process if it has the program's name and may be signalled.
fn examine(pid: u32, name: &[u8]) -> Option<Process> {
    let mut buffer = [0; 1024];
    let stat = read(&ProcPath::new(pid, b"/stat"), &mut buffer);
    // The name may contain any byte, and is followed by the state and further numbers.
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let comm = stat.get(open + 1..close)?;
    let mut fields = stat.get(close + 2..)?.split(|byte| *byte == b' ');
    if matches!(fields.next()?, b"Z" | b"X") {
        return None;
    }
    let start_time = number(fields.nth(18)?)?;
    let by = name_source(pid, name, comm)?;
    system::kill(pid, 0).then_some(Process { by, start_time, pid })
}

fn name_source(pid: u32, name: &[u8], comm: &[u8]) -> Option<NameSource> {
    let mut buffer = [0; 4096];
    let executable = system::read_link(ProcPath::new(pid, b"/exe").as_c_str(), &mut buffer);
    if executable.is_some_and(|path| file_name(path) == name) {
        return Some(NameSource::Executable);
    }
    if comm == name.get(..COMM_LENGTH).unwrap_or(name) {
        return Some(NameSource::Comm);
    }
    let arguments = read(&ProcPath::new(pid, b"/cmdline"), &mut buffer);
    let mut arguments = arguments.split(|byte| *byte == 0).skip(1);
    let script = arguments.find(|argument| !argument.starts_with(b"-"))?;
    (file_name(script) == name).then_some(NameSource::Argument)
}

/// Returns whether a process handles, blocks or ignores a signal. It is about to handle it if not, when it
/// has just started.
fn survives(pid: u32, signal: u32) -> bool {
    let mut buffer = [0; 8192];
    let status = read(&ProcPath::new(pid, b"/status"), &mut buffer);
    let sets = status.split(|byte| *byte == b'\n').filter_map(|line| {
        [&b"SigBlk:\t"[..], b"SigIgn:\t", b"SigCgt:\t"].iter().find_map(|start| line.strip_prefix(*start))
    });
    let all = sets.filter_map(hexadecimal).fold(0, |all, set| all | set);
    all & (1 << (signal - 1)) != 0
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(text).ok()?;
    if text.starts_with('+') { None } else { text.parse().ok() }
}

fn hexadecimal(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(core::str::from_utf8(text).ok()?, 16).ok()
}

/// Reads a file up to the size of `buffer`; empty if it can't be read.
fn read<'b>(path: &ProcPath, buffer: &'b mut [u8]) -> &'b [u8] {
    let Some(file) = system::open(path.as_c_str()) else { return &[] };
    let length = fill(&file, buffer);
    buffer.get(..length).unwrap_or_default()
}

fn fill(file: &Descriptor, buffer: &mut [u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..) {
        match file.read(rest) {
            Some(bytes) if !bytes.is_empty() => length += bytes.len(),
            _ => break,
        }
    }
    length
}

/// The path of a file of a process.
struct ProcPath([u8; 32]);

impl ProcPath {
    fn new(pid: u32, file: &[u8]) -> Self {
        let mut digits = [0; 10];
        let pid = crate::message::digits(pid, &mut digits);
        let mut path = [0; 32];
        // The last byte is never written.
        for (slot, byte) in path.iter_mut().take(31).zip(b"/proc/".iter().chain(pid).chain(file)) {
            *slot = *byte;
        }
        Self(path)
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}
