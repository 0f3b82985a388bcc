//! Connections to local servers, such as container engines.
//!
//! They are opened here because hosts differ in them, as in the calls of the rest of this module.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::host;

/// A connection to a local server. Reads and writes return `WouldBlock` or `TimedOut` after the
/// timeout given to [`connect_unix_socket`].
pub trait SocketConnection: io::Read + io::Write + std::fmt::Debug {}

impl<T: io::Read + io::Write + std::fmt::Debug> SocketConnection for T {}

/// Connects to the Unix socket at `path`. `timeout` is that of each read and write.
///
/// # Errors
/// Fails if no server listens there, or the host has no Unix sockets.
pub fn connect_unix_socket(path: &Path, timeout: Duration) -> io::Result<Box<dyn SocketConnection>> {
    Ok(Box::new(host::connect_unix_socket(path, timeout)?))
}
