//! Probes as a kubelet runs them. Source: Kubernetes, `pkg/probe/{http,tcp}`, `pkg/kubelet/prober`.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// What a probe does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProbeAction {
    /// A GET request, which succeeds with a status from 200 to 399.
    Http {
        /// The path, with its query.
        path: String,
        /// The port.
        port: u16,
    },
    /// A connection to this port.
    Tcp(u16),
    /// A command in the container, which succeeds with exit code 0.
    Exec(Vec<String>),
}

/// A probe with its times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// What it does.
    pub action: ProbeAction,
    /// The time before the first probe.
    pub initial_delay: Duration,
    /// The time between two probes.
    pub period: Duration,
    /// The time after which a probe fails.
    pub timeout: Duration,
    /// The number of consecutive failures that count.
    pub failure_threshold: u32,
}

impl Probe {
    /// Returns a probe with the defaults of Kubernetes.
    pub fn new(action: ProbeAction) -> Self {
        Self {
            action,
            initial_delay: Duration::ZERO,
            period: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            failure_threshold: 3,
        }
    }

    /// Runs the probe once on this machine's loopback address. `exec` runs a command in the container
    /// and returns its exit code.
    ///
    /// # Errors
    /// Fails with the reason for which the probe has failed.
    pub fn run(&self, exec: impl FnOnce(&[String]) -> Result<i32, String>) -> Result<(), String> {
        match &self.action {
            ProbeAction::Tcp(port) => {
                connect(*port, self.timeout).map(drop).map_err(|error| error.to_string())
            }
            ProbeAction::Http { path, port } => match http_status(path, *port, self.timeout) {
                Ok(200..=399) => Ok(()),
                Ok(status) => Err(format!("status {status}")),
                Err(error) => Err(error.to_string()),
            },
            ProbeAction::Exec(command) => match exec(command)? {
                0 => Ok(()),
                code => Err(format!("exit code {code}")),
            },
        }
    }
}

fn connect(port: u16, timeout: Duration) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), timeout)
}

/// Returns the status of a GET request.
fn http_status(path: &str, port: u16, timeout: Duration) -> io::Result<u16> {
    let mut stream = connect(port, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: kube-probe/coracle\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    )?;
    let mut line = String::new();
    io::Read::take(BufReader::new(stream), 1024).read_line(&mut line)?;
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.trim().parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one request with `answer`, and returns the port.
    fn server(answer: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let size = stream.read(&mut request).unwrap();
            assert!(request[..size].starts_with(b"GET /health?x=1 HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        port
    }

    fn http(answer: &'static str) -> Result<(), String> {
        let action = ProbeAction::Http { path: "/health?x=1".into(), port: server(answer) };
        Probe::new(action).run(|_| Ok(0))
    }

    #[test]
    fn http_statuses_below_400_succeed() {
        assert_eq!(http("HTTP/1.1 204 No Content\r\n\r\n"), Ok(()));
        assert_eq!(http("HTTP/1.0 302 Found\r\n\r\n"), Ok(()));
        assert_eq!(http("HTTP/1.1 503 Service Unavailable\r\n\r\n"), Err("status 503".into()));
        assert_eq!(http("SSH-2.0\r\n"), Err("the answer is not HTTP".into()));
    }

    #[test]
    fn connections_and_commands_decide_the_others() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(Probe::new(ProbeAction::Tcp(port)).run(|_| Ok(0)), Ok(()));
        drop(listener);
        assert!(Probe::new(ProbeAction::Tcp(port)).run(|_| Ok(0)).is_err());
        let exec = Probe::new(ProbeAction::Exec(vec!["/app/check".into()]));
        assert_eq!(exec.run(|command| Ok(i32::from(command != ["/app/check"]))), Ok(()));
        assert_eq!(exec.run(|_| Ok(7)), Err("exit code 7".into()));
    }
}
