//! Ports of this machine that lead to ports of the container: `HOST:CONTAINER`.

use std::fmt;
use std::str::FromStr;

use coracle_core::hint::Hint;
use coracle_core::port::{ParsePortError, Port, Protocol};

/// A port of this machine and the container's port that it leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PortMapping {
    /// The port of this machine.
    pub host: u16,
    /// The port of the container, with its protocol.
    pub container: Port,
}

/// The error for a string that is not a port mapping.
#[derive(Debug, thiserror::Error)]
pub enum ParsePortMappingError {
    /// One of the ports is not a port.
    #[error(transparent)]
    Port(#[from] ParsePortError),
    /// It has an address of this machine.
    #[error("`{0}` has an address, but the ports are those of this machine's own network")]
    Address(String),
}

impl Hint for ParsePortMappingError {
    fn hint(&self) -> Option<String> {
        Some("write `HOST:CONTAINER[/PROTOCOL]` or one number for both, such as `8080:80` or `8080`".into())
    }
}

impl FromStr for PortMapping {
    type Err = ParsePortMappingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.matches(':').count() > 1 {
            return Err(ParsePortMappingError::Address(text.to_owned()));
        }
        let Some((host, container)) = text.split_once(':') else {
            let container: Port = text.parse()?;
            return Ok(Self { host: container.number, container });
        };
        let container: Port = container.parse()?;
        let host: Port = format!("{host}/{}", protocol_name(container.protocol)).parse()?;
        Ok(Self { host: host.number, container })
    }
}

impl PortMapping {
    /// Returns whether both ports have the same number.
    pub fn is_same_port(&self) -> bool {
        self.host == self.container.number
    }
}

impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.container)
    }
}

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_one_number_or_two() {
        for (text, shown) in
            [("8080", "8080:8080/tcp"), ("80:8080", "80:8080/tcp"), ("53:53/udp", "53:53/udp")]
        {
            assert_eq!(text.parse::<PortMapping>().unwrap().to_string(), shown);
        }
        for (text, part) in [
            ("127.0.0.1:80:8080", "has an address"),
            ("x:80", "not a port"),
            ("80:", "not a port"),
            ("0:80", "not a port"),
            ("80/udp:80", "not a port"),
        ] {
            assert!(text.parse::<PortMapping>().unwrap_err().to_string().contains(part), "{text}");
        }
    }
}
