//! For machines on which no program can be recorded.

use std::ffi::OsString;
use std::path::Path;

use crate::{Command, RecordedRun, TraceError};

/// Does nothing: no launcher is needed.
pub fn run_launcher(_args: impl Iterator<Item = OsString>) {}

/// Fails with [`TraceError::Unsupported`].
///
/// # Errors
/// Always fails.
pub fn check_program(_program: &Path) -> Result<(), TraceError> {
    Err(TraceError::Unsupported)
}

/// Fails with [`TraceError::Unsupported`].
///
/// # Errors
/// Always fails.
pub fn record(
    _command: &Command,
    _on_left_running: &(dyn Fn(usize) + Sync),
) -> Result<RecordedRun, TraceError> {
    Err(TraceError::Unsupported)
}
