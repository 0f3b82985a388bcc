//! Reads environment variables. The library never does: the command line passes it settings.

use std::ffi::OsString;
use std::path::PathBuf;

/// Returns an environment variable, even if it is empty; `None` if it is unset.
#[allow(clippy::disallowed_methods, reason = "the only function that reads the environment")]
pub(super) fn env_var(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Returns an environment variable; `None` if it is unset or empty.
pub(super) fn nonempty_env_var(name: &str) -> Option<OsString> {
    env_var(name).filter(|value| !value.is_empty())
}

/// Returns an environment variable as text; `None` if it is unset or empty.
pub(super) fn env_text(name: &str) -> Option<String> {
    nonempty_env_var(name).map(|value| value.to_string_lossy().into_owned())
}

/// Returns an environment variable as a path; `None` if it is unset or empty.
pub(super) fn env_path(name: &str) -> Option<PathBuf> {
    nonempty_env_var(name).map(PathBuf::from)
}
