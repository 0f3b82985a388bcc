//! A port and its protocol, as `ExposedPorts` has them.

use std::fmt;
use std::str::FromStr;

/// A port that the program listens on; printed with its protocol: `8080/tcp`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    /// TCP when nothing is said.
    pub protocol: Protocol,
}

/// The protocols that a port can have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Protocol {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
    /// `sctp`
    Sctp,
}

/// A string that is no port.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a port: {why}", crate::path::printable(.text.as_bytes()))]
pub struct ParsePortError {
    text: String,
    why: &'static str,
}

impl ParsePortError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        "write it as `PORT[/PROTOCOL]`, such as `8080` or `9000/udp`".into()
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
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse() {
            Ok(number) if digits && number > 0 => Ok(Self { number, protocol }),
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
    fn a_port_is_tcp_unless_it_says_otherwise() {
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
