//! Writes data to stdout.

use std::io::{self, Write as _};

use super::error::CliError;

/// Writes `text` to stdout. A broken pipe is not an error.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::stdout_error(&error)),
        _ => Ok(()),
    }
}

/// Escapes control characters, because labels and manifests are untrusted and must not control the
/// terminal.
pub(super) fn escape_control(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Writes bytes to stdout unchanged. A broken pipe is not an error.
pub(super) fn write_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::stdout_error(&error)),
        _ => Ok(()),
    }
}

/// Writes `value` to stdout as one line of JSON.
pub(super) fn print_json(value: &serde_json::Value) -> Result<(), CliError> {
    let bytes = coracle_core::json::to_bytes(value)
        .map_err(|error| CliError::stdout_error(&io::Error::other(error)))?;
    print(&(String::from_utf8_lossy(&bytes) + "\n"))
}
