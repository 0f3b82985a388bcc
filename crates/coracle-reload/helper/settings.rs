//! The settings, from variables.

use crate::message::Message;
use crate::process::number;
use crate::system::Environment;

/// The names of the signals, by number from 1; the numbers are those of x86-64 and ARM64.
const SIGNALS: [&[u8]; 31] = [
    b"HUP", b"INT", b"QUIT", b"ILL", b"TRAP", b"ABRT", b"BUS", b"FPE", b"KILL", b"USR1", b"SEGV", b"USR2",
    b"PIPE", b"ALRM", b"TERM", b"STKFLT", b"CHLD", b"CONT", b"STOP", b"TSTP", b"TTIN", b"TTOU", b"URG",
    b"XCPU", b"XFSZ", b"VTALRM", b"PROF", b"WINCH", b"IO", b"PWR", b"SYS",
];

/// `SIGRTMIN` of glibc, as engines number it, and `SIGRTMAX`.
const FIRST_REAL_TIME: u32 = 34;
const LAST: u32 = 64;

pub(crate) struct Settings<'a> {
    /// The directories, separated by colons, which Kubernetes does not allow in mount paths.
    pub(crate) directories: &'a [u8],
    pub(crate) signal_name: &'a [u8],
    pub(crate) signal: u32,
    /// The file name of the program.
    pub(crate) process: &'a [u8],
}

impl<'a> Settings<'a> {
    pub(crate) fn from_environment(environment: &Environment<'a>) -> Result<Self, Message> {
        let value = |name: &[u8]| match environment.value(name) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(Message::new()
                .text(b"the variable ")
                .text(name)
                .text(b" is not set; set WATCH_DIRS=DIR[:DIR], SIGNAL=SIGHUP and PROCESS=NAME")),
        };
        let (directories, signal_name, process) =
            (value(b"WATCH_DIRS")?, value(b"SIGNAL")?, value(b"PROCESS")?);
        let Some(signal) = signal_number(signal_name) else {
            return Err(Message::new()
                .text(b"SIGNAL: ")
                .text(signal_name)
                .text(b" is not a signal; write it as SIGHUP"));
        };
        Ok(Self { directories, signal_name, signal, process })
    }

    pub(crate) fn directories(&self) -> impl Iterator<Item = &'a [u8]> {
        self.directories.split(|byte| *byte == b':').filter(|directory| !directory.is_empty())
    }
}

/// Returns the number of a signal: `SIGHUP`, `SIGRTMIN+3`, `SIGRTMAX-1` or `10`.
fn signal_number(name: &[u8]) -> Option<u32> {
    let number = |text| number(text).and_then(|number| u32::try_from(number).ok());
    let Some(name) = name.strip_prefix(b"SIG") else {
        return number(name).filter(|number| is_signal(*number));
    };
    if let Some(offset) = name.strip_prefix(b"RTMIN") {
        let offset = if offset.is_empty() { 0 } else { number(offset.strip_prefix(b"+")?)? };
        return FIRST_REAL_TIME.checked_add(offset).filter(|number| is_signal(*number));
    }
    if let Some(offset) = name.strip_prefix(b"RTMAX") {
        let offset = if offset.is_empty() { 0 } else { number(offset.strip_prefix(b"-")?)? };
        return LAST.checked_sub(offset).filter(|number| is_signal(*number));
    }
    let name: &[u8] = match name {
        b"CLD" => b"CHLD",
        b"IOT" => b"ABRT",
        b"POLL" => b"IO",
        name => name,
    };
    (1..).zip(SIGNALS).find(|(_, known)| *known == name).map(|(number, _)| number)
}

fn is_signal(number: u32) -> bool {
    (1..=LAST).contains(&number)
}
