//! Forwards TCP connections from one port of this machine to another.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::RunError;
use crate::port_mapping::PortMapping;

/// A listener that forwards connections for as long as the process runs.
#[derive(Debug)]
pub struct PortProxy;

impl PortProxy {
    /// Listens on the mapping's port of this machine, on the loopback address, and forwards each
    /// connection to the container's port.
    ///
    /// # Errors
    /// Fails if the port is in use or may not be used.
    pub fn start(mapping: &PortMapping) -> Result<Self, RunError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, mapping.host))
            .map_err(|source| RunError::Port { port: mapping.host, source })?;
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, mapping.container.number));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || forward(client, to));
            }
        });
        Ok(Self)
    }
}

/// Copies both directions until each has ended. Fails if the program does not accept the connection.
fn forward(client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    let (client_reader, server_writer) = (client.try_clone()?, server.try_clone()?);
    let upload = thread::spawn(move || copy_and_close(client_reader, server_writer));
    copy_and_close(server, client);
    let _ = upload.join();
    Ok(())
}

fn copy_and_close(mut from: TcpStream, mut to: TcpStream) {
    // A connection that breaks off is closed on the other side, too.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// Fails if the mapping's ports are used by another process of this machine.
///
/// # Errors
/// Fails if one of the ports cannot be listened on.
pub(crate) fn check_ports_are_free(ports: &[PortMapping]) -> Result<(), RunError> {
    use coracle_core::port::Protocol;
    for mapping in ports {
        let numbers = if mapping.is_same_port() {
            vec![mapping.host]
        } else {
            vec![mapping.host, mapping.container.number]
        };
        for port in numbers {
            let bound = match mapping.container.protocol {
                Protocol::Udp => std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop),
                Protocol::Tcp | Protocol::Sctp => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop),
            };
            match bound {
                Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                    return Err(RunError::Port { port, source });
                }
                _ => {}
            }
        }
        if !mapping.is_same_port() && mapping.container.protocol != Protocol::Tcp {
            return Err(RunError::ForwardedProtocol(*mapping));
        }
    }
    Ok(())
}

impl PortMapping {
    /// Fails if a port of `ports` is in use, or if different ports are mapped for another protocol
    /// than TCP.
    ///
    /// # Errors
    /// Fails with the first such port.
    pub fn check_all(ports: &[Self]) -> Result<(), RunError> {
        check_ports_are_free(ports)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// Returns a port that was free a moment ago.
    fn free_port() -> u16 {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn forwards_both_directions() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let inner = server.local_addr().unwrap().port();
        let outer = free_port();
        PortProxy::start(&format!("{outer}:{inner}").parse().unwrap()).unwrap();
        let answer = thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut asked = String::new();
            stream.read_to_string(&mut asked).unwrap();
            write!(stream, "{asked} back").unwrap();
        });
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, outer)).unwrap();
        client.write_all(b"there").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        answer.join().unwrap();
        assert_eq!(said, "there back");
    }

    #[test]
    fn ports_in_use_are_errors() {
        let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let mapping: PortMapping = port.to_string().parse().unwrap();
        let error = PortMapping::check_all(&[mapping]).unwrap_err();
        assert_eq!(error.to_string(), format!("port {port} of this machine is in use"));
        let other: PortMapping = format!("{}:{port}/udp", free_port()).parse().unwrap();
        assert!(matches!(PortMapping::check_all(&[other]), Err(RunError::ForwardedProtocol(_))));
    }
}
