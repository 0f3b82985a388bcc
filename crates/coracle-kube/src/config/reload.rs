//! How a configuration change reaches a running program.

use std::fmt;
use std::str::FromStr;

use coracle_core::hint::Hint;
use coracle_core::signal::{ParseSignalError, Signal};

/// How a program picks up a configuration change.
#[derive(Clone, PartialEq, Eq, Default, Debug, Hash)]
pub enum ReloadMethod {
    /// By a new pod: the object is immutable and its name has a hash of its content.
    #[default]
    Restart,
    /// The program watches the directory.
    Watch,
    /// The program reloads on this signal.
    Signal(Signal),
}

/// Signals that a program cannot handle, by name and number. Source: signal(7).
const UNHANDLEABLE_SIGNALS: [&str; 4] = ["SIGKILL", "SIGSTOP", "9", "19"];

/// An invalid value of `reload`.
#[derive(Debug, thiserror::Error)]
pub enum ParseReloadError {
    /// An unknown value.
    #[error("`{}` is not one of `restart`, `watch` and `signal:NAME`", coracle_core::path::escape_bytes(.0.as_bytes()))]
    UnknownMethod(String),
    /// An invalid signal.
    #[error(transparent)]
    Signal(#[from] ParseSignalError),
    /// A signal that a program cannot handle.
    #[error("a program cannot handle `{0}`")]
    UnhandleableSignal(Signal),
}

impl Hint for ParseReloadError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownMethod(_) => None,
            Self::Signal(error) => error.hint(),
            Self::UnhandleableSignal(_) => {
                Some("use a signal that the program handles, such as `signal:SIGHUP`".into())
            }
        }
    }
}

impl FromStr for ReloadMethod {
    type Err = ParseReloadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "restart" => Ok(Self::Restart),
            "watch" => Ok(Self::Watch),
            _ => match text.strip_prefix("signal:") {
                Some(name) if UNHANDLEABLE_SIGNALS.contains(&name) => {
                    Err(ParseReloadError::UnhandleableSignal(name.parse()?))
                }
                Some(name) => Ok(Self::Signal(name.parse()?)),
                None => Err(ParseReloadError::UnknownMethod(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for ReloadMethod {
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
    fn parses_and_displays_every_value() {
        for text in ["restart", "watch", "signal:SIGHUP"] {
            assert_eq!(text.parse::<ReloadMethod>().unwrap().to_string(), text);
        }
        for (text, part) in [
            ("", "not one of"),
            ("reload", "not one of"),
            ("signal:HUP", "not a signal"),
            ("signal", "not one of"),
            ("signal:SIGKILL", "a program cannot handle `SIGKILL`"),
            ("signal:SIGSTOP", "a program cannot handle"),
            ("signal:9", "a program cannot handle"),
            ("signal:19", "a program cannot handle"),
        ] {
            assert!(text.parse::<ReloadMethod>().unwrap_err().to_string().contains(part), "{text}");
        }
    }
}
