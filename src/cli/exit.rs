//! Exit codes. They are a public promise: scripts may rely on them, and a change is a breaking one.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exit {
    /// 0: everything that was asked for is done. So is a reader of stdout that has seen enough.
    Done = 0,
    /// 1: it could not be done.
    Failed = 1,
    /// 2: the command line or the recipe is wrong.
    Usage = 2,
    /// 3: a registry or the network failed.
    Network = 3,
    /// 4: a check, a verification or a comparison worked and found something.
    Findings = 4,
    /// 130: somebody pressed Ctrl-C; what was being written is gone.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
