//! The error of a command: its message, hint and exit code.

use std::error::Error;
use std::io;

use coracle::recipe;
use coracle_oci::layer;
use coracle_oci::layout;

use super::exit::CliExit;
use super::registry_client;

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

    /// Returns the error for stdout that can't be written.
    pub(super) fn stdout_error(error: &io::Error) -> Self {
        Self { exit: CliExit::Failed, message: format!("cannot write to stdout: {error}"), hint: None }
    }

    /// Converts the error of resolving one file's closure.
    pub(super) fn from_closure_error(error: &coracle::Error) -> Self {
        let exit = if error.is_usage_error() { CliExit::Usage } else { CliExit::Failed };
        Self { exit, message: error_chain(error), hint: error.hint() }
    }

    /// Converts the error of building an image.
    pub(super) fn from_build_error(error: &coracle::Error) -> Self {
        let exit = match error {
            _ if error.is_usage_error() => CliExit::Usage,
            coracle::Error::SecretsFound(_) | coracle::Error::OverBudget(_) => CliExit::Findings,
            coracle::Error::Cancelled { .. } => CliExit::Interrupted,
            coracle::Error::Layout(layout::LayoutError::Registry(error)) if !error.is_local_failure() => {
                CliExit::Network
            }
            coracle::Error::Registry(error) if !error.is_local_failure() => CliExit::Network,
            coracle::Error::Base(error) if error.is_network() => CliExit::Network,
            coracle::Error::Copy(error) => return registry_client::from_transfer_error(error),
            _ => CliExit::Failed,
        };
        Self { exit, message: error_chain(error), hint: error.hint() }
    }

    /// Converts the error of compressing a file.
    pub(super) fn from_layer_error(error: layer::LayerError) -> Self {
        Self { exit: CliExit::Failed, message: error_chain(&error), hint: error.hint() }
    }

    /// Converts clap's error to our form: its tips become hints, its quotes backticks.
    pub(super) fn from_clap(error: &clap::Error) -> Self {
        let text = error.render().to_string().replace('\'', "`");
        let (mut message, mut hints) = (Vec::new(), Vec::new());
        for line in text.lines() {
            if let Some(tip) = line.trim_start().strip_prefix("tip: ") {
                hints.push(tip);
            } else if !line.is_empty() && !line.starts_with("For more information") {
                message.push(line.strip_prefix("error: ").unwrap_or(line));
            }
        }
        hints.push("`--help` lists all flags, with examples");
        let message = message.join("\n").replace("\nUsage: ", "\n\nusage: ");
        Self { exit: CliExit::Usage, message, hint: Some(hints.join("\n")) }
    }
}

/// For functions that may return several failures.
impl From<CliError> for Vec<CliError> {
    fn from(failure: CliError) -> Self {
        vec![failure]
    }
}

impl From<recipe::RecipeError> for CliError {
    fn from(error: recipe::RecipeError) -> Self {
        Self { exit: CliExit::Usage, message: error_chain(&error), hint: error.hint() }
    }
}

impl From<coracle_kube::config::ConfigError> for CliError {
    fn from(error: coracle_kube::config::ConfigError) -> Self {
        Self { exit: CliExit::Usage, message: error_chain(&error), hint: error.hint() }
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
