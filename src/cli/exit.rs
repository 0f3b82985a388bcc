//! Exit codes. They are public API: scripts rely on them, so changing one is a breaking change.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CliExit {
    /// 0: success. Also if the reader of stdout closes the pipe.
    Success = 0,
    /// 1: failure.
    Failed = 1,
    /// 2: the command line or the recipe is invalid.
    Usage = 2,
    /// 3: a registry or the network failed.
    Network = 3,
    /// 4: a check or a comparison has findings.
    Findings = 4,
    /// 130: interrupted by Ctrl-C; partial output was removed.
    Interrupted = 130,
}

impl From<CliExit> for ExitCode {
    fn from(exit: CliExit) -> Self {
        Self::from(exit as u8)
    }
}
