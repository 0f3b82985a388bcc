//! The exit codes, and the error of a command: its message, hint and exit code.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use coracle::recipe;
use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_oci::copy;
use coracle_oci::layer;
use coracle_oci::layout;

/// How a command ended. The codes are public API: scripts rely on them, so changing one is a breaking
/// change.
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

/// The error of a command.
#[derive(Debug)]
pub(super) struct CliError {
    pub(super) exit: CliExit,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl CliError {
    /// Returns a usage error; the hint describes the right usage.
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: CliExit::Usage, message: message.into(), hint: Some(hint.into()) }
    }

    /// Converts an error with its causes and its hint.
    pub(super) fn from_error(exit: CliExit, error: &(impl Error + Hint)) -> Self {
        Self::with_message(exit, error_chain(error), error)
    }

    /// Returns an error with `message` instead of the message of `error`, but with the hint of
    /// `error`.
    pub(super) fn with_message(exit: CliExit, message: impl Into<String>, error: &impl Hint) -> Self {
        Self { exit, message: message.into(), hint: error.hint() }
    }

    /// Returns an error that has no usual next step.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self { exit: CliExit::Failed, message: message.into(), hint: None }
    }

    /// Returns an error that is not a usage error; the hint is the next step.
    pub(super) fn failed_with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: CliExit::Failed, message: message.into(), hint: Some(hint.into()) }
    }

    /// Returns the error for a broken invariant, which is a bug.
    pub(super) fn internal(message: &str) -> Self {
        let hint = "this is a bug in Coracle: please report it with the command that you ran";
        Self::failed_with_hint(format!("internal error: {message}"), hint)
    }

    /// Returns the error of a command that a signal has ended; `outcome` completes "interrupted; ".
    pub(super) fn interrupted(outcome: &str) -> Self {
        Self { exit: CliExit::Interrupted, message: format!("interrupted; {outcome}"), hint: None }
    }

    /// Returns the error for stdout that can't be written.
    pub(super) fn stdout_error(error: &io::Error) -> Self {
        Self::failed(format!("cannot write to stdout: {error}"))
    }

    /// Converts the error of resolving one file's closure.
    pub(super) fn from_closure_error(error: &coracle::Error) -> Self {
        let exit = if error.is_usage_error() { CliExit::Usage } else { CliExit::Failed };
        Self::from_error(exit, error)
    }

    /// Converts the error of building an image.
    pub(super) fn from_build_error(error: &coracle::Error) -> Self {
        let exit = match error {
            _ if error.is_usage_error() => CliExit::Usage,
            coracle::Error::SecretsFound(_)
            | coracle::Error::OverBudget(_)
            | coracle::Error::Locked(_)
            | coracle::Error::IncompleteInventory(_) => CliExit::Findings,
            coracle::Error::Cancelled { .. } => CliExit::Interrupted,
            coracle::Error::Layout(layout::LayoutError::Registry(error)) if !error.is_local_failure() => {
                CliExit::Network
            }
            coracle::Error::Registry(error) if !error.is_local_failure() => CliExit::Network,
            coracle::Error::Base(error) if error.is_network() => CliExit::Network,
            coracle::Error::Copy(error) => return Self::from_copy_error(error),
            _ => CliExit::Failed,
        };
        Self::from_error(exit, error)
    }

    /// Converts the error of a copy. Errors of a registry or the network have their own exit code.
    pub(super) fn from_copy_error(error: &copy::CopyError) -> Self {
        let exit = match error {
            copy::CopyError::Cancelled => CliExit::Interrupted,
            error if error.is_network() => CliExit::Network,
            _ => CliExit::Failed,
        };
        Self::from_error(exit, error)
    }

    /// Converts the error of compressing a file.
    pub(super) fn from_layer_error(error: layer::LayerError) -> Self {
        Self::from_error(CliExit::Failed, &error)
    }
}

/// Converts one failure for functions that may return several.
impl From<CliError> for Vec<CliError> {
    fn from(failure: CliError) -> Self {
        vec![failure]
    }
}

impl From<recipe::RecipeError> for CliError {
    fn from(error: recipe::RecipeError) -> Self {
        Self::from_error(CliExit::Usage, &error)
    }
}

impl From<coracle_kube::config::ConfigError> for CliError {
    fn from(error: coracle_kube::config::ConfigError) -> Self {
        Self::from_error(CliExit::Usage, &error)
    }
}

impl From<fs::Error> for CliError {
    fn from(error: fs::Error) -> Self {
        Self::from_error(CliExit::Failed, &error)
    }
}

impl From<copy::CopyError> for CliError {
    fn from(error: copy::CopyError) -> Self {
        Self::from_copy_error(&error)
    }
}

impl From<coracle::Error> for CliError {
    fn from(error: coracle::Error) -> Self {
        Self::from_build_error(&error)
    }
}

/// Returns an error and its causes, without repetitions: on one line if they are single lines,
/// otherwise on separate lines.
pub(super) fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            let lines = text.contains('\n') || cause.contains('\n');
            text.push_str(if lines { "\n  caused by: " } else { ": " });
            text.push_str(&cause.replace('\n', "\n  "));
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    #[test]
    fn chain_omits_repeated_causes() {
        for (links, expected) in [
            (vec!["cannot read `x`", "not found"], "cannot read `x`: not found"),
            (vec!["bad: deep", "deep"], "bad: deep"),
            (vec!["two\nlines", "a\nb"], "two\nlines\n  caused by: a\n  b"),
        ] {
            let mut source = None;
            for text in links.into_iter().rev() {
                source = Some(Box::new(Link { text, source }));
            }
            assert_eq!(error_chain(&*source.unwrap()), expected);
        }
    }
}
