//! Writes data to stdout.

use std::io;

use serde::Serialize;

use super::error::CliError;

/// Writes `text` to stdout. A broken pipe is not an error.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    write_and_flush(anstream::stdout().lock(), text.as_bytes())
}

/// Writes bytes to stdout unchanged. A broken pipe is not an error.
pub(super) fn write_bytes(bytes: &[u8]) -> Result<(), CliError> {
    write_and_flush(io::stdout().lock(), bytes)
}

fn write_and_flush(mut stdout: impl io::Write, bytes: &[u8]) -> Result<(), CliError> {
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::stdout_error(&error)),
        _ => Ok(()),
    }
}

/// Writes `report` to stdout as one line of JSON.
pub(super) fn print_json(report: &impl Serialize) -> Result<(), CliError> {
    print(&json_line(report)?)
}

/// Formats `report` as one line of JSON with sorted keys.
pub(super) fn json_line(report: &impl Serialize) -> Result<String, CliError> {
    let bytes = coracle_core::json::to_bytes(report)
        .map_err(|error| CliError::internal(&format!("cannot write the report as JSON: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned() + "\n")
}
