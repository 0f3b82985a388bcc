//! The error of a command: its message, hint and exit code.

use std::error::Error;
use std::io;

use coracle_oci::layer;
use coracle::recipe;
use coracle_oci::layout;

use super::exit::Exit;
use super::registry;

/// The error of a command.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Failure {
    /// Returns a usage error; the hint describes the right usage.
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), hint: Some(hint.into()) }
    }

    /// Returns the error for stdout that can't be written.
    pub(super) fn output(error: &io::Error) -> Self {
        Self { exit: Exit::Failed, message: format!("cannot write to stdout: {error}"), hint: None }
    }

    /// Converts the error of resolving one file's closure.
    pub(super) fn from_file(error: &coracle::Error) -> Self {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Failed };
        Self { exit, message: chain(error), hint: error.hint() }
    }

    /// Converts the error of building an image.
    pub(super) fn of_build(error: &coracle::Error) -> Self {
        let exit = match error {
            _ if error.is_usage() => Exit::Usage,
            coracle::Error::Leaks(_) | coracle::Error::Budget(_) => Exit::Findings,
            coracle::Error::Store(layout::Error::Layer(layer::Error::Interrupted)) => Exit::Interrupted,
            coracle::Error::Store(layout::Error::Registry(error)) if !error.is_local() => Exit::Network,
            coracle::Error::Registry(error) if !error.is_local() => Exit::Network,
            coracle::Error::Base(error) if error.is_network() => Exit::Network,
            coracle::Error::Transfer(error) => return registry::failure(error),
            _ => Exit::Failed,
        };
        Self { exit, message: chain(error), hint: error.hint() }
    }

    /// Converts the error of compressing a file.
    pub(super) fn from_layer(error: layer::Error) -> Self {
        Self { exit: Exit::Failed, message: chain(&error), hint: error.hint() }
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
        Self { exit: Exit::Usage, message, hint: Some(hints.join("\n")) }
    }
}

/// For functions that may return several failures.
impl From<Failure> for Vec<Failure> {
    fn from(failure: Failure) -> Self {
        vec![failure]
    }
}

impl From<recipe::Error> for Failure {
    fn from(error: recipe::Error) -> Self {
        Self { exit: Exit::Usage, message: chain(&error), hint: error.hint() }
    }
}

impl From<coracle_kube::config::Error> for Failure {
    fn from(error: coracle_kube::config::Error) -> Self {
        Self { exit: Exit::Usage, message: chain(&error), hint: error.hint() }
    }
}

impl From<coracle::Error> for Failure {
    fn from(error: coracle::Error) -> Self {
        Self::of_build(&error)
    }
}

/// Returns an error and its causes, without repetitions: on one line if they are single lines,
/// otherwise on separate lines.
pub(super) fn chain(error: &dyn Error) -> String {
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
            assert_eq!(chain(&*source.unwrap()), expected);
        }
    }
}
