//! Signals, and processes in other process ID namespaces.

use std::fs;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// Sends a signal to a process. Returns whether the process exists and may be signalled.
pub fn signal_process(pid: i32, number: i32) -> bool {
    let Ok(signal) = Signal::try_from(number) else {
        return signal_by_number(pid, number);
    };
    pid > 0 && signal::kill(Pid::from_raw(pid), signal).is_ok()
}

/// Returns the number of a signal: `SIGTERM`, `SIGRTMIN+3` or `15`; `None` if there is no such signal.
pub fn signal_number(text: &str) -> Option<i32> {
    /// The first and the last real-time signal of glibc and musl. Source: signal(7).
    const REAL_TIME: (i32, i32) = (34, 64);
    let offset = |start: &str| text.strip_prefix(start).map(|rest| rest.parse::<i32>().unwrap_or_default());
    if let Some(offset) = offset("SIGRTMIN") {
        return Some(REAL_TIME.0 + offset);
    }
    if let Some(offset) = offset("SIGRTMAX") {
        return Some(REAL_TIME.1 + offset);
    }
    text.parse().ok().or_else(|| text.parse::<Signal>().ok().map(|signal| signal as i32))
}

/// Sends a signal that has no name of its own, such as `SIGRTMIN+3`, with the program `kill`.
fn signal_by_number(pid: i32, number: i32) -> bool {
    let status = std::process::Command::new("kill").arg(format!("-{number}")).arg(pid.to_string()).status();
    status.is_ok_and(|status| status.success())
}

/// Returns the host's process ID of the container's first process: process 1 of the innermost
/// namespace, which is `pid` in the sandbox that `ancestor` has created.
pub(super) fn find_container_process(ancestor: u32, pid: i32) -> Option<i32> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let mut numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let matches = |candidate: &u32| {
        let Some(status) = ProcessStatus::read(*candidate) else { return false };
        matches!(*status.namespace_pids, [.., in_sandbox, 1] if in_sandbox == pid)
            && is_descendant(*candidate, ancestor)
    };
    let found = numbers.find(matches)?;
    i32::try_from(found).ok()
}

fn is_descendant(process: u32, ancestor: u32) -> bool {
    let mut current = process;
    while current > 1 {
        if current == ancestor {
            return true;
        }
        match ProcessStatus::read(current) {
            Some(status) => current = status.parent,
            None => return false,
        }
    }
    false
}

struct ProcessStatus {
    parent: u32,
    namespace_pids: Vec<i32>,
}

impl ProcessStatus {
    fn read(process: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let pids = field("NSpid")?.split_whitespace().filter_map(|pid| pid.parse().ok());
        Some(Self { parent: field("PPid")?.trim().parse().ok()?, namespace_pids: pids.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, number) in [
            ("SIGTERM", 15),
            ("SIGHUP", 1),
            ("SIGRTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("SIGRTMAX-1", 63),
            ("9", 9),
        ] {
            assert_eq!(signal_number(text), Some(number), "{text}");
        }
        assert_eq!(signal_number("SIGNONE"), None);
    }

    #[test]
    fn reads_process_ids_of_all_namespaces() {
        let status = ProcessStatus::parse("Name:\tshop\nPPid:\t41\nNSpid:\t42\t7\t1\n").unwrap();
        assert_eq!((status.parent, status.namespace_pids), (41, vec![42, 7, 1]));
        assert!(is_descendant(std::process::id(), std::process::id()));
        assert!(!is_descendant(1, std::process::id()));
    }
}
