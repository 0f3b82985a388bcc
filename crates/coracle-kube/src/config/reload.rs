//! How a changed configuration reaches a program that runs.

use std::fmt;
use std::str::FromStr;

use coracle_core::signal::{ParseSignalError, Signal};

/// How a change is taken up.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Reload {
    /// By a new pod: the object never changes, and its name follows from its content.
    #[default]
    Restart,
    /// By the program, which watches the directory.
    Watch,
    /// By the program, when it is sent a signal.
    Signal(Signal),
}

/// Signals that can't be handled, by name and by number. Source: signal(7).
const UNTAKEN: [&str; 4] = ["SIGKILL", "SIGSTOP", "9", "19"];

/// A word that is no way to reload.
#[derive(Debug, thiserror::Error)]
pub enum ParseReloadError {
    /// Another word.
    #[error("`{}` is none of `restart`, `watch` and `signal:NAME`", coracle_core::path::printable(.0.as_bytes()))]
    Word(String),
    /// The signal.
    #[error(transparent)]
    Signal(#[from] ParseSignalError),
    /// A signal that ends or stops the program, whatever it does.
    #[error("no program can take up `{0}`")]
    Untaken(Signal),
}

impl ParseReloadError {
    /// What to write instead.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Word(_) => None,
            Self::Signal(error) => Some(error.hint()),
            Self::Untaken(_) => Some("name one that the program handles, such as `signal:SIGHUP`".into()),
        }
    }
}

impl FromStr for Reload {
    type Err = ParseReloadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "restart" => Ok(Self::Restart),
            "watch" => Ok(Self::Watch),
            _ => match text.strip_prefix("signal:") {
                Some(name) if UNTAKEN.contains(&name) => Err(ParseReloadError::Untaken(name.parse()?)),
                Some(name) => Ok(Self::Signal(name.parse()?)),
                None => Err(ParseReloadError::Word(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart => f.write_str("restart"),
            Self::Watch => f.write_str("watch"),
            Self::Signal(signal) => write!(f, "signal:{signal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_reads_as_it_is_written() {
        for text in ["restart", "watch", "signal:SIGHUP"] {
            assert_eq!(text.parse::<Reload>().unwrap().to_string(), text);
        }
        for (text, part) in [
            ("", "none of"),
            ("reload", "none of"),
            ("signal:HUP", "not a signal"),
            ("signal", "none of"),
            ("signal:SIGKILL", "no program can take up `SIGKILL`"),
            ("signal:SIGSTOP", "no program can take up"),
            ("signal:9", "no program can take up"),
            ("signal:19", "no program can take up"),
        ] {
            assert!(text.parse::<Reload>().unwrap_err().to_string().contains(part), "{text}");
        }
    }
}
