//! Ports with their protocol, as in `ExposedPorts` of an image's config.

use std::fmt;
use std::str::FromStr;

use crate::hint::Hint;

/// A port that the program listens on. Displayed with its protocol: `8080/tcp`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    /// TCP by default.
    pub protocol: Protocol,
}

/// The protocol of a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Protocol {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
    /// `sctp`
    Sctp,
}

/// The error for a string that is not a port.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a port: {why}", crate::path::escape_bytes(.text.as_bytes()))]
pub struct ParsePortError {
    text: String,
    why: &'static str,
}

impl Hint for ParsePortError {
    fn hint(&self) -> Option<String> {
        Some("write it as `PORT[/PROTOCOL]`, such as `8080` or `9000/udp`".into())
    }
}

impl FromStr for Port {
    type Err = ParsePortError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |why| ParsePortError { text: text.into(), why };
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => return Err(error("the protocol must be `tcp`, `udp` or `sctp`")),
        };
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse() {
            Ok(number) if is_number && number > 0 => Ok(Self { number, protocol }),
            _ => Err(error("it must be a number from 1 to 65535")),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        };
        write!(f, "{}/{protocol}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_ports_with_tcp_as_default() {
        for (text, printed) in
            [("8080", "8080/tcp"), ("9000/udp", "9000/udp"), ("1/tcp", "1/tcp"), ("65535/sctp", "65535/sctp")]
        {
            assert_eq!(text.parse::<Port>().unwrap().to_string(), printed);
        }
        for text in ["", "0", "65536", "-1", "+80", "80/", "80/icmp", "80/TCP", "/tcp", "80-90", " 80"] {
            assert!(text.parse::<Port>().is_err(), "{text:?}");
        }
    }
}
