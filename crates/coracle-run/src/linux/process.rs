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

/// Sends a signal that has no name of its own, such as `SIGRTMIN+3`, with the program `kill`.
fn signal_by_number(pid: i32, number: i32) -> bool {
    let status = std::process::Command::new("kill").arg(format!("-{number}")).arg(pid.to_string()).status();
    status.is_ok_and(|status| status.success())
}

/// Returns the host's process ID of the container's first process: process 1 of the innermost
/// namespace, which is `pid` in the sandbox that `ancestor` has created.
pub(super) fn find_container_process(ancestor: u32, pid: i32) -> Option<i32> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let matches = |candidate: &u32| {
        let Some(status) = ProcessStatus::read(*candidate) else { return false };
        matches!(*status.namespace_pids, [.., in_sandbox, 1] if in_sandbox == pid)
            && is_descendant(*candidate, ancestor)
    };
    let found = numbers.filter(matches).next()?;
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
    fn reads_process_ids_of_all_namespaces() {
        let status = ProcessStatus::parse("Name:\tshop\nPPid:\t41\nNSpid:\t42\t7\t1\n").unwrap();
        assert_eq!((status.parent, status.namespace_pids), (41, vec![42, 7, 1]));
        assert!(is_descendant(std::process::id(), std::process::id()));
        assert!(!is_descendant(1, std::process::id()));
    }
}
