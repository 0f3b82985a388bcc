//! Signals by name or number. Source: image-spec `config.md`, signal(7).

use std::fmt;
use std::str::FromStr;

use crate::hint::Hint;

/// A signal for `StopSignal`: `SIGTERM`, `SIGRTMIN+3`, or a number from 1 to 64.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct SignalName(String);

/// The error for a string that is not a signal.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a signal", crate::path::escape_bytes(.0.as_bytes()))]
pub struct ParseSignalNameError(String);

/// The names that engines accept, sorted.
const SIGNAL_NAMES: [&str; 36] = [
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGRTMAX",
    "SIGRTMIN",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
];

impl SignalName {
    /// The signal as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Hint for ParseSignalNameError {
    fn hint(&self) -> Option<String> {
        // The common prefix would make all names similar.
        let text = self.0.to_ascii_uppercase();
        let names = SIGNAL_NAMES.iter().filter_map(|name| name.strip_prefix("SIG"));
        Some(match crate::hint::most_similar(text.strip_prefix("SIG").unwrap_or(&text), names) {
            Some(name) => format!("did you mean `SIG{name}`?"),
            None => "write a name such as `SIGTERM` or `SIGRTMIN+3`, or a number from 1 to 64".into(),
        })
    }
}

impl FromStr for SignalName {
    type Err = ParseSignalNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Engines accept these offsets only: each end of the real-time range names one half of it.
        let is_offset = |prefix, max| {
            text.strip_prefix(prefix).and_then(parse_number).is_some_and(|offset| (1..=max).contains(&offset))
        };
        let is_legal = SIGNAL_NAMES.contains(&text)
            || is_offset("SIGRTMIN+", 15)
            || is_offset("SIGRTMAX-", 14)
            || parse_number(text).is_some_and(|number| (1..=64).contains(&number));
        if is_legal { Ok(Self(text.into())) } else { Err(ParseSignalNameError(text.into())) }
    }
}

/// Parses digits without a sign or leading zeros.
fn parse_number(text: &str) -> Option<u8> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if is_number { text.parse().ok() } else { None }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_and_numbers() {
        for text in ["SIGTERM", "SIGXFSZ", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX-14", "1", "15", "64"] {
            assert_eq!(text.parse::<SignalName>().unwrap().to_string(), text);
        }
        for text in
            ["", "0", "65", "015", "+9", "TERM", "sigterm", "SIGFOO", "SIGRTMIN+", "SIGRTMIN+16", "SIGTERM\n"]
        {
            assert!(text.parse::<SignalName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn hint_suggests_the_most_similar_name() {
        for (text, hint) in [("TERM", "did you mean `SIGTERM`?"), ("sigquti", "did you mean `SIGQUIT`?")] {
            assert_eq!(text.parse::<SignalName>().unwrap_err().hint().unwrap(), hint);
        }
        assert!("99".parse::<SignalName>().unwrap_err().hint().unwrap().contains("1 to 64"));
    }
}
